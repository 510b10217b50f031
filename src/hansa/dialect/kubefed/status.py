"""The status of a federated object: one entry for each cluster with an outcome, one condition over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hansa.api.meta import Json

PROPAGATION = "Propagation"

# reasons of the condition
CHECK_CLUSTERS = "CheckClusters"
NAMESPACE_NOT_FEDERATED = "NamespaceNotFederated"
COMPUTE_PLACEMENT_FAILED = "ComputePlacementFailed"

# outcomes in a cluster; the empty one is success
OK = ""
WAITING_FOR_REMOVAL = "WaitingForRemoval"
CLUSTER_NOT_READY = "ClusterNotReady"
APPLY_OVERRIDES_FAILED = "ApplyOverridesFailed"
CREATION_FAILED = "CreationFailed"
UPDATE_FAILED = "UpdateFailed"
ALREADY_EXISTS = "AlreadyExists"
MANAGED_LABEL_FALSE = "ManagedLabelFalse"
CREATION_TIMED_OUT = "CreationTimedOut"
UPDATE_TIMED_OUT = "UpdateTimedOut"


class Outcome(NamedTuple):
    """What became of the object in all clusters.

    `clusters` maps cluster to outcome. `remote` holds the members' own status where it is collected; None: it is not
    collected. `reason` is given when it is known before any cluster is looked at.
    """

    clusters: Mapping[str, str]
    reason: str = ""
    remote: Mapping[str, Json] | None = None


def status_of(old: Json | None, generation: int, outcome: Outcome, now: str) -> Json | None:
    """The new `status`, or None when nothing needs to be written.

    It is written when the generation moved on, when status or reason of the condition changes (which moves
    lastTransitionTime), or when the clusters change. Any write moves lastUpdateTime.
    """
    old = old or {}
    clusters = _entries(outcome)
    reason = outcome.reason or _reason(outcome)
    value = "False" if reason else "True"
    before = _condition(old)
    turned = before is None or (before.get("status"), before.get("reason") or "") != (value, reason)
    if not turned and old.get("observedGeneration") == generation and _by_name(old) == clusters:
        return None
    condition: Json = {
        "type": PROPAGATION,
        "status": value,
        "lastUpdateTime": now,
        "lastTransitionTime": now if turned or before is None else before.get("lastTransitionTime") or now,
    }
    if reason:
        condition["reason"] = reason
    status: Json = {"observedGeneration": generation, "conditions": [condition]}
    if clusters:
        status["clusters"] = [clusters[name] for name in sorted(clusters)]
    return status


def outcomes_in(status: Json | None) -> dict[str, str]:
    """Outcome by cluster, as a status reports it."""
    return {name: str(entry.get("status") or OK) for name, entry in _by_name(status or {}).items()}


def _entries(outcome: Outcome) -> dict[str, Json]:
    remote = outcome.remote or {}
    entries: dict[str, Json] = {}
    for name, value in outcome.clusters.items():
        entry: Json = {"name": name}
        if value:
            entry["status"] = value
        if remote.get(name):
            entry["remoteStatus"] = remote[name]
        entries[name] = entry
    return entries


def _reason(outcome: Outcome) -> str:
    if any(outcome.clusters.values()):
        return CHECK_CLUSTERS
    if outcome.remote is not None and any(not outcome.remote.get(name) for name in outcome.clusters):
        return CHECK_CLUSTERS
    return ""


def _condition(status: Json) -> dict[str, Any] | None:
    conditions = status.get("conditions") or []
    return next((each for each in conditions if each.get("type") == PROPAGATION), None)


def _by_name(status: Json) -> dict[str, Json]:
    return {str(entry.get("name")): entry for entry in status.get("clusters") or []}
