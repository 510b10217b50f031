"""Which of the clusters that fit are taken: all, or as few as the spread constraints ask for."""

from __future__ import annotations

from hansa.schedule.candidate import Candidate
from hansa.schedule.outcome import Unfit
from hansa.schedule.regions import select_by_region
from hansa.schedule.request import Request


def select(request: Request, found: list[Candidate]) -> list[Candidate] | Unfit:
    """`found` in order of preference. Spread constraints do not bind where weights are static, as in Karmada; those by
    zone and provider only ask that a cluster has one.
    """
    constraints = {constraint.spread_by_field: constraint for constraint in request.placement.spread_constraints or ()}
    if not constraints or request.static_weights:
        return found
    by_cluster, by_region = constraints.get("cluster"), constraints.get("region")
    if by_region is not None and by_cluster is not None:
        return select_by_region(request, found, by_region, by_cluster)
    if by_cluster is None:
        return Unfit("SchedulerError", "just support cluster and region spread constraint")
    if len(found) < by_cluster.min_groups:
        text = "the number of feasible clusters is less than spreadConstraint.MinGroups"
        return Unfit("SchedulerError", text)
    count = min(len(found), by_cluster.max_groups)
    if not request.placement.divided:
        return found[:count]
    return _with_room(found, count, 1 if request.one_set else request.replicas)


def _with_room(found: list[Candidate], count: int, need: int) -> list[Candidate] | Unfit:
    """The first `count`, exchanged from the end for roomier ones until they have room for `need`."""
    chosen, rest = found[:count], found[count:]
    for index in reversed(range(count)):
        if sum(candidate.available for candidate in chosen) >= need or not rest:
            break
        roomiest = max(range(len(rest)), key=lambda i: rest[i].available)
        if rest[roomiest].available > chosen[index].available:
            chosen[index], rest[roomiest] = rest[roomiest], chosen[index]
    if not chosen or sum(candidate.available for candidate in chosen) < need:
        return Unfit("SchedulerError", f"no enough resource when selecting {count} clusters")
    return chosen
