"""A claim: what says on a template, or on its binding, which policy it belongs to. Changes to it are merge patches."""

from __future__ import annotations

from typing import NamedTuple

from hansa.api import names
from hansa.api.meta import Json, Key, ObjectMeta
from hansa.match.policy import Policy


class Claim(NamedTuple):
    """`policy.namespace` is empty for a ClusterPropagationPolicy."""

    id: str
    policy: Key

    @property
    def cluster_wide(self) -> bool:
        return not self.policy.namespace


def claim_of(meta: ObjectMeta) -> Claim | None:
    """The policy that the object says it belongs to. Only a complete claim counts; one of a namespace goes first."""
    labels, annotations = meta.labels or {}, meta.annotations or {}
    policy_id = labels.get(names.POLICY_ID_LABEL)
    namespace = annotations.get(names.POLICY_NAMESPACE_ANNOTATION)
    name = annotations.get(names.POLICY_NAME_ANNOTATION)
    if policy_id and namespace and name:
        return Claim(policy_id, Key(namespace, name))
    policy_id = labels.get(names.CLUSTER_POLICY_ID_LABEL)
    name = annotations.get(names.CLUSTER_POLICY_NAME_ANNOTATION)
    return Claim(policy_id, Key("", name)) if policy_id and name else None


def marks(policy: Policy) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations that say: this belongs to `policy`."""
    if policy.cluster_wide:
        return {names.CLUSTER_POLICY_ID_LABEL: policy.id}, {names.CLUSTER_POLICY_NAME_ANNOTATION: policy.meta.name}
    return (
        {names.POLICY_ID_LABEL: policy.id},
        {
            names.POLICY_NAMESPACE_ANNOTATION: policy.meta.namespace,
            names.POLICY_NAME_ANNOTATION: policy.meta.name,
        },
    )


def claimed(template: ObjectMeta, policy: Policy) -> bool:
    """Does the template say already that it belongs to `policy`?"""
    labels = template.labels or {}
    if policy.cluster_wide:
        return labels.get(names.CLUSTER_POLICY_ID_LABEL) == policy.id
    return not labels.get(names.CLUSTER_POLICY_ID_LABEL) and labels.get(names.POLICY_ID_LABEL) == policy.id


def claim_patch(template: ObjectMeta, policy: Policy) -> Json | None:
    """Merge patch of metadata that makes the template the policy's; None when it is already.

    A policy of a namespace takes the template from a cluster-wide one; the reverse leaves the other's marks.
    """
    if claimed(template, policy):
        return None
    labels, annotations = marks(policy)
    patch: Json = {"labels": dict(labels), "annotations": dict(annotations)}
    if not policy.cluster_wide:
        for member, key in _cluster_wide_marks():
            if key in ((template.labels if member == "labels" else template.annotations) or {}):
                patch[member][key] = None
    return {"metadata": patch}


def release_patch(obj: ObjectMeta, claim_id: str, *, cluster_wide: bool) -> Json | None:
    """Merge patch of metadata that takes the claim `claim_id` off; None when the object bears another or none."""
    label = names.CLUSTER_POLICY_ID_LABEL if cluster_wide else names.POLICY_ID_LABEL
    if (obj.labels or {}).get(label) != claim_id:
        return None
    patch: Json = {"labels": {}, "annotations": {}}
    for member, key in _cluster_wide_marks() if cluster_wide else _namespaced_marks():
        if key in ((obj.labels if member == "labels" else obj.annotations) or {}):
            patch[member][key] = None
    return {"metadata": {member: keys for member, keys in patch.items() if keys}}


def _cluster_wide_marks() -> tuple[tuple[str, str], ...]:
    return (("labels", names.CLUSTER_POLICY_ID_LABEL), ("annotations", names.CLUSTER_POLICY_NAME_ANNOTATION))


def _namespaced_marks() -> tuple[tuple[str, str], ...]:
    return (
        ("labels", names.POLICY_ID_LABEL),
        ("annotations", names.POLICY_NAMESPACE_ANNOTATION),
        ("annotations", names.POLICY_NAME_ANNOTATION),
    )
