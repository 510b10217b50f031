"""Strategic merge patch (Kubernetes API: `application/strategic-merge-patch+json`).

A merge patch that knows, from `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key` of a built-in kind's
schema, which lists are merged by a key or as sets. Directives: `$patch: replace|delete`, `$retainKeys`,
`$deleteFromPrimitiveList/F`, `$setElementOrder/F`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hansa.api.builtin import resolve
from hansa.api.meta import Json
from hansa.base.gotext import go_text
from hansa.base.patch import copy_json, equal_json

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_FROM = "$deleteFromPrimitiveList/"
ELEMENT_ORDER = "$setElementOrder/"


class StrategicError(ValueError):
    """The patch cannot be understood, or does not fit the kind. Words and HTTP code are the API server's."""

    @property
    def code(self) -> int:
        """400 for a directive of wrong form; for all else the real server blames itself."""
        return 400 if str(self).startswith("invalid patch format") else 500


class _Rule(NamedTuple):
    """How one field is patched: whether lists and maps merge, by which key, and the schema of what is inside."""

    strategy: str
    key: str
    inner: Json
    retains: bool = False
    """Members that the patch does not name go (`retainKeys`)."""


def strategic_merge(doc: Json, patch: Json, schema: Json) -> Json:
    """A new document. `schema` is a built-in kind's, `{}` merges maps and replaces lists. Raises StrategicError."""
    return _merge_map(doc, copy_json(patch), schema)


def apply_patch(last: Json, wanted: Json, schema: Json) -> Json:
    """The patch of `kubectl apply`: all that is wanted, and the end of what was applied before and no longer is."""
    patch: Json = {key: None for key in last if key not in wanted}
    for key, value in wanted.items():
        before = last.get(key)
        try:
            rule = _rule(schema, key)
        except StrategicError:
            rule = _Rule("", "", {})  # a field that the kind does not have: the server says what becomes of it
        if isinstance(value, dict) and rule.strategy != "replace":
            patch[key] = _retaining(apply_patch(before if isinstance(before, dict) else {}, value, rule.inner), rule)
        elif isinstance(value, list) and rule.strategy == "merge":
            patch |= _list_patch(key, before if isinstance(before, list) else [], value, rule)
        else:
            patch[key] = value
    return patch


def _retaining(patch: Json, rule: _Rule) -> Json:
    return {RETAIN_KEYS: [key for key, value in patch.items() if value is not None], **patch} if rule.retains else patch


def _list_patch(name: str, last: list[Any], wanted: list[Any], rule: _Rule) -> Json:
    """The members of a patch that make a list that merges what is wanted."""
    if not rule.key:
        found: Json = {name: wanted, ELEMENT_ORDER + name: wanted}
        if gone := [item for item in last if not _among(item, wanted)]:
            found[DELETE_FROM + name] = gone
        return found
    before = {item[rule.key]: item for item in last if isinstance(item, dict) and rule.key in item}
    items: list[Json] = []
    for item in wanted:
        if not isinstance(item, dict) or rule.key not in item:
            return {name: wanted}  # no key to merge by: the server refuses it in its own words
        old = before.pop(item[rule.key], {})
        items.append(_retaining(apply_patch(old, item, rule.inner), rule))
    items += [{PATCH: "delete", rule.key: key} for key in before]
    return {name: items, ELEMENT_ORDER + name: [{rule.key: item[rule.key]} for item in wanted]}


def _merge_map(original: Json, patch: Json, schema: Json) -> Json:
    """Merge `patch`, which is ours to take apart, over `original`, which stays as it is."""
    if PATCH in patch:
        directive = patch.pop(PATCH)
        if directive == "replace":
            return _plain(patch)
        if directive == "delete":
            return {}
        raise StrategicError(f"unknown patch type: {directive} in map: {go_text(patch)}")
    result = dict(original)
    if RETAIN_KEYS in patch:
        _retain_keys(result, patch)
    for key in [key for key in patch if key.startswith(ELEMENT_ORDER)]:
        _merge_in_order(result, patch, key, schema)
    for key, value in patch.items():
        if key.startswith(DELETE_FROM):
            name = key.removeprefix(DELETE_FROM)
            if not isinstance(value, list):
                raise StrategicError("invalid patch format of primitive list")
            if isinstance(result.get(name), list):
                result[name] = [item for item in result[name] if not _among(item, value)]
        elif value is None:
            result.pop(key, None)
        else:
            _merge_field(result, key, value, schema)
    return result


def _merge_field(result: Json, key: str, value: Any, schema: Json) -> None:
    old = result.get(key)
    if isinstance(old, dict) and isinstance(value, dict):
        rule = _rule(schema, key)
        result[key] = _plain(value) if rule.strategy == "replace" else _merge_map(old, value, rule.inner)
    elif isinstance(old, list) and isinstance(value, list):
        rule = _rule(schema, key)
        result[key] = _merge_list(old, value, rule) if rule.strategy == "merge" else _plain(value)
    elif isinstance(value, dict) and PATCH in value:
        result.pop(key, None)
    else:
        result[key] = _plain(value)


def _retain_keys(result: Json, patch: Json) -> None:
    kept = patch.pop(RETAIN_KEYS)
    if not isinstance(kept, list):
        raise StrategicError("invalid patch format of retainKeys")
    for key, value in patch.items():
        if value is not None and not key.startswith((DELETE_FROM, ELEMENT_ORDER)) and key not in kept:
            raise StrategicError("invalid patch format of retainKeys")
    for key in [key for key in result if key not in kept]:
        del result[key]


# -- lists ------------------------------------------------------------------------------------------------------------


def _merge_in_order(result: Json, patch: Json, directive: str, schema: Json) -> None:
    """Merge one list and put it into the order that `$setElementOrder` asks for. Takes both out of the patch."""
    order = patch.pop(directive)
    name = directive.removeprefix(ELEMENT_ORDER)
    old, new = result.get(name), patch.pop(name, None)
    if not isinstance(order, list):
        raise StrategicError("invalid patch format of setElementOrder list")
    for value in (old, new):
        if value is not None and not isinstance(value, list):
            raise StrategicError("invalid patch format of setElementOrder list")
    rule = _rule(schema, name)
    _check_order(new or [], order, rule.key)
    if old is None and new is None:
        return
    if new is None:
        merged = old
    elif old is None:
        merged = _plain(new)
    else:
        merged = _merge_list(old, new, rule) if rule.strategy == "merge" else _plain(new)
    result[name] = _ordered(merged or [], order, _server_order(old or [], new or [], rule.key), rule.key)


def _server_order(old: list[Any], new: list[Any], key: str) -> list[Any]:
    """The order that counts for what the patch does not name: the old one, but elements that the patch deletes make
    room for the first that it adds, behind those that stay."""
    deleted = [item for item in new if isinstance(item, dict) and item.get(PATCH) == "delete"]
    if not deleted or not key:
        return old
    left = [item for item in old if _place(deleted, item, key) is None]
    added = [item for item in new if PATCH not in item and _place(left, item, key) is None]
    return (left + added)[: len(old)]


def _check_order(items: list[Any], order: list[Any], key: str) -> None:
    """What the patch holds must stand in the asked order, in the same sequence."""
    if not items or not order:
        return
    kept = [item for item in items if not (isinstance(item, dict) and item.get(PATCH) == "delete")]
    checked = place = 0
    while checked < len(kept) and place < len(order):
        if isinstance(kept[checked], dict) and PATCH in kept[checked]:
            checked += 1
            continue
        checked += _same(kept[checked], order[place], key)
        place += 1
    if checked < len(kept):  # also a directive at the end, as the real server has it
        text = f"The order in patch list:\n{go_text(kept)}\n doesn't match $setElementOrder list:\n{go_text(order)}\n"
        raise StrategicError(text)


def _merge_list(old: list[Any], new: list[Any], rule: _Rule) -> list[Any]:
    if not old and not new:
        return []
    kinds = {_sort(item) for item in (*old, *new)}
    if "list" in kinds:
        raise StrategicError("lists of lists are not supported")
    if len(kinds) > 1:
        raise StrategicError("list element types are not identical")
    if kinds != {"map"}:
        merged: list[Any] = []
        for item in (*old, *new):
            if not _among(item, merged):
                merged.append(item)
        return _ordered(merged, new, old, "")
    if not rule.key:
        raise StrategicError("cannot merge lists without merge key for map")
    old, plain = _directed(old, new, rule.key)
    merged = list(old)
    for item in plain:
        place = _place(merged, item, rule.key)
        if place is None:
            merged.append(_plain(item))
        else:
            merged[place] = _merge_map(merged[place], dict(item), rule.inner)
    return _ordered(merged, plain, old, rule.key)


def _directed(old: list[Json], new: list[Json], key: str) -> tuple[list[Json], list[Json]]:
    """Carry out `$patch` in the elements: what is left of the old list, and the elements without directives."""
    plain: list[Json] = []
    replaced = False
    for item in new:
        if PATCH not in item:
            if key not in item:
                raise _no_key(item, key)
            plain.append(item)
            continue
        match item[PATCH]:
            case "delete":
                if key not in item:
                    raise _no_key(item, key)
                old = [other for other in old if not _same(other, item, key)]
            case "replace":
                replaced = True
            case "merge":
                raise StrategicError("merging lists cannot yet be specified in the patch")
            case other:
                raise StrategicError(f"unknown patch type: {other} in map: {go_text(item)}")
    return ([], plain) if replaced else (old, plain)


def _ordered(merged: list[Any], patch_order: list[Any], server_order: list[Any], key: str) -> list[Any]:
    """Elements that the patch names in its order, and the others woven in where the server had them."""
    named = [(place, item) for item in merged if (place := _place(patch_order, item, key)) is not None]
    patched = [item for _, item in sorted(named, key=lambda pair: pair[0])]
    others = [item for item in merged if _place(patch_order, item, key) is None]
    others.sort(key=lambda item: _place(server_order, item, key) or 0)
    result: list[Any] = []
    while patched and others:
        left, right = _place(server_order, others[0], key), _place(server_order, patched[0], key)
        first = others if left is not None and right is not None and left < right else patched
        result.append(first.pop(0))
    return result + patched + others


def _place(items: Sequence[Any], wanted: Any, key: str) -> int | None:
    return next((place for place, item in enumerate(items) if _same(item, wanted, key)), None)


def _same(left: Any, right: Any, key: str) -> bool:
    if not key:
        return equal_json(left, right)
    if not isinstance(left, dict) or not isinstance(right, dict):
        raise StrategicError("expected a map, but received another value")
    for item in (left, right):
        if key not in item:
            raise _no_key(item, key)
    return equal_json(left[key], right[key])


def _among(item: Any, items: Sequence[Any]) -> bool:
    return any(equal_json(item, other) for other in items)


def _sort(item: Any) -> str:
    return "map" if isinstance(item, dict) else "list" if isinstance(item, list) else "scalar"


def _no_key(item: Json, key: str) -> StrategicError:
    return StrategicError(f"map: {go_text(item)} does not contain declared merge key: {key}")


# -- schemas ----------------------------------------------------------------------------------------------------------


def _rule(schema: Json, name: str) -> _Rule:
    known = resolve(schema) if schema else schema
    field: Json | None = (known.get("properties") or {}).get(name)
    if field is None:
        additional = known.get("additionalProperties")
        field = additional if isinstance(additional, dict) else None
    if field is None:
        if known.get("properties"):
            raise StrategicError(f'unable to find api field in struct for the json field "{name}"')
        return _Rule("", "", {})
    inner = resolve(field)
    strategies = str(field.get("x-kubernetes-patch-strategy", "")).split(",")
    strategy = next((word for word in strategies if word in ("merge", "replace")), "")
    items = inner.get("items")
    key = field.get("x-kubernetes-patch-merge-key", "")
    return _Rule(strategy, key, items if isinstance(items, dict) else inner, "retainKeys" in strategies)


def _plain(value: Any) -> Any:
    """A patch's value where there is nothing to merge with: without nulls, directives and elements that only direct."""
    if isinstance(value, dict):
        return {
            key: _plain(inner)
            for key, inner in value.items()
            if inner is not None and not key.startswith("$") and not (isinstance(inner, dict) and PATCH in inner)
        }
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and PATCH in item)]
    return value
