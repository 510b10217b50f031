"""The binding of a claimed template, and what to change of one that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.base.gates import Gates
from hansa.base.names import binding_name
from hansa.base.patch import equal_json, merge_diff
from hansa.interpret.question import Needs
from hansa.match.claim import marks
from hansa.match.policy import Policy

_FROM_POLICY = ("schedulerName", "placement", "failover", "conflictResolution", "preserveResourcesOnDeletion")
_REPLACED = (*_FROM_POLICY, "resource", "replicas", "replicaRequirements", "components")
_REPLACED_IN_NAMESPACES = ("propagateDeps", "schedulePriority", "workloadAffinityGroups")


class Compiled(NamedTuple):
    """`owner_uid` is the template's: a binding of another owner is the remainder of an object of the same name."""

    resource: Resource
    binding: Json
    owner_uid: str


def compiled(
    template: Item, policy: Policy, policy_spec: Json, needs: Needs | None, priority: int | None, gates: Gates
) -> Compiled:
    """The binding as it is created, but for its clusters and its permanent id."""
    meta = template.meta
    labels, annotations = marks(policy)
    namespaced = bool(meta.namespace)
    resource = scheme.RESOURCE_BINDINGS if namespaced else scheme.CLUSTER_RESOURCE_BINDINGS
    metadata: Json = {
        "name": binding_name(meta.name, template.kind),
        "labels": labels,
        "annotations": annotations,
        "finalizers": [names.BINDING_FINALIZER if namespaced else names.CLUSTER_BINDING_FINALIZER],
        "ownerReferences": [template.as_owner()],
    }
    if namespaced:
        metadata["namespace"] = meta.namespace
    spec: Json = {name: policy_spec[name] for name in _FROM_POLICY if policy_spec.get(name) is not None}
    spec.setdefault("placement", {})
    spec["resource"] = template.as_resource()
    if policy_spec.get("propagateDeps"):
        spec["propagateDeps"] = True
    if needs is not None:
        spec["replicas"] = needs.replicas
        if needs.requirements is not None:
            estimated = gates.enabled("ResourceQuotaEstimate")
            spec["replicaRequirements"] = _requirements(needs.requirements, meta.namespace, estimated=estimated)
    if priority is not None and namespaced:
        spec["schedulePriority"] = {"priority": priority}
    groups = _affinity_groups(policy_spec, meta.labels or {})
    if groups and namespaced and gates.enabled("WorkloadAffinity"):
        spec["workloadAffinityGroups"] = groups
    if suspension := policy_spec.get("suspension"):
        spec["suspension"] = suspension
    binding = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}
    return Compiled(resource, binding, meta.uid)


def _requirements(needs: Json, namespace: str, *, estimated: bool) -> Json:
    """With what estimators look quotas up by, or without."""
    if estimated:
        return {"namespace": namespace, **needs} if namespace else needs
    return {name: value for name, value in needs.items() if name != "priorityClassName"}


def _affinity_groups(policy_spec: Json, labels: Mapping[str, str]) -> Json:
    """The groups that the template belongs to, by the labels that the policy names."""
    affinity: Json = (policy_spec.get("placement") or {}).get("workloadAffinity") or {}
    groups: Json = {}
    for side in ("affinity", "antiAffinity"):
        key = (affinity.get(side) or {}).get("groupByLabelKey")
        if key and key in labels:
            groups[f"{side}Group"] = f"{key}={labels[key]}"
    return groups


def controller_uid(binding: Item) -> str:
    """UID of the template that a binding belongs to."""
    owners = binding.meta.owner_references or ()
    return next((owner.uid for owner in owners if owner.controller), "")


def changes(wanted: Json, existing: Item) -> Json | None:
    """The merge patch that makes an existing binding what the policy and the template say; None when it is.

    Clusters, evictions, dependents and status belong to others and stay.
    """
    old = existing.json()
    patch: Json = {}
    if metadata := _metadata_changes(wanted["metadata"], old["metadata"]):
        patch["metadata"] = metadata
    if spec := _spec_changes(wanted["spec"], old.get("spec") or {}, namespaced=bool(existing.meta.namespace)):
        patch["spec"] = spec
    return patch or None


def only_version_differs(patch: Json) -> bool:
    """Whether the patch says no more than that the template has another resourceVersion."""
    return patch == {
        "spec": {"resource": {"resourceVersion": patch.get("spec", {}).get("resource", {}).get("resourceVersion")}}
    }


def _metadata_changes(wanted: Json, old: Json) -> Json:
    patch: Json = {}
    for member in ("labels", "annotations"):
        have = old.get(member) or {}
        changed: Json = {key: value for key, value in wanted[member].items() if have.get(key) != value}
        if names.POLICY_ID_LABEL in wanted["labels"]:
            foreign = (names.CLUSTER_POLICY_ID_LABEL, names.CLUSTER_POLICY_NAME_ANNOTATION)
            changed |= {key: None for key in foreign if key in have}
        if changed:
            patch[member] = changed
    finalizers = old.get("finalizers") or []
    missing = [entry for entry in wanted["finalizers"] if entry not in finalizers]
    if missing:
        patch["finalizers"] = [*finalizers, *missing]
    if not equal_json(old.get("ownerReferences"), wanted["ownerReferences"]):
        patch["ownerReferences"] = wanted["ownerReferences"]
    return patch


def _spec_changes(wanted: Json, old: Json, *, namespaced: bool) -> Json:
    patch: Json = {}
    for name in (*_REPLACED, *(_REPLACED_IN_NAMESPACES if namespaced else ())):
        before, after = old.get(name), wanted.get(name)
        if equal_json(before or None, after or None):
            continue
        patch[name] = merge_diff(before, after) if isinstance(before, dict) and isinstance(after, dict) else after
    if "suspension" in old or "suspension" in wanted:
        suspension = _suspension(wanted.get("suspension"), old.get("suspension"))
        if not equal_json(old.get("suspension"), suspension):
            patch["suspension"] = (
                merge_diff(old["suspension"], suspension) if suspension and old.get("suspension") else suspension
            )
    return patch


def _suspension(wanted: Any, old: Any) -> Json | None:
    """The policy's part replaced, `scheduling` kept: it is somebody else's."""
    merged = dict(wanted or {})
    if isinstance(old, dict) and old.get("scheduling") is not None:
        merged["scheduling"] = old["scheduling"]
    return merged or None
