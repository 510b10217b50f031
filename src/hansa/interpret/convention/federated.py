"""What a federated object of KubeFed is in one cluster: its template, named and typed, with that cluster's overrides.

Overrides follow RFC 6902 with one exception, which the patch library that KubeFed pinned allows and its scheduling
preferences rely on: `replace` of a missing object member sets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from hansa.api import names
from hansa.api.meta import GVK, Json
from hansa.base.patch import PatchError, apply_json_patch, copy_json, parse_pointer, pointer
from hansa.interpret.document import at, mapping, sequence
from hansa.interpret.error import InterpretError

Overrides = dict[str, list[Json]]
"""Patch operations by cluster, each with `op` and `path`, in the order in which they apply."""

PATCH_MISSING: Literal["add"] = "add"
FORBIDDEN_PATHS = frozenset({"/metadata/namespace", "/metadata/name", "/metadata/generateName", "/kind"})
ANNOTATIONS_NOT_SUPPORTED = "AnnotationsNotSupported"
FINALIZERS_NOT_SUPPORTED = "FinalizersNotSupported"


class InvalidOverrides(InterpretError):
    """The list of overrides contradicts itself, so no cluster can be served from it."""


class OverridesFailed(InterpretError):
    """The overrides of one cluster do not fit its object. Other clusters are not concerned."""


def overrides_of(federated: Json) -> Overrides:
    """The overrides of all clusters. Raises InvalidOverrides: a cluster or path that occurs twice or may not be set."""
    result: Overrides = {}
    for entry in _entries(federated, "spec", "overrides"):
        cluster = str(entry.get("clusterName") or "")
        if cluster in result:
            raise InvalidOverrides(f'cluster "{cluster}" appears more than once')
        result[cluster] = _operations(cluster, _entries(entry, "clusterOverrides"))
    return result


def _operations(cluster: str, entries: list[Json]) -> list[Json]:
    seen: set[str] = set()
    operations: list[Json] = []
    for index, entry in enumerate(entries):
        path = str(entry.get("path") or "")
        if path in FORBIDDEN_PATHS:
            raise InvalidOverrides(f'override[{index}] for cluster "{cluster}" has an invalid path: {path}')
        if path in seen:
            raise InvalidOverrides(f'path "{path}" appears more than once for cluster "{cluster}"')
        seen.add(path)
        operation: Json = {"op": entry.get("op") or "replace", "path": path}
        if operation["op"] != "remove":
            operation["value"] = entry.get("value")
        operations.append(operation)
    return operations


def body_of(federated: Json, target: GVK) -> Json:
    """The object before overrides: the template under the name of the federated object.

    The template's own annotations and finalizers are left out (`dropped` names them); overrides may set both. An
    apiVersion in the template wins over the target's.
    """
    obj: Json = copy_json(mapping(federated, "spec", "template"))
    ignored = ("annotations", "finalizers", "generateName", "namespace")
    meta = {key: value for key, value in mapping(obj, "metadata").items() if key not in ignored}
    meta["name"] = at(federated, "metadata", "name")
    namespace = at(federated, "metadata", "namespace")
    if namespace and target.kind != "Namespace":
        meta["namespace"] = namespace
    return {**obj, "apiVersion": obj.get("apiVersion") or target.api_version, "kind": target.kind, "metadata": meta}


def object_for(federated: Json, target: GVK, cluster: str) -> Json:
    """The object as a cluster gets it, without marks. Raises InvalidOverrides, OverridesFailed."""
    body = body_of(federated, target)
    operations = overrides_of(federated).get(cluster)
    if not operations:
        return body
    try:
        result = apply_json_patch(body, operations, missing=PATCH_MISSING)
    except PatchError as error:
        raise OverridesFailed(str(error)) from error
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise OverridesFailed("the overrides leave no object")
    return result


def decided_paths(operations: list[Json]) -> list[str]:
    """What overrides have a say in, as JSON pointers: their paths, and each member of a map of annotations."""
    paths: list[str] = []
    for operation in operations:
        value = operation.get("value")
        if operation["path"] == "/metadata/annotations" and isinstance(value, dict):
            paths += [pointer("metadata", "annotations", key) for key in value]
        paths.append(operation["path"])
    return sorted(set(paths))


def decided_annotations(paths: Iterable[str]) -> set[str]:
    """The keys of annotations that are among `decided_paths`."""
    parts = [parse_pointer(path) for path in paths if path.startswith("/metadata/annotations/")]
    return {part[2] for part in parts}


def dropped(federated: Json) -> list[str]:
    """Reasons of the warnings that the template deserves: what it sets in metadata and no cluster gets."""
    meta = mapping(federated, "spec", "template", "metadata")
    reasons = (("annotations", ANNOTATIONS_NOT_SUPPORTED), ("finalizers", FINALIZERS_NOT_SUPPORTED))
    return [reason for field, reason in reasons if meta.get(field)]


def retains_replicas(federated: Json) -> bool:
    """Whether the members' own replica counts are kept on updates."""
    return at(federated, "spec", "retainReplicas") is True


def is_orphaning(federated: Json) -> bool:
    """Whether deletion of the federated object leaves the members' objects behind, unlabelled."""
    return at(federated, "metadata", "annotations", names.KUBEFED_ORPHAN_ANNOTATION) == "true"


def delete_option(federated: Json) -> str:
    """The annotation with the DeleteOptions, as written; empty without one."""
    return str(at(federated, "metadata", "annotations", names.KUBEFED_DELETE_OPTION_ANNOTATION) or "")


def _entries(obj: Any, *path: str) -> list[Json]:
    return [entry for entry in sequence(obj, *path) if isinstance(entry, dict)]
