"""How many replicas each chosen cluster gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from hansa.api.affinity import matches
from hansa.api.cluster import Cluster
from hansa.api.policy import StaticClusterWeight
from hansa.api.work import TargetCluster, TargetComponent
from hansa.base.division import divide
from hansa.schedule.candidate import Candidate
from hansa.schedule.outcome import Unfit
from hansa.schedule.request import Request

Shares = Mapping[str, int]


def assign(request: Request, selected: Sequence[Candidate]) -> tuple[TargetCluster, ...] | Unfit:
    """Clusters that would get none are left out, so that a workload scaled to zero leaves its clusters."""
    if not selected:
        return Unfit("SchedulerError", "no clusters available to schedule")
    if not request.has_replicas:
        parts = _parts(request)
        return tuple(TargetCluster(name=candidate.name, components=parts) for candidate in selected)
    term = request.term
    shares = _tiers(request, selected) if term and term.overflow_affinities else _shares(request, selected)
    if isinstance(shares, Unfit):
        return shares
    return tuple(TargetCluster(name=name, replicas=share) for name, share in shares.items() if share > 0)


def _parts(request: Request) -> list[TargetComponent] | None:
    """Written down only where a whole set goes to one cluster."""
    if len(request.components) < 2 or not request.one_set:
        return None
    return [TargetComponent(name=each.name, replicas=each.replicas) for each in request.components]


def _tiers(request: Request, selected: Sequence[Candidate]) -> Shares | Unfit:
    """Overflow affinities in turn, each with what the ones before it have no room for."""
    left, shares = request.replicas, dict[str, int]()
    for tier in sorted({candidate.overflow for candidate in selected}):
        members = [candidate for candidate in selected if candidate.overflow == tier]
        found = _shares(request.with_replicas(min(left, sum(each.available for each in members))), members)
        if isinstance(found, Unfit):
            return found
        shares |= found
        left -= sum(found.values())
        if left <= 0:
            return shares
    return Unfit("Unschedulable", "Clusters available replicas are not enough to schedule.")


def _shares(request: Request, selected: Sequence[Candidate]) -> Shares | Unfit:
    if not request.placement.divided:
        return {candidate.name: request.replicas for candidate in selected}
    if request.static_weights:
        return divide(request.replicas, static_weights(request, selected), uid=request.uid)
    return _by_room(request, selected)


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


def _by_room(request: Request, selected: Sequence[Candidate]) -> Shares | Unfit:
    """Dynamic weights and Aggregated. What is there moves only as far as the number of replicas asks for."""
    names = {candidate.name for candidate in selected}
    held = {name: count for name, count in request.current.items() if name in names}
    total, before = request.replicas, sum(held.values())
    if request.fresh:
        room = {each.name: each.allocatable + held.get(each.name, 0) for each in selected}
        return _divided(request, total, room, {}, "failed to do fresh scale")
    if before > total:
        return _divided(request, total, held, {}, "failed to scale down")
    if before < total:
        room = {each.name: each.allocatable for each in selected}
        return _divided(request, total - before, room, held, "failed to scale up")
    return held


def _divided(request: Request, total: int, weights: Shares, base: Shares, wrap: str) -> Shares | Unfit:
    ranked = sorted(weights, key=lambda name: -weights[name])
    room = sum(weights.values())
    if room < total:
        text = f"{wrap}: Clusters available replicas {room} are not enough to schedule."
        return Unfit("Unschedulable", text)
    if request.aggregated:
        ranked.sort(key=lambda name: base.get(name, 0) <= 0)
        sums = list(accumulate(weights[name] for name in ranked))
        ranked = ranked[: next((i + 1 for i, reached in enumerate(sums) if reached >= total), len(ranked))]
    return divide(total, {name: weights[name] for name in ranked}, base, uid=request.uid)
