"""How many replicas each chosen cluster gets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from hansa.api.work import TargetCluster, TargetComponent
from hansa.base.division import award
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
    targets = [TargetCluster(name=name, replicas=share) for name, share in shares.items() if share > 0]
    if request.keeps_empty:
        targets += [TargetCluster(name=each.name) for each in selected if shares.get(each.name, 0) <= 0]
    return tuple(targets)


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
        return {candidate.info.name: request.replicas for candidate in selected}
    if request.static_weights:
        return _sorted(award(request.replicas, static_weights(selected), request.uid))
    return _by_room(request, selected)


def static_weights(selected: Sequence[Candidate]) -> dict[str, int]:
    """Weights by cluster. Where no rule names a candidate, all weigh the same."""
    heavy = {candidate.info.name: candidate.weight for candidate in selected if candidate.weight > 0}
    return heavy or {candidate.info.name: 1 for candidate in selected}


def _by_room(request: Request, selected: Sequence[Candidate]) -> Shares | Unfit:
    """Dynamic weights and Aggregated. What is there moves only as far as the number of replicas asks for."""
    names = {each.info.name for each in selected}
    held = {name: count for name, count in request.current.items() if name in names}
    total, before = request.replicas, sum(held.values())
    if request.fresh:
        room = {each.info.name: each.available for each in selected}
        return _divided(request, total, room, {}, "failed to do fresh scale")
    if before > total:
        return _divided(request, total, held, {}, "failed to scale down")
    if before < total:
        room = {each.info.name: each.allocatable for each in selected}
        return _divided(request, total - before, room, held, "failed to scale up")
    return held


def _divided(request: Request, total: int, weights: Shares, base: Shares, wrap: str) -> Shares | Unfit:
    room = sum(weights.values())
    if room < total:
        text = f"{wrap}: Clusters available replicas {room} are not enough to schedule."
        return Unfit("Unschedulable", text)
    if request.aggregated:
        weights = _fewest(total, weights, base)
    shares = dict(base)
    for name, seats in award(total, weights, request.uid).items():
        shares[name] = shares.get(name, 0) + seats
    return _sorted(shares)


def _fewest(total: int, weights: Shares, base: Shares) -> Shares:
    """As few as have room for all, those in use first, then the roomiest."""
    ranked = sorted(weights, key=lambda name: (base.get(name, 0) <= 0, -weights[name]))
    sums = list(accumulate(weights[name] for name in ranked))
    return {name: weights[name] for name in ranked[: bisect_left(sums, total) + 1]}


def _sorted(shares: Shares) -> Shares:
    return dict(sorted(shares.items()))
