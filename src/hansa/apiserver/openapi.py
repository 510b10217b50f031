"""OpenAPI documents, from which kubectl knows fields: v3 by group and version, v2 in one piece.

They carry structure: schemas, and for each resource the paths with their group, version and kind.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from hansa.api import builtin
from hansa.api.meta import GVK, Json
from hansa.apiserver import faults
from hansa.apiserver.body import JSON
from hansa.apiserver.message import Response
from hansa.apiserver.resources import Resources, Served

_encode = msgspec.json.Encoder().encode
_DEFINITIONS = "#/definitions/"
_COMPONENTS = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_WRITES = {"post": "create", "put": "update", "patch": "patch", "delete": "delete", "get": "get"}


class OpenApi:
    """Documents are made when first asked for and kept until the table of resources changes."""

    def __init__(self, resources: Resources, version: Json) -> None:
        self._resources = resources
        self._info = {"title": "Kubernetes", "version": version["gitVersion"]}
        self._kept: dict[str, bytes] = {}
        self._generation = -1

    def answer(self, path: str, accept: str, wanted_hash: str) -> Response | None:
        """The document at `path`, None when there is none. Raises NotAcceptable for protobuf alone."""
        if not path.startswith("/openapi/"):
            return None
        if self._generation != self._resources.generation:
            self._kept.clear()
            self._generation = self._resources.generation
        if path == "/openapi/v2":
            if accept and "json" not in accept and "*/*" not in accept:
                raise faults.not_acceptable((JSON,))
            return self._response(self._keep(path, self._v2), "")
        if path == "/openapi/v3":
            return self._response(self._keep(path, self._index), "")
        group_version = path.removeprefix("/openapi/v3/")
        if group_version not in self._group_versions():
            return None
        content = self._keep(path, lambda: self._v3(group_version))
        return self._response(content, wanted_hash)

    def _response(self, content: bytes, wanted_hash: str) -> Response:
        digest = _hash(content)
        headers = {"content-type": JSON, "etag": f'"{digest}"', "vary": "Accept"}
        if wanted_hash and wanted_hash == digest:
            headers["cache-control"] = "public, immutable"
        return Response(200, content, headers)

    def _keep(self, path: str, make: Any) -> bytes:
        content = self._kept.get(path)
        if content is None:
            content = self._kept[path] = _encode(make())
        return content

    def _group_versions(self) -> dict[str, list[Served]]:
        found: dict[str, list[Served]] = {}
        for served in self._resources.all():
            group, version = served.resource.group, served.resource.version
            found.setdefault(f"apis/{group}/{version}" if group else f"api/{version}", []).append(served)
        return found

    def _index(self) -> Json:
        paths: Json = {}
        for name in self._group_versions():
            content = self._keep(f"/openapi/v3/{name}", lambda name=name: self._v3(name))
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={_hash(content)}"}
        return {"paths": paths}

    def _v3(self, name: str) -> Json:
        resources = self._group_versions()[name]
        schemas: Json = {}
        paths: Json = {}
        for served in resources:
            _collect(served, schemas)
            paths |= _paths(served)
        return {
            "openapi": "3.0.0",
            "info": self._info,
            "paths": paths,
            "components": {"schemas": _moved(schemas, _COMPONENTS)},
        }

    def _v2(self) -> Json:
        schemas: Json = {}
        paths: Json = {}
        for served in self._resources.all():
            _collect(served, schemas)
            paths |= _paths(served)
        return {"swagger": "2.0", "info": self._info, "paths": paths, "definitions": _plain(schemas)}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest().upper()


def schema_name(served: Served) -> str:
    """The name under which a kind's schema is published: of custom ones the group reversed, version and kind."""
    found = builtin.schema_name(served.gvk)
    if found:
        return found
    reversed_group = ".".join(reversed(served.resource.group.split(".")))
    return f"{reversed_group}.{served.resource.version}.{served.resource.kind}"


def _collect(served: Served, into: Json) -> None:
    name = schema_name(served)
    if served.custom is None:
        schema = builtin.schema_for(served.gvk)
        if schema is None:
            return
        _with_references(name, schema, into)
    else:
        into[name] = _custom_schema(served)
        _with_references(_META, builtin.definitions()[_META], into)
    _with_references(_DELETE_OPTIONS, builtin.definitions()[_DELETE_OPTIONS], into)


def _with_references(name: str, schema: Json, into: Json) -> None:
    if name in into:
        return
    into[name] = schema
    for reference in _references(schema):
        _with_references(reference, builtin.definitions()[reference], into)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [value["$ref"].removeprefix(_DEFINITIONS)] if isinstance(value.get("$ref"), str) else []
        return found + [name for inner in value.values() for name in _references(inner)]
    if isinstance(value, list):
        return [name for inner in value for name in _references(inner)]
    return []


def _custom_schema(served: Served) -> Json:
    assert served.custom is not None
    schema = dict(served.custom.schema) or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties = dict(schema.get("properties") or {})
    properties.setdefault("apiVersion", {"type": "string"})
    properties.setdefault("kind", {"type": "string"})
    properties["metadata"] = {"allOf": [{"$ref": _DEFINITIONS + _META}]}
    gvk = {"group": served.gvk.group, "version": served.gvk.version, "kind": served.gvk.kind}
    return {**schema, "properties": properties, "x-kubernetes-group-version-kind": [gvk]}


def _moved(value: Any, prefix: str) -> Any:
    """The same with references to another place."""
    if isinstance(value, dict):
        return {
            key: prefix + inner.removeprefix(_DEFINITIONS)
            if key == "$ref" and isinstance(inner, str)
            else _moved(inner, prefix)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_moved(inner, prefix) for inner in value]
    return value


def _plain(value: Any) -> Any:
    """As OpenAPI v2 has it: references stand alone."""
    if isinstance(value, dict):
        parts = value.get("allOf")
        if isinstance(parts, list) and len(parts) == 1 and "$ref" in parts[0]:
            return {"$ref": parts[0]["$ref"]}
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _paths(served: Served) -> Json:
    resource = served.resource
    namespace = "{namespace}" if resource.namespaced else None
    collection = resource.path(namespace)
    one = resource.path(namespace, "{name}")
    paths: Json = {
        collection: _operations(served, ("get", "post", "delete"), {"get": "list", "delete": "deletecollection"}),
        one: _operations(served, ("get", "put", "patch", "delete"), {}),
    }
    for sub in served.subresources.values():
        operations = {method: _operation(sub.gvk, verb) for method, verb in _WRITES.items() if verb in sub.verbs}
        paths[f"{one}/{sub.name}"] = operations
    return {path: operations for path, operations in paths.items() if operations}


def _operations(served: Served, methods: tuple[str, ...], verbs: dict[str, str]) -> Json:
    found: Json = {}
    for method in methods:
        verb = verbs.get(method, _WRITES[method])
        if verb in served.verbs:
            found[method] = _operation(served.gvk, verb)
    return found


def _operation(gvk: GVK, verb: str) -> Json:
    kind = {"group": gvk.group, "version": gvk.version, "kind": gvk.kind}
    action = {"create": "post", "update": "put"}.get(verb, verb)
    operation: Json = {
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind,
    }
    if verb in ("create", "update", "patch"):
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string"}}
            for name in ("dryRun", "fieldManager", "fieldValidation")
        ]
    return operation
