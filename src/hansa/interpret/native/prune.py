"""What a manifest must not carry to a member: what the hub's API server wrote, and what is valid on the hub only.

Follows Karmada's pruning: kinds are recognised by name alone, whatever their API group.
"""

from __future__ import annotations

from collections.abc import Callable

from hansa.api.meta import Json
from hansa.interpret.document import at, mapping, put, sequence, without

SERVER_METADATA = (
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
    "ownerReferences",
    "finalizers",
)
_TOKEN_SECRET = "kubernetes.io/service-account-token"
_CONTROLLER_UIDS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_JOB_LABELS = (*_CONTROLLER_UIDS, "job-name", "batch.kubernetes.io/job-name")


def prune(obj: Json) -> Json:
    """`obj` without what is not to be propagated. Doing it twice changes nothing more."""
    metadata = {name: value for name, value in mapping(obj, "metadata").items() if name not in SERVER_METADATA}
    pruned = without({**obj, "metadata": metadata}, "status")
    rule = _BY_KIND.get(obj.get("kind", ""))
    return rule(pruned) if rule else pruned


def _annotations(*keys: str) -> Callable[[Json], Json]:
    def drop(obj: Json) -> Json:
        for key in keys:
            obj = without(obj, "metadata", "annotations", key)
        return obj

    return drop


def _job(obj: Json) -> Json:
    if at(obj, "spec", "manualSelector") is not True:
        for label in _CONTROLLER_UIDS:
            obj = without(obj, "spec", "selector", "matchLabels", label)
        for label in _JOB_LABELS:
            obj = without(obj, "spec", "template", "metadata", "labels", label)
    # a member that removed a finished Job would get it again
    return without(obj, "spec", "ttlSecondsAfterFinished")


def _secret(obj: Json) -> Json:
    if obj.get("type") != _TOKEN_SECRET:
        return obj
    return {**without(obj, "metadata", "annotations", "kubernetes.io/service-account.uid"), "data": None}


def _service_account(obj: Json) -> Json:
    if "secrets" not in obj:
        return obj
    generated = f"{at(obj, 'metadata', 'name')}-token-"
    kept = [entry for entry in sequence(obj, "secrets") if not str(at(entry, "name") or "").startswith(generated)]
    return put(obj, kept, "secrets") if kept else without(obj, "secrets")


def _service(obj: Json) -> Json:
    if at(obj, "spec", "clusterIP") == "None":
        return obj
    return without(without(obj, "spec", "clusterIP"), "spec", "clusterIPs")


_BY_KIND: dict[str, Callable[[Json], Json]] = {
    "Deployment": _annotations("deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history"),
    "Job": _job,
    "Secret": _secret,
    "ServiceAccount": _service_account,
    "Service": _service,
    "PersistentVolumeClaim": _annotations("volume.kubernetes.io/selected-node"),
}
