"""Structural schemas at work: prune what they do not name, fill in defaults, find faults.

Schemas are those of CustomResourceDefinitions (apiextensions.k8s.io/v1, structural) and of built-in kinds, which refer
to each other and are followed through `builtin.resolve`. Messages are those of the Kubernetes API server.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from hansa.api.builtin import resolve
from hansa.api.meta import Json
from hansa.base.field import FieldError, duplicate, invalid, not_supported, required, shown, too_many, type_invalid
from hansa.base.patch import copy_json, equal_json

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
# fields of every object, which schemas need not name
_OBJECT_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


def prune(obj: Any, schema: Json, *, root: bool = True) -> None:
    """Remove, in place, fields that a structural schema does not name."""
    _walk(obj, schema, root, True, lambda parent, key, path: parent.pop(key), "")


def unknown_fields(obj: Any, schema: Json, *, structural: bool) -> list[str]:
    """Paths of fields that the schema does not name, in the order of the document.

    In a `structural` schema an object without properties has no fields; in a built-in kind's schema it is of free form.
    """
    found: list[str] = []
    _walk(obj, schema, True, structural, lambda parent, key, path: found.append(path), "")
    return found


def _walk(
    value: Any, schema: Json, root: bool, structural: bool, unknown: Callable[[Json, str, str], Any], path: str
) -> None:
    schema = resolve(schema)
    if isinstance(value, list):
        items = schema.get("items")
        if items is not None:
            for index, inner in enumerate(value):
                _walk(inner, items, False, structural, unknown, f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        return
    properties: Json = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    unnamed = not properties and additional is None and not structural
    free = additional or unnamed or schema.get(PRESERVE) or schema.get(INT_OR_STRING)
    exempt = _OBJECT_FIELDS if root or schema.get(EMBEDDED) else frozenset[str]()
    for key in list(value):
        where = f"{path}.{key}" if path else key
        if key in properties:
            if not (key == "metadata" and exempt and structural):
                _walk(value[key], properties[key], False, structural, unknown, where)
        elif isinstance(additional, dict):
            _walk(value[key], additional, False, structural, unknown, where)
        elif not (free or key in exempt):
            unknown(value, key, where)


def apply_defaults(obj: Any, schema: Json) -> None:
    """Fill in, in place, the defaults of missing fields; a null where null is not allowed counts as missing."""
    schema = resolve(schema)
    if isinstance(obj, list):
        items = schema.get("items")
        if items is not None and _has_defaults(items):
            for inner in obj:
                apply_defaults(inner, items)
        return
    if not isinstance(obj, dict):
        return
    for key, inner in (schema.get("properties") or {}).items():
        if "default" in inner and (key not in obj or (obj[key] is None and not inner.get("nullable"))):
            obj[key] = copy_json(inner["default"])
        if key in obj and _has_defaults(inner):
            apply_defaults(obj[key], inner)
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict) and _has_defaults(additional):
        for inner in obj.values():
            apply_defaults(inner, additional)


_defaulting: dict[int, tuple[Json, bool]] = {}


def _has_defaults(schema: Json) -> bool:
    """Whether a part of a schema has defaults; remembered by identity, and the schema is kept alive with it."""
    known = _defaulting.get(id(schema))
    if known is not None and known[0] is schema:
        return known[1]
    found = "default" in schema or any(
        _has_defaults(inner)
        for inner in (
            *(schema.get("properties") or {}).values(),
            *(part for part in (schema.get("items"), schema.get("additionalProperties")) if isinstance(part, dict)),
        )
    )
    _defaulting[id(schema)] = (schema, found)
    return found


# -- faults -----------------------------------------------------------------------------------------------------------


def validate(obj: Any, schema: Json, path: str = "") -> list[FieldError]:
    """All faults, parents before children."""
    errors: list[FieldError] = []
    _validate(obj, schema, path, errors)
    return errors


def _validate(value: Any, schema: Json, path: str, errors: list[FieldError]) -> None:
    schema = resolve(schema)
    if value is None and schema.get("nullable"):
        return
    if not _type_fits(value, schema):
        errors.append(_wrong_type(value, schema, path))
        return
    _combined(value, schema, path, errors)
    choices = schema.get("enum")
    if choices is not None and not any(equal_json(value, choice) for choice in choices):
        errors.append(not_supported(path or "<nil>", value, [c if isinstance(c, str) else shown(c) for c in choices]))
    if isinstance(value, dict):
        _validate_object(value, schema, path, errors)
    elif isinstance(value, list):
        _validate_list(value, schema, path, errors)
    elif isinstance(value, str):
        _validate_text(value, schema, path, errors)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _validate_number(value, schema, path, errors)


def _type_fits(value: Any, schema: Json) -> bool:
    if schema.get(INT_OR_STRING):
        return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    match schema.get("type"):
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return True


def _wrong_type(value: Any, schema: Json, path: str) -> FieldError:
    wanted = "integer,string" if schema.get(INT_OR_STRING) else schema.get("type", "")
    found = _type_name(value)
    return type_invalid(path or "<nil>", found, f'{path} in body must be of type {wanted}: "{found}"')


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _validate_object(value: Json, schema: Json, path: str, errors: list[FieldError]) -> None:
    for name in schema.get("required") or ():
        if name not in value:
            errors.append(required(_join(path, name)))
    low, high = schema.get("minProperties"), schema.get("maxProperties")
    if low is not None and len(value) < low:
        errors.append(invalid(path, value, f"{path} in body should have at least {low} properties"))
    if high is not None and len(value) > high:
        errors.append(too_many(path, len(value), high))
    properties: Json = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    for key, inner in value.items():
        part = properties.get(key)
        if part is None and isinstance(additional, dict):
            part = additional
        if part is not None:
            _validate(inner, part, _join(path, key), errors)


def _validate_list(value: list[Any], schema: Json, path: str, errors: list[FieldError]) -> None:
    low, high = schema.get("minItems"), schema.get("maxItems")
    if low is not None and len(value) < low:
        errors.append(invalid(path, len(value), f"{path} in body should have at least {low} items"))
    if high is not None and len(value) > high:
        errors.append(too_many(path, len(value), high))
    items = schema.get("items")
    if items is not None:
        for index, inner in enumerate(value):
            _validate(inner, items, f"{path}[{index}]", errors)
    kind = schema.get(LIST_TYPE)
    if kind == "set" or schema.get("uniqueItems"):
        _unique(value, lambda inner: inner, path, errors)
    elif kind == "map":
        keys = schema.get(LIST_KEYS) or []
        defaults = {k: p.get("default") for k, p in (resolve(items or {}).get("properties") or {}).items()}
        _unique(
            [v for v in value if isinstance(v, dict)],
            lambda inner: {key: inner.get(key, defaults.get(key)) for key in keys},
            path,
            errors,
        )


def _unique(values: Iterable[Any], key_of: Callable[[Any], Any], path: str, errors: list[FieldError]) -> None:
    seen: set[bytes] = set()
    for index, value in enumerate(values):
        key = key_of(value)
        text = msgspec.json.encode(key)
        if text in seen:
            errors.append(duplicate(f"{path}[{index}]", key))
        seen.add(text)


def _validate_text(value: str, schema: Json, path: str, errors: list[FieldError]) -> None:
    low, high = schema.get("minLength"), schema.get("maxLength")
    if low is not None and len(value) < low:
        errors.append(invalid(path, value, f"{path} in body should be at least {low} chars long"))
    if high is not None and len(value) > high:
        errors.append(FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {high} bytes"))
    pattern = schema.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        errors.append(invalid(path, value, f"{path} in body should match '{pattern}'"))
    check = _FORMATS.get(schema.get("format", ""))
    if check is not None and not check(value):
        kind = schema["format"]
        errors.append(invalid(path, value, f"{path} in body must be of type {kind}: {shown(value)}"))


def _validate_number(value: float, schema: Json, path: str, errors: list[FieldError]) -> None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        relation = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {relation} {low}"))
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        relation = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {relation} {high}"))
    step = schema.get("multipleOf")
    if step and not math.isclose(value / step, round(value / step)):
        errors.append(invalid(path, value, f"{path} in body should be a multiple of {step}"))
    if schema.get("format") == "int32" and not -(2**31) <= value < 2**31:
        errors.append(invalid(path, value, f"{path} in body must be of type int32: {shown(value)}"))


def _combined(value: Any, schema: Json, path: str, errors: list[FieldError]) -> None:
    for part in schema.get("allOf") or ():
        _validate(value, part, path, errors)
    for word, wanted in (("anyOf", "at least one"), ("oneOf", "one and only one")):
        parts = schema.get(word)
        if not parts or schema.get(INT_OR_STRING):
            continue
        fitting = sum(not validate(value, part, path) for part in parts)
        if fitting == 0 or (word == "oneOf" and fitting > 1):
            errors.append(invalid(path, value, f'"{path}" must validate {wanted} schema ({word})'))
    if "not" in schema and not validate(value, schema["not"], path):
        errors.append(invalid(path, value, f'"{path}" must not validate the schema (not)'))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _is_date_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None


_FORMATS: dict[str, Callable[[str], bool]] = {"date-time": _is_date_time, "date": _is_date}
