"""The Service of a MultiClusterService, claimed as a template, and its binding to providers and consumers.

Documents only: what they must say, and the patch that makes them say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.names import binding_name
from hansa.base.patch import equal_json

MANAGER = "MultiClusterService"
_CLAIM_LABELS: tuple[str, ...] = (names.CLAIMED_BY_LABEL, names.SERVICE_ID_LABEL, names.BINDING_MANAGED_BY_LABEL)
_POLICY_LABELS = (names.POLICY_ID_LABEL, names.CLUSTER_POLICY_ID_LABEL)
_POLICY_ANNOTATIONS = (
    names.POLICY_NAME_ANNOTATION,
    names.POLICY_NAMESPACE_ANNOTATION,
    names.CLUSTER_POLICY_NAME_ANNOTATION,
)


def claim_patch(service: Item, owner: Item) -> Json | None:
    """Makes the Service the MultiClusterService's own, and no policy's; None when it is."""
    labels = {names.CLAIMED_BY_LABEL: MANAGER, names.SERVICE_ID_LABEL: owner.labels.get(names.SERVICE_ID_LABEL)}
    labels |= dict.fromkeys(_POLICY_LABELS)
    return _metadata_patch(service, labels, {**_named(owner), **dict.fromkeys(_POLICY_ANNOTATIONS)})


def release_patch(item: Item) -> Json | None:
    """Takes the marks off the Service, or off its binding, which goes on as it is; None when there are none."""
    labels: dict[str, None] = dict.fromkeys(_CLAIM_LABELS)
    return _metadata_patch(item, labels, dict.fromkeys((names.SERVICE_NAME_LABEL, names.SERVICE_NAMESPACE_LABEL)))


def binding_of(service: Item, owner: Item, clusters: Sequence[str], permanent_id: str) -> Json:
    return {
        "apiVersion": scheme.RESOURCE_BINDINGS.api_version,
        "kind": "ResourceBinding",
        "metadata": {
            "name": binding_name(service.meta.name, "Service"),
            "namespace": service.meta.namespace,
            "labels": {names.BINDING_ID_LABEL: permanent_id, **_binding_labels(owner)},
            "annotations": _named(owner),
            "finalizers": [names.BINDING_FINALIZER],
            "ownerReferences": [service.as_owner()],
        },
        "spec": {
            "resource": service.as_resource(),
            "placement": _placement(clusters),
            "conflictResolution": "Overwrite",
        },
    }


def binding_patch(binding: Item, service: Item, owner: Item, clusters: Sequence[str], *, edited: bool) -> Json | None:
    """`edited`: the Service has changed since the binding was written."""
    patch = _metadata_patch(binding, _binding_labels(owner), _named(owner)) or {"metadata": {}}
    spec = binding.json().get("spec") or {}
    changed: Json = {}
    if not equal_json(spec.get("placement"), _placement(clusters)):
        changed["placement"] = _placement(clusters)
    if spec.get("conflictResolution") != "Overwrite":
        changed["conflictResolution"] = "Overwrite"
    resource: Json = spec.get("resource") or {}
    if edited or resource.get("uid") != service.meta.uid:
        changed["resource"] = {"uid": service.meta.uid, "resourceVersion": service.meta.resource_version}
    if not changed and not patch["metadata"]:
        return None
    patch["metadata"]["resourceVersion"] = binding.meta.resource_version
    return {**patch, **({"spec": changed} if changed else {})}


def _placement(clusters: Sequence[str]) -> Json:
    return {"clusterAffinity": {"clusterNames": list(clusters)}}


def _binding_labels(owner: Item) -> dict[str, str | None]:
    return {
        names.BINDING_MANAGED_BY_LABEL: MANAGER,
        names.SERVICE_ID_LABEL: owner.labels.get(names.SERVICE_ID_LABEL),
    }


def _named(owner: Item) -> dict[str, str]:
    return {names.SERVICE_NAME_LABEL: owner.meta.name, names.SERVICE_NAMESPACE_LABEL: owner.meta.namespace}


def _metadata_patch(item: Item, labels: Mapping[str, str | None], annotations: Mapping[str, str | None]) -> Json | None:
    metadata: Json = {}
    for field, have, wanted in (("labels", item.labels, labels), ("annotations", item.annotations, annotations)):
        changed = {key: value for key, value in wanted.items() if have.get(key) != value}
        if changed:
            metadata[field] = changed
    return {"metadata": {**metadata, "resourceVersion": item.meta.resource_version}} if metadata else None
