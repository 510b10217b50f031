"""Which of the clusters that fit are taken: all, or as few as the spread constraints ask for."""

from __future__ import annotations

from heapq import heapify, heapreplace

from hansa.api.policy import SpreadConstraint
from hansa.schedule.candidate import Candidate
from hansa.schedule.outcome import Unfit
from hansa.schedule.regions import select_by_region
from hansa.schedule.request import Request


def select(request: Request, found: list[Candidate]) -> list[Candidate] | Unfit:
    """`found` in order of preference. Spread constraints by zone and provider only ask that a cluster has one."""
    constraints = {constraint.spread_by_field: constraint for constraint in request.placement.spread_constraints or ()}
    if not constraints or request.ignores_spread:
        return found
    by_cluster, by_region = constraints.get("cluster"), constraints.get("region")
    if by_region is not None:
        return select_by_region(request, found, by_region, by_cluster or SpreadConstraint(spread_by_field="cluster"))
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
    room = sum(candidate.available for candidate in chosen)
    roomiest = [(-candidate.available, place) for place, candidate in enumerate(rest)]
    heapify(roomiest)
    for index in reversed(range(count)):
        if room >= need or not roomiest:
            break
        available, place = roomiest[0]
        if -available > chosen[index].available:
            room += -available - chosen[index].available
            chosen[index], rest[place] = rest[place], chosen[index]
            heapreplace(roomiest, (-rest[place].available, place))
    if not chosen or room < need:
        return Unfit("SchedulerError", f"no enough resource when selecting {count} clusters")
    return chosen
