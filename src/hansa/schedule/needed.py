"""Is a decision due? What was decided for keeps until something that it depends on has changed.

The placement that the last decision used is kept as JSON in an annotation of the binding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from hansa.api import names
from hansa.api.policy import ClusterAffinityTerm, Placement
from hansa.api.work import BindingSpec, BindingStatus
from hansa.schedule.request import reschedule_asked
from hansa.schedule.snapshot import Snapshot

Due = Literal["PlacementChanged", "ReplicasChanged", "RescheduleAsked", "FollowsClusters", "ClusterLost"]


def due(spec: BindingSpec, status: BindingStatus, annotations: Mapping[str, str], snapshot: Snapshot) -> Due | None:
    """Why a binding with a placement is to be scheduled, None when what it has stands."""
    assert spec.placement is not None
    if placement_changed(annotations.get(names.APPLIED_PLACEMENT_ANNOTATION), spec.placement, status):
        return "PlacementChanged"
    if _replicas_changed(spec):
        return "ReplicasChanged"
    if reschedule_asked(spec, status):
        return "RescheduleAsked"
    if not spec.is_workload or not spec.placement.divided:
        return "FollowsClusters"
    targets = (snapshot.get(target.name) for target in spec.clusters or ())
    if any(info is None or info.deleting for info in targets):
        return "ClusterLost"
    return None


def applied_placement(placement: Placement) -> str:
    """What is written down of the placement."""
    return msgspec.json.encode(placement).decode()


def placement_changed(applied: str | None, placement: Placement, status: BindingStatus) -> bool:
    """Edits of affinity terms other than the one in use do not count."""
    if not applied:
        return True
    try:
        before = msgspec.json.decode(applied, type=Placement)
    except msgspec.MsgspecError:
        return False
    if before == placement:
        return False
    if any(
        getattr(before, part) != getattr(placement, part)
        for part in ("cluster_affinity", "cluster_tolerations", "spread_constraints", "replica_scheduling")
    ):
        return True
    observed = status.scheduler_observed_affinity_name
    old, new = _term(before, observed), _term(placement, observed)
    return not observed or old is None or new is None or old != new


def _term(placement: Placement, name: str) -> ClusterAffinityTerm | None:
    return next((term for term in placement.cluster_affinities or () if term.affinity_name == name), None)


def _replicas_changed(spec: BindingSpec) -> bool:
    placement = spec.placement
    if placement is None or placement.replica_scheduling is None:
        return False
    clusters = spec.clusters or []
    if spec.components:
        return not clusters
    if not placement.divided:
        return any(target.replicas != spec.replicas for target in clusters)
    return sum(target.replicas for target in clusters) != spec.replicas
