"""How many replicas each chosen cluster gets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from hansa.api.work import TargetCluster, TargetComponent
from hansa.base.division import award
from hansa.schedule.candidate import Candidate
from hansa.schedule.outcome import Unfit
from hansa.schedule.request import Request

Shares = Mapping[str, int]
Rule = Literal["Duplicated", "StaticWeights", "Unchanged", "ScaleUp", "ScaleDown", "Fresh"]


class Division(NamedTuple):
    """`total` replicas are divided by `weights` and added to `base`; without weights, `base` is the result.

    `tier` is that of the overflow affinity whose clusters these are, 0 for the affinity itself.
    """

    rule: Rule
    total: int
    weights: Shares
    base: Shares
    tier: int = 0

    def shares(self, uid: str) -> Shares:
        if not self.weights:
            return self.base
        found = dict(self.base)
        for name, seats in award(self.total, self.weights, uid).items():
            found[name] = found.get(name, 0) + seats
        return dict(sorted(found.items()))


def assign(request: Request, selected: Sequence[Candidate]) -> tuple[TargetCluster, ...] | Unfit:
    """Clusters that would get none are left out, so that a workload scaled to zero leaves its clusters."""
    if not selected:
        return Unfit("SchedulerError", "no clusters available to schedule")
    if not request.has_replicas:
        parts = _parts(request)
        return tuple(TargetCluster(name=candidate.name, components=parts) for candidate in selected)
    shares: dict[str, int] = {}
    for division in divisions(request, selected):
        if isinstance(division, Unfit):
            return division
        shares |= division.shares(request.uid)
    targets = [TargetCluster(name=name, replicas=share) for name, share in shares.items() if share > 0]
    if request.keeps_empty:
        targets += [TargetCluster(name=each.name) for each in selected if shares.get(each.name, 0) <= 0]
    return tuple(targets)


def divisions(request: Request, selected: Sequence[Candidate]) -> list[Division | Unfit]:
    """How replicas are divided: once, or for each tier of overflow affinities in turn. An Unfit ends the list."""
    term = request.term
    return _tiers(request, selected) if term and term.overflow_affinities else [_division(request, selected)]


def _parts(request: Request) -> list[TargetComponent] | None:
    """Written down only where a whole set goes to one cluster."""
    if len(request.components) < 2 or not request.one_set:
        return None
    return [TargetComponent(name=each.name, replicas=each.replicas) for each in request.components]


def _tiers(request: Request, selected: Sequence[Candidate]) -> list[Division | Unfit]:
    """Overflow affinities in turn, each with what the ones before it have no room for."""
    left, found = request.replicas, list[Division | Unfit]()
    for tier in sorted({candidate.overflow for candidate in selected}):
        members = [candidate for candidate in selected if candidate.overflow == tier]
        part = _division(request.with_replicas(min(left, sum(each.available for each in members))), members)
        if isinstance(part, Unfit):
            return [*found, part]
        found.append(part._replace(tier=tier))
        left -= sum(part.shares(request.uid).values())
        if left <= 0:
            return found
    return [*found, Unfit("Unschedulable", "Clusters available replicas are not enough to schedule.")]


def _division(request: Request, selected: Sequence[Candidate]) -> Division | Unfit:
    if not request.placement.divided:
        return Division("Duplicated", request.replicas, {}, {each.info.name: request.replicas for each in selected})
    if request.static_weights:
        return Division("StaticWeights", request.replicas, static_weights(selected), {})
    return _by_room(request, selected)


def static_weights(selected: Sequence[Candidate]) -> dict[str, int]:
    """Weights by cluster. Where no rule names a candidate, all weigh the same."""
    heavy = {candidate.info.name: candidate.weight for candidate in selected if candidate.weight > 0}
    return heavy or {candidate.info.name: 1 for candidate in selected}


def _by_room(request: Request, selected: Sequence[Candidate]) -> Division | Unfit:
    """Dynamic weights and Aggregated. What is there moves only as far as the number of replicas asks for."""
    names = {each.info.name for each in selected} if request.current else ()
    held = {name: count for name, count in request.current.items() if name in names}
    total, before = request.replicas, sum(held.values())
    if request.fresh:
        room = {each.info.name: each.available for each in selected}
        return _checked(request, Division("Fresh", total, room, {}), "failed to do fresh scale")
    if before > total:
        return _checked(request, Division("ScaleDown", total, held, {}), "failed to scale down")
    if before < total:
        room = {each.info.name: each.allocatable for each in selected}
        return _checked(request, Division("ScaleUp", total - before, room, held), "failed to scale up")
    return Division("Unchanged", total, {}, held)


def _checked(request: Request, division: Division, wrap: str) -> Division | Unfit:
    room = sum(division.weights.values())
    if room < division.total:
        text = f"{wrap}: Clusters available replicas {room} are not enough to schedule."
        return Unfit("Unschedulable", text)
    if not request.aggregated:
        return division
    return division._replace(weights=_fewest(division.total, division.weights, division.base))


def _fewest(total: int, weights: Shares, base: Shares) -> Shares:
    """As few as have room for all, those in use first, then the roomiest."""
    ranked = sorted(weights, key=lambda name: (base.get(name, 0) <= 0, -weights[name]))
    sums = list(accumulate(weights[name] for name in ranked))
    return {name: weights[name] for name in ranked[: bisect_left(sums, total) + 1]}
