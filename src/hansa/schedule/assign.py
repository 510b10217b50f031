"""How many replicas each chosen cluster gets."""

from __future__ import annotations

from collections.abc import Sequence

from hansa.api.affinity import matches
from hansa.api.cluster import Cluster
from hansa.api.policy import StaticClusterWeight
from hansa.api.work import TargetCluster
from hansa.base.division import divide
from hansa.schedule.outcome import Unfit
from hansa.schedule.request import Request
from hansa.schedule.select import Candidate


def assign(request: Request, selected: Sequence[Candidate]) -> tuple[TargetCluster, ...] | Unfit:
    """Clusters that would get none are left out, so that a workload scaled to zero leaves its clusters."""
    if not selected:
        return Unfit("SchedulerError", "no clusters available to schedule")
    if not request.has_replicas:
        return tuple(TargetCluster(name=candidate.name) for candidate in selected)
    if not request.placement.divided:
        shares = {candidate.name: request.replicas for candidate in selected}
    elif request.static_weights:
        shares = divide(request.replicas, static_weights(request, selected), uid=request.uid)
    else:
        return Unfit("SchedulerError", "dividing by free capacity is not available in this version of Hansa")
    return tuple(TargetCluster(name=name, replicas=share) for name, share in shares.items() if share > 0)


def static_weights(request: Request, selected: Sequence[Candidate]) -> dict[str, int]:
    """Weights by cluster. Without any rule, or where no rule names a candidate, all weigh the same."""
    strategy = request.placement.replica_scheduling
    preference = strategy.weight_preference if strategy is not None else None
    if preference is None:
        return {candidate.name: 1 for candidate in selected}
    rules = preference.static_weight_list or ()
    weights = {candidate.name: _weight(rules, candidate.info.cluster) for candidate in selected}
    heavy = {name: weight for name, weight in weights.items() if weight > 0}
    return heavy or dict.fromkeys(weights, 1)


def _weight(rules: Sequence[StaticClusterWeight], cluster: Cluster) -> int:
    return max((rule.weight for rule in rules if matches(rule.target_cluster, cluster)), default=0)
