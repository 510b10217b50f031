"""How Kubernetes' internal types print: messages about fields that may not change contain a diff of two such prints.

Internal types carry no tags, so every field appears, under its Go name, with null where nothing is set.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

from hansa.api.meta import Json
from hansa.apiserver.builtin import shape
from hansa.apiserver.builtin.checks import IMMUTABLE
from hansa.base.field import FieldError, invalid

CONTEXT_LINES = 3
_ZEROS: dict[str, Any] = {"s": "", "b": False, "i": 0, "l": 0, "f": 0, "q": "0", "x": 0}


def difference(type_name: str, old: Json, new: Json) -> str:
    """A unified diff without file names, of two values of a versioned type that has an internal one of that name."""
    before, after = (_lines(_printed(f"@{type_name}", value)) for value in (old, new))
    return "".join(list(difflib.unified_diff(before, after, n=CONTEXT_LINES))[2:])


def unchanged(type_name: str, new: Json, old: Json, path: str) -> list[FieldError]:
    """A fault that prints the whole new value when it is not the old one."""
    return [] if new == old else [invalid(path, _printed(f"@{type_name}", new), IMMUTABLE)]


def _lines(value: Any) -> list[str]:
    return [f"{line}\n" for line in json.dumps(value, indent=1, ensure_ascii=False).split("\n")]


def _printed(code: str, value: Any) -> Any:
    if code[0] == "@":
        return _struct(code[1:], value or {})
    if value is None:
        return _ZEROS.get(code)
    match code[0]:
        case "*":
            return _printed(code[1:], value)
        case "[":
            return [_printed(code[1:], item) for item in value]
        case "{":
            return {key: _printed(code[1:], value[key]) for key in sorted(value)}
        case _:
            return value


def _struct(type_name: str, value: Json) -> Json:
    printed: Json = {}
    for go_name, name, code in shape.internal_fields(type_name):
        if go_name:
            printed[go_name] = _printed(code, value.get(name))
        else:
            printed |= value.get(name) or {}
    return printed
