"""CustomResourceDefinitions (apiextensions.k8s.io/v1) from structs.

The schema of a struct is structural: every field typed, defaults and limits from its annotations. Fields whose schema
is that of a built-in type take it from the distilled schemas: a MultiClusterIngress is checked as an Ingress is.
"""

from __future__ import annotations

import re
from functools import cache
from inspect import cleandoc

import msgspec
from msgspec import inspect

from hansa.api import builtin
from hansa.api.core import BUILTIN, MORE, NodeSelector, NodeSelectorTerm, Quantity
from hansa.api.kinds import KINDS, Kind
from hansa.api.meta import REQUIRED, Json, LabelSelector, Resource
from hansa.base.patch import copy_json

_OBJECT_PROPERTIES: Json = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}
_NOTE = re.compile(r"^([a-z_]+): (.+(?:\n +.+)*)", re.MULTILINE)
_FREE: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# server-side apply owns these as a whole, as in Kubernetes' own types
_ATOMIC = frozenset({LabelSelector, NodeSelector, NodeSelectorTerm})
# parts of a built-in schema that a structural one may not have, or that only Go needs
_LEFT_OUT = frozenset(
    {"x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-unions", "uniqueItems"}
)


def all_crds() -> list[Json]:
    """Every kind of Hansa's own, KubeFed's federated types apart."""
    return [crd_of(kind) for kind in KINDS]


def crd_of(kind: Kind) -> Json:
    """The definition of one kind. A fresh document."""
    resource = kind.resource
    versions = kind.versions or (resource.version,)
    names: Json = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": kind.singular,
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    if kind.categories:
        names["categories"] = list(kind.categories)
    return _definition(resource, names, [_version(kind, name, storage=name == resource.version) for name in versions])


def federated_crd(target: Resource, short_names: tuple[str, ...] = (), has_replicas: bool = False) -> Json:
    """The definition of KubeFed's FederatedX for a kind. `has_replicas`: its spec counts replicas."""
    kind = f"Federated{target.kind}"
    namespaced = target.namespaced or (target.group == "" and target.kind == "Namespace")
    resource = Resource("types.kubefed.io", "v1beta1", f"federated{target.plural}", kind, namespaced)
    names: Json = {"kind": kind, "listKind": f"{kind}List", "plural": resource.plural, "singular": kind.lower()}
    if short_names:
        names["shortNames"] = [f"f{name}" for name in short_names]
    schema = _federated_schema(has_replicas)
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return _definition(resource, names, [version])


def _definition(resource: Resource, names: Json, versions: list[Json]) -> Json:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": versions,
        },
    }


def _version(kind: Kind, name: str, *, storage: bool) -> Json:
    schema = copy_json(schema_of(kind.struct))
    schema["properties"] = {**_OBJECT_PROPERTIES, **schema["properties"], **_OBJECT_PROPERTIES}
    required = [n for n in schema.get("required", []) if n not in _OBJECT_PROPERTIES]
    if not kind.spec_required:
        required = [n for n in required if n != "spec"]
    schema.pop("required", None)
    if required:
        schema["required"] = required
    version: Json = {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}
    if kind.columns:
        version["additionalPrinterColumns"] = [
            {"name": c.name, "type": c.type, "jsonPath": c.path} | ({"priority": c.priority} if c.priority else {})
            for c in kind.columns
        ]
    if kind.has_status:
        version["subresources"] = {"status": {}}
    return version


@cache
def schema_of(struct: type[msgspec.Struct]) -> Json:
    """The structural schema of a struct. Shared: copy before changing."""
    return _schema(inspect.type_info(struct))


def _schema(kind: inspect.Type) -> Json:
    extra: Json = {}
    while isinstance(kind, inspect.Metadata):
        extra = {**(kind.extra_json_schema or {}), **extra}
        kind = kind.type
    if BUILTIN in extra:
        return _of_builtin(extra)
    schema = _plain(kind)
    if extra.get("x-kubernetes-int-or-string"):
        schema = {}  # no type may stand beside it
    return {**schema, **extra}


def _plain(kind: inspect.Type) -> Json:
    match kind:
        case inspect.StructType():
            return _struct(kind)
        case inspect.UnionType(types=types):
            parts = [part for part in types if not isinstance(part, inspect.NoneType)]
            if len(parts) == 1:
                return _schema(parts[0])
            return _union(parts)
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            return {"type": "integer", "format": "int64"} | _limits(kind)
        case inspect.FloatType():
            return {"type": "number"}
        case inspect.StrType():
            return {"type": "string"} | _text_limits(kind)
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": [value for value in values if value != ""]}
        case inspect.ListType(item_type=item):
            return {"type": "array", "items": _schema(item)} | _length(kind)
        case inspect.DictType(value_type=value):
            inner = _schema(value)
            return {"type": "object", "additionalProperties": inner} if inner else copy_json(_FREE)
        case _:
            return {}


def _union(parts: list[inspect.Type]) -> Json:
    """A choice of words and the empty string is a choice of words; anything else must say its schema itself."""
    words = [value for part in parts if isinstance(part, inspect.LiteralType) for value in part.values if value != ""]
    return {"type": "string", "enum": words} if words else {}


def _struct(kind: inspect.StructType) -> Json:
    properties: Json = {}
    required: list[str] = []
    notes = _notes(kind.cls)
    for field in kind.fields:
        found = _schema(field.type)
        if field.name in notes:
            found["description"] = notes[field.name]
        if found.pop(REQUIRED, None) is True or field.required:
            required.append(field.encode_name)
        properties[field.encode_name] = found
    schema: Json = {"type": "object", "properties": properties}
    text = _described(kind.cls)
    if text:
        schema["description"] = text
    if required:
        schema["required"] = required
    if kind.cls in _ATOMIC:
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def _described(struct: type) -> str:
    """The first paragraph of a struct's own docstring."""
    text = struct.__dict__.get("__doc__") or ""
    return " ".join(text.split("\n\n")[0].split())


@cache
def _notes(struct: type) -> dict[str, str]:
    """What docstrings say of single fields: lines `name: text`, further lines indented. Those of parents hold too."""
    notes: dict[str, str] = {}
    for parent in reversed(struct.__mro__):
        if parent in (msgspec.Struct, object):
            continue
        text = cleandoc(parent.__dict__.get("__doc__") or "")
        for name, words in _NOTE.findall(text):
            notes[name] = " ".join(words.split())
    return notes


def _limits(kind: inspect.IntType) -> Json:
    found: Json = {}
    if kind.ge is not None:
        found["minimum"] = kind.ge
    if kind.le is not None:
        found["maximum"] = kind.le
    return found


def _text_limits(kind: inspect.StrType) -> Json:
    found: Json = {"minLength": kind.min_length, "maxLength": kind.max_length, "pattern": kind.pattern}
    return {key: value for key, value in found.items() if value is not None}


def _length(kind: inspect.ListType) -> Json:
    found: Json = {"minItems": kind.min_length, "maxItems": kind.max_length}
    return {key: value for key, value in found.items() if value is not None}


# -- schemas of built-in types ----------------------------------------------------------------------------------------


def _of_builtin(extra: Json) -> Json:
    schema = _structural(builtin.definitions()[extra[BUILTIN]])
    schema["properties"] = {**schema["properties"], **extra.get(MORE, {})}
    return schema


def _structural(schema: Json) -> Json:
    """A built-in schema without references, in the words that CustomResourceDefinitions allow."""
    resolved = builtin.resolve(schema)
    choices = resolved.get("oneOf")
    if choices:
        wanted = {"x-kubernetes-int-or-string": True}
        return wanted if resolved.get("format") == "int-or-string" else copy_json(_quantity())
    if not resolved.get("type"):
        return {"x-kubernetes-preserve-unknown-fields": True}
    found: Json = {}
    for key, value in resolved.items():
        if key == "properties":
            found[key] = {name: _structural(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            found[key] = _structural(value)
        elif key not in _LEFT_OUT and not (key == "default" and value in ({}, "")):
            found[key] = value
    if found["type"] == "object" and "properties" not in found and "additionalProperties" not in found:
        return copy_json(_FREE)
    default = schema.get("default")
    if default not in (None, {}, "") and found["type"] != "object":
        found["default"] = default
    return found


def _quantity() -> Json:
    return _schema(inspect.type_info(Quantity))


# -- FederatedX -------------------------------------------------------------------------------------------------------


def _federated_schema(has_replicas: bool) -> Json:
    text: Json = {"type": "string"}
    texts: Json = {"type": "array", "items": text}
    any_value: Json = {"x-kubernetes-preserve-unknown-fields": True}
    expression = _object({"key": text, "operator": text, "values": texts}, "key", "operator")
    selector = _object(
        {
            "matchLabels": {"type": "object", "additionalProperties": text},
            "matchExpressions": {"type": "array", "items": expression},
        }
    )
    operation = _object(
        {"op": {"type": "string", "pattern": "^(add|remove|replace)?$"}, "path": text, "value": any_value}, "path"
    )
    override = _object({"clusterName": text, "clusterOverrides": {"type": "array", "items": operation}})
    named = _object({"name": text}, "name")
    spec = _object(
        {
            "template": copy_json(_FREE),
            "placement": _object({"clusters": {"type": "array", "items": named}, "clusterSelector": selector}),
            "overrides": {"type": "array", "items": override},
        }
    )
    if has_replicas:
        spec["properties"]["retainReplicas"] = {"type": "boolean"}
    moment: Json = {"type": "string", "format": "date-time"}
    condition = _object(
        {"type": text, "status": text, "reason": text, "lastUpdateTime": moment, "lastTransitionTime": moment},
        "type",
        "status",
    )
    cluster = _object({"name": text, "status": text, "remoteStatus": copy_json(_FREE)}, "name")
    status = _object(
        {
            "conditions": {"type": "array", "items": condition},
            "clusters": {"type": "array", "items": cluster},
            "observedGeneration": {"type": "integer", "format": "int64"},
        }
    )
    return _object({**_OBJECT_PROPERTIES, "spec": spec, "status": status}, "spec")


def _object(properties: Json, *required: str) -> Json:
    schema: Json = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema
