"""Structural schemas at work: prune what they do not name, fill in defaults, find unknown fields and faults.

Schemas are those of CustomResourceDefinitions (apiextensions.k8s.io/v1, structural) and of built-in kinds, which refer
to each other and are followed through `builtin.resolve`. Metadata is Kubernetes' own everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hansa.api.builtin import definitions, resolve
from hansa.api.meta import Json
from hansa.api.validation import EMBEDDED, INT_OR_STRING, validate
from hansa.base.patch import copy_json

__all__ = ["apply_defaults", "prune", "unknown_fields", "validate"]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# fields of every object, which schemas need not name
_TYPE_FIELDS = frozenset({"apiVersion", "kind"})

Visit = Callable[[Json, str, str], Any]
"""(parent, key, path) of a field that no schema names."""


def prune(obj: Any, schema: Json, *, root: bool = True) -> None:
    """Remove, in place, fields that a structural schema does not name."""
    _walk(obj, schema, "", _Walk(lambda parent, key, path: parent.pop(key), structural=True), is_object=root)


def unknown_fields(obj: Any, schema: Json, *, structural: bool) -> list[str]:
    """Paths of fields that the schema does not name: of metadata first, then as the API server lists them.

    In a `structural` schema an object without properties has no fields; in a built-in kind's schema it is of free form.
    """
    own: list[str] = []
    found: list[str] = []
    embedded: list[str] = []

    def seen(parent: Json, key: str, path: str) -> None:
        del parent, key
        head, _, rest = path.partition("metadata.")
        (found if not rest else embedded if head else own).append(path)

    _walk(obj, schema, "", _Walk(seen, structural=structural), is_object=True)
    return own + (sorted(found) if structural else found) + embedded


class _Walk(NamedTuple):
    unknown: Visit
    structural: bool


def _walk(value: Any, schema: Json, path: str, walk: _Walk, *, is_object: bool = False) -> None:
    """`is_object`: the value has apiVersion, kind and metadata."""
    schema = resolve(schema)
    if isinstance(value, list):
        items = schema.get("items")
        if items is not None:
            for index, inner in enumerate(value):
                _walk(inner, items, f"{path}[{index}]", walk)
        return
    if not isinstance(value, dict):
        return
    is_object = is_object or bool(schema.get(EMBEDDED))
    properties: Json = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    unnamed = not properties and additional is None and not walk.structural
    free = additional or unnamed or schema.get(PRESERVE) or schema.get(INT_OR_STRING)
    for key in list(value):
        where = f"{path}.{key}" if path else key
        if is_object and key == "metadata":
            _walk(value[key], definitions()[_META], where, walk._replace(structural=False))
        elif is_object and key in _TYPE_FIELDS:
            continue
        elif key in properties:
            _walk(value[key], properties[key], where, walk)
        elif isinstance(additional, dict):
            _walk(value[key], additional, where, walk)
        elif not free:
            walk.unknown(value, key, where)


def apply_defaults(obj: Any, schema: Json) -> None:
    """Fill in, in place, the defaults of missing fields. A null where null is not allowed counts as missing: without a
    default the field goes."""
    schema = resolve(schema)
    if isinstance(obj, list):
        items = schema.get("items")
        if items is not None:
            for inner in obj:
                apply_defaults(inner, items)
        return
    if not isinstance(obj, dict):
        return
    properties: Json = schema.get("properties") or {}
    for key, inner in properties.items():
        if key in obj:
            if obj[key] is None and not inner.get("nullable"):
                if "default" in inner:
                    obj[key] = copy_json(inner["default"])
                else:
                    del obj[key]
                    continue
        elif "default" in inner:
            obj[key] = copy_json(inner["default"])
        else:
            continue
        apply_defaults(obj[key], inner)
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        for key in [key for key in obj if key not in properties]:
            if obj[key] is None and not additional.get("nullable"):
                del obj[key]
            else:
                apply_defaults(obj[key], additional)
