"""Sets of field paths, in the form of managedFields (meta.k8s.io/v1 FieldsV1).

A set is a tree of dicts, as on the wire: `{"f:spec": {"f:replicas": {}, "f:template": {".": {}, "f:metadata": {}}}}`.
The keys are path elements: `f:` a field, `k:` an element of a list map by its keys, `v:` an element of a set by its
value, `i:` an element by its place. An empty dict or a `.` says that the path itself is in the set. Sets are values:
no function here changes its arguments, and results may share parts with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

FieldSet = dict[str, Any]
Path = tuple[str, ...]

SELF = "."
_encode = msgspec.json.Encoder(order="sorted").encode


class FieldSetError(ValueError):
    """Not a set of fields."""


def field(name: str) -> str:
    """The path element of a field."""
    return f"f:{name}"


def keyed(keys: Mapping[str, Any]) -> str:
    """The path element of a list map's element."""
    return f"k:{_encode(keys).decode()}"


def valued(value: Any) -> str:
    """The path element of a set's element."""
    return f"v:{_encode(value).decode()}"


def of(*paths: Iterable[str]) -> FieldSet:
    """A set of paths of elements."""
    result: FieldSet = {}
    for path in paths:
        insert(result, tuple(path))
    return result


def insert(fields: FieldSet, path: Path) -> None:
    """Add a path in place: for building a set that nobody else has seen."""
    if not path:
        return
    node = fields
    for element in path[:-1]:
        child = node.get(element)
        if child is None:
            child = {}
            node[element] = child
        elif not child:
            child[SELF] = {}
        node = child
    last = node.get(path[-1])
    if last is None:
        node[path[-1]] = {}
    elif last:
        last[SELF] = {}


def has(fields: FieldSet, path: Path) -> bool:
    """Whether the path itself is in the set."""
    node: FieldSet = fields
    for element in path:
        if element not in node:
            return False
        node = node[element]
    return is_member(node)


def is_member(node: FieldSet) -> bool:
    return not node or SELF in node


def paths(fields: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """All paths: those that end here, sorted, then those below."""
    elements = [element for element in sorted(fields, key=_order) if element != SELF]
    for element in elements:
        if is_member(fields[element]):
            yield (*prefix, element)
    for element in elements:
        yield from paths(fields[element], (*prefix, element))


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left:
        return right
    if not right:
        return left
    result = dict(left)
    for element, node in right.items():
        if element == SELF:
            continue
        mine = left.get(element)
        if mine is None:
            result[element] = node
        elif mine or node:
            children = union(_children(mine), _children(node))
            result[element] = _node(is_member(mine) or is_member(node), children)
    return result


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """The paths of `left` that are not in `right`; what lies below a path of `right` stays."""
    if not right:
        return left
    result: FieldSet = {}
    for element, node in left.items():
        if element == SELF:
            continue
        other = right.get(element)
        if other is None:
            result[element] = node
            continue
        member = is_member(node) and not is_member(other)
        children = difference(_children(node), _children(other))
        if member or children:
            result[element] = _node(member, children)
    return result


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """Less the paths of `right` and everything below them."""
    result: FieldSet = {}
    for element, node in left.items():
        if element == SELF:
            continue
        other = right.get(element)
        if other is None:
            result[element] = node
        elif not is_member(other):
            children = without(_children(node), other)
            if is_member(node) or children:
                result[element] = _node(is_member(node), children)
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    result: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None or element == SELF:
            continue
        member = is_member(node) and is_member(other)
        children = intersection(_children(node), _children(other))
        if member or children:
            result[element] = _node(member, children)
    return result


def decode(wire: Any) -> FieldSet:
    """From fieldsV1, with the keys of its elements in canonical form; `wire` itself where it has it already. Raises
    FieldSetError."""
    if wire is None:
        return {}
    if not isinstance(wire, dict):
        raise FieldSetError("a set of fields must be an object")
    result: FieldSet = {}
    same = True
    for element, node in wire.items():
        canonical = element if element == SELF else _canonical(element)
        inner = decode(node) if node else node
        same = same and canonical == element and inner is node
        result[canonical] = inner
    return wire if same else result


def encode(fields: FieldSet) -> FieldSet:
    """To fieldsV1: sorted, `.` first."""
    if not fields:
        return fields
    return {element: encode(fields[element]) for element in sorted(fields, key=_order)}


def shown(path: Path) -> str:
    """`.spec.containers[name="web"].image`, as conflicts name a field."""
    return "".join(_shown(element) for element in path)


def _shown(element: str) -> str:
    kind, text = element[0], element[2:]
    match kind:
        case "f":
            return f".{text}"
        case "k":
            keys = msgspec.json.decode(text, type=dict[str, Any])
            return f"[{','.join(f'{name}={_encode(value).decode()}' for name, value in keys.items())}]"
        case "v":
            return f"[={text}]"
        case _:
            return f"[{text}]"


@lru_cache(maxsize=8192)
def _canonical(element: str) -> str:
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return element
    try:
        if kind == "k:":
            return keyed(msgspec.json.decode(text, type=dict[str, Any]))
        if kind == "v:":
            return valued(msgspec.json.decode(text))
        if kind == "i:":
            return f"i:{int(text)}"
    except (msgspec.DecodeError, ValueError) as error:
        raise FieldSetError(f"{element!r} is not a path element: {error}") from error
    raise FieldSetError(f"{element!r} is not a path element")


_KINDS = {".": 0, "f": 1, "k": 2, "v": 3, "i": 4}


@lru_cache(maxsize=8192)
def _order(element: str) -> tuple[int, Any]:
    kind = _KINDS[element[0]]
    return kind, (int(element[2:]) if kind == 4 else element)


def _children(node: FieldSet) -> FieldSet:
    if SELF not in node:
        return node
    return {element: child for element, child in node.items() if element != SELF}


def _node(member: bool, children: FieldSet) -> FieldSet:
    if not member or not children:
        return children
    return {SELF: {}, **children}
