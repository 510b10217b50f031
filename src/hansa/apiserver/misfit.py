"""The refusal of a patch whose result is no object of the kind, with what a real server prints of it.

A merge or JSON patch makes text, which is printed: members that the patch went through come in alphabetical order, all
others in the order of the Go types. A strategic merge patch makes a document, and the patch is printed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hansa.api.meta import GVK, Json
from hansa.apiserver import faults
from hansa.apiserver.builtin.restore import complaint
from hansa.apiserver.builtin.shape import ShapeError, in_order, type_of
from hansa.base.gotext import go_text


def of_document(gvk: GVK, patch: Json, patched: Json, error: ShapeError) -> faults.Fault:
    """For a strategic merge patch."""
    return faults.bad_patch(go_text(patch), complaint(patched, gvk) or str(error))


def of_merge(gvk: GVK, before: Json, patch: Json, error: ShapeError) -> faults.Fault:
    return faults.bad_patch(_text(_merged(_ordered(gvk, before), patch)), str(error))


def of_operations(gvk: GVK, patched: Json, operations: Any, error: ShapeError) -> faults.Fault:
    """For a JSON patch, a list of operations that could be carried out."""
    pointers = [operation[part] for operation in operations for part in ("path", "from") if part in operation]
    return faults.bad_patch(_text(_sorted_along(_ordered(gvk, patched), map(_steps, pointers))), str(error))


def _ordered(gvk: GVK, obj: Json) -> Json:
    name = type_of(gvk)
    return in_order(obj, name) if name is not None else obj


def _text(document: Any) -> str:
    return msgspec.json.encode(document).decode()


def _merged(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result: Json = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return dict(sorted(result.items()))


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _sorted_along(document: Any, paths: Any) -> Any:
    """Every object on the way to the end of a path has its members sorted; the ends themselves stay as they are."""
    by_step: dict[str, list[list[str]]] = {}
    for path in paths:
        if path:
            by_step.setdefault(path[0], []).append(path[1:])
    if not by_step:
        return document
    if isinstance(document, list):
        return [
            _sorted_along(item, by_step[str(index)]) if str(index) in by_step else item
            for index, item in enumerate(document)
        ]
    if not isinstance(document, dict):
        return document
    return {
        key: _sorted_along(document[key], by_step[key]) if key in by_step else document[key] for key in sorted(document)
    }
