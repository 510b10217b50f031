"""Which clusters are out of question, and why. The first filter that refuses gives the reason.

What runs in a cluster already is not driven out by a taint or a missing API: that is eviction's decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hansa.api import names
from hansa.api.affinity import matches
from hansa.schedule.outcome import Diagnosis, Refusal
from hansa.schedule.plugin import Filter
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo, Snapshot

_CONDITION_TAINTS = (names.NOT_READY_TAINT, names.UNREACHABLE_TAINT)
_PROPERTY = {"provider": "provider", "region": "region", "zone": "zones"}


def _api_enablement(request: Request, info: ClusterInfo) -> Refusal | None:
    if info.name in request.current or (request.api_version, request.kind) in info.kinds:
        return None
    return Refusal("cluster(s) did not have the API resource", failure=True)


def _taints(request: Request, info: ClusterInfo) -> Refusal | None:
    if info.name in request.current:
        return None
    tolerations = request.placement.cluster_tolerations or ()
    for taint in info.cluster.spec.taints or ():
        if taint.effect not in ("NoSchedule", "NoExecute"):
            continue
        if not any(toleration.tolerates(taint) for toleration in tolerations):
            value = f"={taint.value}" if taint.value else ""
            text = f"cluster(s) had untolerated taint {{{taint.key}{value}:{taint.effect}}}"
            return Refusal(text, failure=taint.key in _CONDITION_TAINTS)
    return None


def _affinity(request: Request, info: ClusterInfo) -> Refusal | None:
    placement = request.placement
    if placement.cluster_affinity is not None or not placement.cluster_affinities:
        accepted = matches(placement.cluster_affinity, info.cluster)
    else:
        term = request.term
        accepted = matches(term, info.cluster) or (
            term is not None
            and request.is_workload
            and any(matches(overflow, info.cluster) for overflow in term.overflow_affinities or ())
        )
    return None if accepted else Refusal("cluster(s) did not match the placement cluster affinity constraint")


def _spread(request: Request, info: ClusterInfo) -> Refusal | None:
    spec = info.cluster.spec
    present = {"provider": bool(spec.provider), "region": bool(spec.region), "zone": bool(spec.all_zones)}
    for constraint in request.placement.spread_constraints or ():
        if not present.get(constraint.spread_by_field, True):
            return Refusal(f"cluster(s) did not have {_PROPERTY[constraint.spread_by_field]} property")
    return None


def _eviction(request: Request, info: ClusterInfo) -> Refusal | None:
    if info.name in request.evicting:
        return Refusal("cluster(s) is in the process of eviction")
    return None


def _together(request: Request, info: ClusterInfo) -> Refusal | None:
    if info.name in request.current or all(info.name in clusters for clusters in request.peers.together):
        return None
    return Refusal("ResourceBinding with the same affinity group does not target this cluster")


def _apart(request: Request, info: ClusterInfo) -> Refusal | None:
    if info.name in request.current or info.name not in request.peers.apart:
        return None
    return Refusal("cluster already has workload with the same anti-affinity group")


FILTERS: tuple[Filter, ...] = (
    Filter("APIEnablement", _api_enablement, lasting=True),
    Filter("TaintToleration", _taints, lasting=True),
    Filter("ClusterAffinity", _affinity, lasting=True),
    Filter("SpreadConstraint", _spread, lasting=True),
    Filter("ClusterEviction", _eviction, applies=lambda request: bool(request.evicting)),
    Filter("WorkloadAffinity", _together, applies=lambda request: bool(request.peers.together)),
    Filter("WorkloadAntiAffinity", _apart, applies=lambda request: bool(request.peers.apart)),
)
"""In Karmada's words."""


def refusal(request: Request, info: ClusterInfo, filters: Iterable[Filter] = FILTERS) -> Refusal | None:
    """Why the cluster is out of question, None when it is not: the first filter that refuses gives the reason.

    It is a failure only if the cluster would do once nothing is broken any more.
    """
    found = (verdict for check in filters if (verdict := check(request, info)) is not None)
    first = next(found, None)
    if first is None or not first.failure:
        return first
    return first._replace(failure=all(verdict.failure for verdict in found))


def diagnose(request: Request, snapshot: Snapshot, filters: Sequence[Filter] = FILTERS) -> Diagnosis:
    """Refusals by cluster. Clusters that are being deleted are out without a reason."""
    found = {info.name: refusal(request, info, filters) for info in snapshot.clusters if not info.deleting}
    return {name: verdict for name, verdict in found.items() if verdict is not None}
