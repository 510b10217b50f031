"""From a federated object to its binding: pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.base.names import binding_name
from hansa.dialect.kubefed.types import FederatedType
from hansa.interpret.convention.kubefed import HOST_UID_ANNOTATION, TARGET_ANNOTATION, target_annotation

IGNORED_NAMESPACES = frozenset({names.KUBE_SYSTEM, names.KUBE_PUBLIC, names.DEFAULT_NAMESPACE, names.KUBEFED_NAMESPACE})
"""Namespaces that are never federated, whatever a FederatedNamespace says."""


def binding_resource(type_: FederatedType) -> Resource:
    """Which kind of binding the type's objects have."""
    return scheme.RESOURCE_BINDINGS if type_.federated.namespaced else scheme.CLUSTER_RESOURCE_BINDINGS


def name_of_binding(type_: FederatedType, name: str) -> str:
    """`nginx-federateddeployment`."""
    return binding_name(name, type_.federated.kind)


def is_ignored(type_: FederatedType, item: Item) -> bool:
    """Whether the object federates a namespace that is left alone."""
    return type_.federates_namespaces and (item.meta.name in IGNORED_NAMESPACES or is_misplaced(type_, item))


def is_misplaced(type_: FederatedType, item: Item) -> bool:
    """Whether a FederatedNamespace is in another namespace than its own."""
    return type_.federates_namespaces and item.meta.name != item.meta.namespace


def binding_for(
    type_: FederatedType,
    item: Item,
    clusters: Iterable[str],
    *,
    adopts: bool,
    host_uid: str = "",
    existing: Item | None = None,
) -> Json:
    """The binding as it is to be.

    `adopts`: objects that members already have are taken over. `host_uid` is the UID of the hub's namespace that a
    FederatedNamespace federates. The template's version changes only with its generation, so that writing its status
    does not count as a change of it.
    """
    meta = item.meta
    generation = str(meta.generation)
    annotations = {
        TARGET_ANNOTATION: target_annotation(type_.target.gvk),
        names.TEMPLATE_GENERATION_ANNOTATION: generation,
    }
    if host_uid:
        annotations[HOST_UID_ANNOTATION] = host_uid
    resource = item.as_resource()
    if existing is not None and existing.annotations.get(names.TEMPLATE_GENERATION_ANNOTATION) == generation:
        former = existing.json()["spec"]["resource"]
        resource["resourceVersion"] = former.get("resourceVersion", meta.resource_version)
    kind = binding_resource(type_)
    identity = names.BINDING_ID_LABEL if kind.namespaced else names.CLUSTER_BINDING_ID_LABEL
    finalizer = names.BINDING_FINALIZER if kind.namespaced else names.CLUSTER_BINDING_FINALIZER
    metadata: Json = {
        "name": name_of_binding(type_, meta.name),
        # the federated object's own UID: one binding for one object, for life
        "labels": {names.DIALECT_LABEL: names.KUBEFED, identity: meta.uid},
        "annotations": annotations,
        "finalizers": [finalizer],
        "ownerReferences": [item.as_owner()],
    }
    if kind.namespaced:
        metadata["namespace"] = meta.namespace
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": {
            "resource": resource,
            "clusters": [{"name": name} for name in sorted(clusters)],
            "conflictResolution": "Overwrite" if adopts else "Abort",
        },
    }


def belongs(binding: Item, item: Item) -> bool:
    """Whether a binding was made for this very object, and not for an earlier one of its name or by another dialect."""
    owners = binding.meta.owner_references or ()
    return binding.labels.get(names.DIALECT_LABEL) == names.KUBEFED and any(o.uid == item.meta.uid for o in owners)


def patch_for(wanted: Json, existing: Item) -> Json | None:
    """The merge patch that makes `existing` the binding that is wanted, with the version it is based on; None if it is.

    Labels, annotations and members of the spec that others wrote stay.
    """
    live = existing.json()
    changes: Json = {}
    for member in ("labels", "annotations"):
        if different := _different(wanted["metadata"][member], live["metadata"].get(member) or {}):
            changes.setdefault("metadata", {})[member] = different
    if different := _different(wanted["spec"], live.get("spec") or {}):
        changes["spec"] = different
    if not changes:
        return None
    changes.setdefault("metadata", {})["resourceVersion"] = existing.meta.resource_version
    return changes


def _different(wanted: Json, live: Json) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if (live.get(key) or None) != (value or None)}
