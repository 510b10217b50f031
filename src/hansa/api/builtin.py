"""Kubernetes' own kinds: what discovery says of them, and their schemas, as a real API server publishes them.

The data is distilled by `tools/distil/openapi.py`. Schemas refer to each other by `$ref: #/definitions/NAME`.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from hansa.api.meta import GVK, Json, Resource, Wire

_DATA = Path(__file__).with_name("builtin.json.gz")
_PREFIX = "#/definitions/"


class Subresource(Wire, frozen=True, kw_only=True):
    name: str
    kind: str
    verbs: list[str]
    group: str = ""
    version: str = ""


class TableColumn(Wire, frozen=True, kw_only=True):
    """One column of a printed table (meta.k8s.io/v1 TableColumnDefinition); priority 1 = only with `-o wide`."""

    name: str
    type: str
    format: str
    priority: int


class BuiltinResource(Wire, frozen=True, kw_only=True):
    """One resource in one version, as discovery describes it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str
    short_names: list[str]
    categories: list[str]
    verbs: list[str]
    subresources: list[Subresource]
    columns: list[TableColumn] | None = None
    """None for what cannot be listed."""

    @property
    def resource(self) -> Resource:
        return Resource(self.group, self.version, self.plural, self.kind, self.namespaced)


class _Data(msgspec.Struct):
    version: str
    resources: list[BuiltinResource]
    definitions: dict[str, Any]


@cache
def _data() -> _Data:
    return msgspec.json.decode(gzip.decompress(_DATA.read_bytes()), type=_Data)


def kubernetes_version() -> str:
    """The version of the API server that the data was taken from."""
    return _data().version


def builtin_resources() -> list[BuiltinResource]:
    """All built-in resources, groups in the order of discovery, each group's preferred version first."""
    return _data().resources


def definitions() -> dict[str, Any]:
    """All schemas by name. Shared: nobody changes them."""
    return _data().definitions


@cache
def _names() -> dict[GVK, str]:
    names: dict[GVK, str] = {}
    for name, schema in definitions().items():
        kinds = schema.get("x-kubernetes-group-version-kind") or []
        if len(kinds) == 1:
            kind = kinds[0]
            names[GVK(kind["group"], kind["version"], kind["kind"])] = name
    return names


def schema_name(gvk: GVK) -> str | None:
    """The name of a kind's schema in `definitions`."""
    return _names().get(gvk)


def schema_for(gvk: GVK) -> Json | None:
    """The schema of a built-in kind, None for any other."""
    name = _names().get(gvk)
    return definitions()[name] if name else None


def resolve(schema: Json) -> Json:
    """The schema that a reference stands for; OpenAPI v3 wraps a reference with a default in `allOf`."""
    while True:
        reference = schema.get("$ref")
        if reference is not None:
            schema = definitions()[reference.removeprefix(_PREFIX)]
            continue
        parts = schema.get("allOf")
        if parts and len(parts) == 1 and "properties" not in schema:
            schema = parts[0]
            continue
        return schema
