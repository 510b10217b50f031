"""Why a strategic merge patch leaves no object of the kind: the complaints of Kubernetes' converter of documents.

What a strategic merge patch makes never becomes JSON text: a real server converts the document into its Go types field
by field, in their order, and says so little when a value does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.shape import ShapeError, fields_of, name_of_scalar, shape_value, type_of

_KINDS = {"s": "string", "b": "bool", "i": "int32", "l": "int64", "f": "float64"}
_NUMBERS = ("i", "l", "f")


def complaint(obj: Json, gvk: GVK) -> str | None:
    """The first, in the order of the Go types; None where everything fits."""
    name = type_of(gvk)
    return _struct(name, obj) if name is not None else None


def _struct(type_name: str, value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"cannot restore struct from: {_kind(value)}"
    for field, code, *_ in fields_of(type_name):
        if value.get(field) is not None:
            found = _value(code.lstrip("*"), value[field], name_of_scalar(type_name, field))
            if found:
                return found
    return None


def _value(code: str, value: Any, named: str | None = None) -> str | None:
    if value is None:
        return None
    match code[0]:
        case "@":
            return _struct(code[1:], value)
        case "[":
            if isinstance(value, list):
                return _first(code[1:].lstrip("*"), value)
            return f"cannot restore slice from {_kind(value)}"
        case "{":
            if isinstance(value, dict):
                return _first(code[1:].lstrip("*"), value.values())
            return f"cannot restore map from {_kind(value)}"
        case "B" if not isinstance(value, str):
            return f"cannot restore slice from {_kind(value)}"
        case scalar if scalar in _KINDS:
            return _scalar(scalar, value, named)
        case _:
            return _decoded(code, value)


def _first(code: str, values: Iterable[Any]) -> str | None:
    return next(filter(None, (_value(code, value) for value in values)), None)


def _scalar(code: str, value: Any, named: str | None) -> str | None:
    given, wanted = _kind(value), _KINDS[code]
    numeric = given in ("int64", "float64")
    if given == wanted or (numeric and code in _NUMBERS and (code == "f" or value == int(value))):
        return None
    # Go converts a whole number into the text of that code point, and any number into any other; JSON does not
    convertible = (given == "int64" and code == "s") or (numeric and code in _NUMBERS)
    return f"cannot convert {given} to {named or wanted}" if convertible else f"unrecognized type: {wanted}"


def _decoded(code: str, value: Any) -> str | None:
    """Types that read themselves from JSON."""
    try:
        shape_value(code, value)
    except ShapeError as error:
        return f"error decoding from json: {error}" if code == "B" else str(error)
    return None


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int64"
        case float():
            return "float64"
        case str():
            return "string"
        case list():
            return "slice"
        case _:
            return "map"
