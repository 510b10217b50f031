"""Spreading over regions: which regions, and which clusters of each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from hansa.api.policy import SpreadConstraint
from hansa.schedule.candidate import Candidate
from hansa.schedule.groups import Group, choose
from hansa.schedule.outcome import Unfit
from hansa.schedule.request import Request

SCALE = 1000
"""How much more what fits counts than where the object is already."""


def select_by_region(
    request: Request, found: Sequence[Candidate], by_region: SpreadConstraint, by_cluster: SpreadConstraint
) -> list[Candidate] | Unfit:
    """`found` in order of preference. With more regions than clusters asked for, each region still has one."""
    regions: dict[str, list[Candidate]] = {}
    for candidate in found:
        regions.setdefault(candidate.info.region, []).append(candidate)
    if len(regions) < by_region.min_groups:
        text = "the number of feasible region is less than spreadConstraint.MinGroups"
        return Unfit("SchedulerError", text)
    groups = [
        Group(name, len(members), region_score(request, members, by_region.min_groups, by_cluster.min_groups))
        for name, members in regions.items()
    ]
    chosen = choose(groups, by_region.min_groups, by_region.max_groups, by_cluster.min_groups)
    if chosen is None:
        text = "the number of clusters is less than the cluster spreadConstraint.MinGroups"
        return Unfit("SchedulerError", text)
    names = [group.name for group in chosen]
    first = [regions[name][0] for name in names]
    taken = {candidate.info.name for candidate in first}
    rest = (each for each in found if each.info.region in names and each.info.name not in taken)
    return [*first, *islice(rest, max(0, by_cluster.max_groups - len(first)))]


def region_score(request: Request, members: Sequence[Candidate], regions: int, clusters: int) -> int:
    """How well a region fits: how many replicas find room in it, then how much of the workload is there already."""
    if not request.placement.divided:
        wide = [candidate for candidate in members if candidate.available >= request.replicas]
        return len(wide) * SCALE + sum(c.score for c in wide) // len(wide) if wide else 0
    share = -(-request.replicas // max(regions, 1))
    count = available = score = 0
    for candidate in members:
        count, available, score = count + 1, available + candidate.available, score + candidate.score
        if count >= max(clusters, regions) and available >= share:
            break
    if available < share:
        return available * SCALE + score // len(members)
    return share * SCALE + score // count
