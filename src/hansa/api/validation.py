"""Validation of custom objects by their structural schema (apiextensions.k8s.io/v1), in the API server's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from hansa.api.builtin import resolve
from hansa.api.formats import FORMATS, matches
from hansa.api.meta import Json
from hansa.base.field import FieldError, duplicate, invalid, not_supported, required, shown, too_many, type_invalid
from hansa.base.names import label_value, qualified_name
from hansa.base.patch import equal_json

INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"

_NOWHERE = "<nil>"


def validate(obj: Any, schema: Json, path: str = "") -> list[FieldError]:
    """All faults, parents before children.

    Nulls of fields that are not nullable are taken to be gone already, as `apply_defaults` leaves it.
    """
    errors: list[FieldError] = []
    _validate(obj, schema, path, errors)
    return errors


def _validate(value: Any, schema: Json, path: str, errors: list[FieldError]) -> None:
    schema = resolve(schema)
    if value is None and schema.get("nullable"):
        return
    _check_type(value, schema, path, errors)
    _combined(value, schema, path, errors)
    choices = schema.get("enum")
    if choices is not None and not any(equal_json(value, choice) for choice in choices):
        errors.append(not_supported(path or _NOWHERE, value, [c if isinstance(c, str) else shown(c) for c in choices]))
    if isinstance(value, dict):
        _validate_object(value, schema, path, errors)
    elif isinstance(value, list):
        _validate_list(value, schema, path, errors)
    elif isinstance(value, str):
        _validate_text(value, schema, path, errors)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _validate_number(value, schema, path, errors)


# -- types ------------------------------------------------------------------------------------------------------------

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_integer(value),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_RANGES = {"int32": 2**31, "int64": 2**63}


def _is_integer(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer() and abs(value) < 2**63
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _check_type(value: Any, schema: Json, path: str, errors: list[FieldError]) -> None:
    if schema.get(INT_OR_STRING):
        if not isinstance(value, str) and not _is_integer(value):
            errors.append(_wrong_type(value, "integer,string", path))
        return
    wanted = schema.get("type", "")
    fits = _TYPES.get(wanted)
    if fits is not None and not fits(value):
        errors.append(_wrong_type(value, wanted, path))
        if wanted == "integer" and _type_name(value) == "number":
            errors.append(_odd(f"Checked value must be of type integer (default format) in {path}"))
    elif wanted == "integer" and (limit := _RANGES.get(schema.get("format", ""))) and not -limit <= value < limit:
        errors.append(_odd(f"Checked value must be of type integer with format {schema['format']} in {path}"))


def _wrong_type(value: Any, wanted: str, path: str) -> FieldError:
    found = _type_name(value)
    return type_invalid(path or _NOWHERE, found, f'{path} in body must be of type {wanted}: "{found}"')


def _odd(text: str) -> FieldError:
    """Faults that the real server reports without field and value."""
    return invalid(_NOWHERE, "", text)


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer" if _is_integer(value) else "number"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


# -- what holds for objects, lists, texts and numbers -----------------------------------------------------------------


def _validate_object(value: Json, schema: Json, path: str, errors: list[FieldError]) -> None:
    if schema.get(EMBEDDED):
        _validate_embedded(value, schema, path, errors)
    for name in schema.get("required") or ():
        if name not in value:
            errors.append(required(_join(path, name)))
    low, high = schema.get("minProperties"), schema.get("maxProperties")
    if low is not None and len(value) < low:
        errors.append(invalid(path, len(value), f"{path} in body should have at least {low} properties"))
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


def _validate_embedded(value: Json, schema: Json, path: str, errors: list[FieldError]) -> None:
    for name in ("apiVersion", "kind"):
        if not value.get(name) and name not in (schema.get("required") or ()):
            errors.append(required(_join(path, name)))
    meta = value.get("metadata")
    if not isinstance(meta, dict):
        return
    for key, text in (meta.get("labels") or {}).items():
        faults = [(key, fault) for fault in qualified_name(key)] + [(text, fault) for fault in label_value(str(text))]
        errors += [invalid(f"{path}.metadata.labels", shown_value, fault) for shown_value, fault in faults]
    for key in meta.get("annotations") or {}:
        errors += [invalid(f"{path}.metadata.annotations", key, fault) for fault in qualified_name(key.lower())]


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
        _unique(list(enumerate(value)), lambda inner: inner, path, errors)
    elif kind == "map":
        _validate_list_map(value, schema, path, errors)


def _validate_list_map(value: list[Any], schema: Json, path: str, errors: list[FieldError]) -> None:
    keys = schema.get(LIST_KEYS) or []
    fields = resolve(schema.get("items") or {}).get("properties") or {}
    defaults = {key: fields[key]["default"] for key in keys if "default" in fields.get(key, {})}
    items: list[tuple[int, Any]] = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            items.append((index, item))
        elif item is not None:
            errors.append(invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map"))

    def key_of(item: Json) -> Json:
        return {key: item[key] if key in item else defaults[key] for key in keys if key in item or key in defaults}

    _unique(items, key_of, path, errors)


def _unique(values: list[tuple[int, Any]], key_of: Callable[[Any], Any], path: str, errors: list[FieldError]) -> None:
    """Each value that is there before is reported once, where it comes again first."""
    seen: dict[bytes, bool] = {}
    for index, value in values:
        key = key_of(value)
        text = msgspec.json.encode(key, order="sorted")
        if text not in seen:
            seen[text] = False
        elif not seen[text]:
            seen[text] = True
            errors.append(duplicate(f"{path}[{index}]", key))


def _validate_text(value: str, schema: Json, path: str, errors: list[FieldError]) -> None:
    low, high = schema.get("minLength"), schema.get("maxLength")
    if low is not None and len(value) < low:
        errors.append(invalid(path, value, f"{path} in body should be at least {low} chars long"))
    if high is not None and len(value) > high:
        errors.append(FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {high} bytes"))
    pattern = schema.get("pattern")
    if pattern and not matches(pattern, value):
        errors.append(invalid(path, value, f"{path} in body should match '{pattern}'"))
    name = schema.get("format", "")
    check = FORMATS.get(name)
    if check is not None and not check(value):
        errors.append(type_invalid(path, value, f"{path} in body must be of type {name}: {shown(value)}"))


def _validate_number(value: float, schema: Json, path: str, errors: list[FieldError]) -> None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        relation = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {relation} {shown(high)}"))
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        relation = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        errors.append(invalid(path, value, f"{path} in body should be {relation} {shown(low)}"))
    step = schema.get("multipleOf")
    if step is None:
        return
    if isinstance(value, int) and int(step) <= 0:
        # the real server takes the factor as a whole number beside a whole value
        text = f"factor MultipleOf declared for {path} must be positive: {int(step)}"
        errors.append(invalid(path, int(step), text))
    elif not _is_multiple(value, int(step) if isinstance(value, int) else step):
        errors.append(invalid(path, value, f"{path} in body should be a multiple of {shown(step)}"))


def _is_multiple(value: float, step: float) -> bool:
    return value % step == 0 if isinstance(value, int) else float(value / step).is_integer()


# -- combinations -----------------------------------------------------------------------------------------------------


def _combined(value: Any, schema: Json, path: str, errors: list[FieldError]) -> None:
    parts = schema.get("anyOf")
    if parts and not schema.get(INT_OR_STRING):
        results = [validate(value, part, path) for part in parts]
        if all(results):
            errors.append(_odd(f'"{path}" must validate at least one schema (anyOf)'))
            errors += _nearest(results)
    parts = schema.get("oneOf")
    if parts:
        results = [validate(value, part, path) for part in parts]
        fitting = sum(not result for result in results)
        if fitting != 1:
            found = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
            errors.append(_odd(f'"{path}" must validate one and only one schema (oneOf). {found}'))
            errors += _nearest(results) if not fitting else []
    parts = schema.get("allOf")
    if parts:
        results = [validate(value, part, path) for part in parts]
        for result in results:
            errors += result
        if any(results):
            errors.append(_odd(f'"{path}" must validate all the schemas (allOf)'))
    if "not" in schema and not validate(value, schema["not"], path):
        errors.append(_odd(f'"{path}" must not validate the schema (not)'))


def _nearest(results: list[list[FieldError]]) -> list[FieldError]:
    return min(results, key=len)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
