"""Objects as trees of owned fields: which fields one has, what differs between two, merging, removing.

The behaviour is that of Kubernetes' server-side apply. A leaf is a scalar, an atomic list or map, and an empty list or
map; null counts as an empty list or map where the schema has one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hansa.api import fieldset
from hansa.api.fieldset import FieldSet, Path
from hansa.api.topology import DEDUCED, Topology, list_of, map_of
from hansa.base.patch import equal_json


class StructureError(ValueError):
    """An object does not fit its schema so far that it could be merged."""


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


ABSENT: Final = _Mark("ABSENT")
EMPTIED: Final = _Mark("EMPTIED")
"""In place of a map or list that lost all it had: null while fields are compared, and gone from the result."""


class Comparison(NamedTuple):
    """What became of an object; no path is in two of the sets."""

    removed: FieldSet
    modified: FieldSet
    added: FieldSet

    def without(self, ignored: FieldSet) -> Comparison:
        """Less the ignored fields and what is below them."""
        if not ignored:
            return self
        return Comparison(*(fieldset.without(part, ignored) for part in self))


def element_of(node: Topology, item: Any) -> str:
    """The path element of an item of a list map or set. Raises StructureError."""
    if node.keys:
        if not isinstance(item, dict):
            raise StructureError("associative list with keys may not have non-map elements")
        keys = {key: item[key] for key in node.keys if key in item}
        for key, value in node.defaults.items():
            keys.setdefault(key, value)
        if not keys:
            names = " ".join(f'"{key}"' for key in node.keys)
            raise StructureError(
                f"associative list with keys has an element that omits all key fields [{names}] (and doesn't have"
                " default values for any key fields)"
            )
        return fieldset.keyed(keys)
    if isinstance(item, dict):
        raise StructureError("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise StructureError("not supported: associative list with lists as elements")
    if item is None:
        raise StructureError("associative list without keys has an element that's an explicit null")
    return fieldset.valued(item)


# -- which fields -----------------------------------------------------------------------------------------------------


def fields_of(value: Any, node: Topology) -> FieldSet:
    """All fields that an object has. Raises StructureError."""
    found: FieldSet = {}
    _collect(value, node, (), found)
    return found


def _collect(value: Any, node: Topology, path: Path, found: FieldSet) -> None:
    value = None if value is EMPTIED else value
    if map_of(node, value):
        for name, inner in value.items():
            below = (*path, fieldset.field(name))
            _collect(inner, node.field(name) or DEDUCED, below, found)
            if inner is None or inner is EMPTIED or inner == {} or not node.names(name):
                fieldset.insert(found, below)
    elif list_of(node, value):
        elements = [element_of(node, item) for item in value]
        for element, item in zip(elements, value, strict=True):
            if elements.count(element) == 1:
                _collect(item, node.element or DEDUCED, (*path, element), found)
            fieldset.insert(found, (*path, element))
    elif value is not None or node.form == "scalar" or node.atomic:
        fieldset.insert(found, path)


# -- what differs -----------------------------------------------------------------------------------------------------


def compare(old: Any, new: Any, node: Topology) -> Comparison:
    """From `old` to `new`. Raises StructureError."""
    result = Comparison({}, {}, {})
    _compare(old, new, node, (), result)
    return result


def _compare(old: Any, new: Any, node: Topology, path: Path, result: Comparison) -> None:
    new = None if new is EMPTIED else new
    if old is new:
        return
    maps = map_of(node, old), map_of(node, new)
    lists = list_of(node, old), list_of(node, new)
    full = (any(maps) or any(lists)) and not (_hollow(old) and _hollow(new))
    if full:
        if any(maps):
            _compare_maps(old if maps[0] else {}, new if maps[1] else {}, node, path, result)
        if any(lists):
            _compare_lists(old if lists[0] else [], new if lists[1] else [], node, path, result)
    if old is ABSENT:
        fieldset.insert(result.added, path)
    elif new is ABSENT:
        fieldset.insert(result.removed, path)
    elif full and (old is None or new is None or maps[0] is maps[1]):
        pass  # they differ by their fields alone
    elif not equal_json(old, new):
        fieldset.insert(result.modified, path)


def _hollow(value: Any) -> bool:
    return value is ABSENT or value is None or value in ({}, [])


def _compare_maps(old: dict[str, Any], new: dict[str, Any], node: Topology, path: Path, result: Comparison) -> None:
    for name in (*old, *(name for name in new if name not in old)):
        below = node.field(name) or DEDUCED
        _compare(old.get(name, ABSENT), new.get(name, ABSENT), below, (*path, fieldset.field(name)), result)


def _compare_lists(old: list[Any], new: list[Any], node: Topology, path: Path, result: Comparison) -> None:
    """Items are compared one to one; several with the same key count as one leaf."""
    below = node.element or DEDUCED
    before, after = _grouped(old, node), _grouped(new, node)
    for element in (*before, *(element for element in after if element not in before)):
        mine, theirs = before.get(element, []), after.get(element, [])
        where = (*path, element)
        if len(mine) <= 1 and len(theirs) <= 1:
            _compare(mine[0] if mine else ABSENT, theirs[0] if theirs else ABSENT, below, where, result)
        elif len(mine) >= 2 and len(theirs) >= 2:
            if not equal_json(mine, theirs):
                fieldset.insert(result.modified, where)
        elif len(mine) >= 2:
            if theirs:
                _compare(ABSENT, theirs[0], below, where, result)
            fieldset.insert(result.removed, where)
        else:
            if mine:
                _compare(mine[0], ABSENT, below, where, result)
            fieldset.insert(result.added, where)


def _grouped(items: list[Any], node: Topology) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(element_of(node, item), []).append(item)
    return groups


# -- merging ----------------------------------------------------------------------------------------------------------


def merge(old: Any, new: Any, node: Topology) -> Any:
    """`new` over `old`: maps and list maps are merged, leaves are taken from `new`. Raises StructureError."""
    if old is ABSENT or new is ABSENT:
        return new if old is ABSENT else old
    if map_of(node, old) and (new is None or map_of(node, new)):
        if not new:
            return old or new
        result = dict(old)
        for name, value in new.items():
            result[name] = merge(old.get(name, ABSENT), value, node.field(name) or DEDUCED)
        return result
    if list_of(node, old) and (new is None or list_of(node, new)):
        return _merge_lists(old, new or [], node) if old else new
    return new


def _merge_lists(old: list[Any], new: list[Any], node: Topology) -> list[Any]:
    """The order is that of `new`; items that only `old` has stay where they were among the common ones."""
    below = node.element or DEDUCED
    wanted = [element_of(node, item) for item in new]
    had = [element_of(node, item) for item in old]
    if twice := next((element for element in wanted if wanted.count(element) > 1), None):
        raise StructureError(f"duplicate entries for key {fieldset.shown((twice,))}")
    mine = {element: (item if had.count(element) == 1 else None) for element, item in zip(had, old, strict=True)}
    theirs = dict(zip(wanted, new, strict=True))
    shared = iter([element for element in wanted if element in mine])
    next_shared = next(shared, None)
    result: list[Any] = []
    done: set[str] = set()
    left = right = 0

    def take(element: str) -> None:
        done.add(element)
        result.append(merge(mine.get(element, ABSENT), theirs[element], below))

    while left < len(had) or right < len(wanted):
        if left < len(had) and right < len(wanted):
            element = had[left]
            if element == wanted[right]:
                take(element)
                left, right = left + 1, right + 1
                next_shared = next(shared, None)
                continue
            if element in theirs and next_shared is not None and next_shared != element:
                left += 1  # a common item, but not the next one in the new order
                continue
        if left < len(had):
            if had[left] not in theirs:
                result.append(old[left])
                left += 1
                continue
            if had[left] in done:
                left += 1
        if right < len(wanted):
            element = wanted[right]
            take(element)
            right += 1
            if next_shared == element:
                next_shared = next(shared, None)
    return result


# -- removing ---------------------------------------------------------------------------------------------------------


def remove(value: Any, fields: FieldSet, node: Topology) -> Any:
    """`value` without the fields of the set and what is below them; what this empties becomes EMPTIED."""
    if map_of(node, value):
        kept: dict[str, Any] = {}
        for name, inner in value.items():
            below = fields.get(fieldset.field(name))
            if below is not None:
                if fieldset.is_member(below):
                    continue
                inner = remove(inner, below, node.field(name) or DEDUCED)
            kept[name] = inner
        return kept or EMPTIED
    if list_of(node, value):
        return _remove_items(value, fields, node) or EMPTIED
    return EMPTIED if isinstance(value, dict | list) or value is None else value


def _remove_items(value: list[Any], fields: FieldSet, node: Topology) -> list[Any]:
    kept: list[Any] = []
    for item in value:
        below = fields.get(element_of(node, item))
        if below is not None:
            if fieldset.is_member(below):
                continue
            item = remove(item, below, node.element or DEDUCED)
        kept.append(item)
    return kept


def settled(value: Any) -> Any:
    """A copy without what was emptied."""
    if isinstance(value, dict):
        return {name: settled(inner) for name, inner in value.items() if inner is not EMPTIED}
    if isinstance(value, list):
        return [settled(item) for item in value if item is not EMPTIED]
    return {} if value is EMPTIED else value


def with_named(fields: FieldSet, node: Topology | None) -> FieldSet:
    """Also the fields that lead to a path of the set, where the schema names them."""
    result: FieldSet = {}
    for element, inner in fields.items():
        if element == fieldset.SELF:
            result[element] = inner
            continue
        named = element.startswith("f:") and node is not None and node.form == "map" and node.names(element[2:])
        if not inner:
            result[element] = inner
            continue
        children = with_named(inner, _below(node, element))
        if named:
            children = {fieldset.SELF: {}, **children}
        result[element] = children
    return result


def regrouped(fields: FieldSet, node: Topology | None) -> FieldSet:
    """The set after a schema made a map or list atomic: what was owned below it counts as the whole. The same set where
    nothing became so."""
    changed: FieldSet = {}
    for element, inner in fields.items():
        below = _below(node, element) if inner and element != fieldset.SELF else None
        if below is not None:
            after: FieldSet = {} if below.atomic else regrouped(inner, below)
            if after is not inner:
                changed[element] = after
    return {**fields, **changed} if changed else fields


def _below(node: Topology | None, element: str) -> Topology | None:
    if node is None:
        return None
    if element.startswith("f:"):
        return node.field(element[2:]) if node.form in ("map", "any") else None
    return node.element if element.startswith("k:") and node.form == "list" else None
