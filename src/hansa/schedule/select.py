"""Which of the clusters that fit are taken: all, or as few as the spread constraints ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hansa.api.affinity import matches
from hansa.schedule.outcome import Unfit
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo

LOCALITY_SCORE = 100


class Candidate(NamedTuple):
    """A cluster that fits. `overflow` is 0 for the affinity itself, i + 1 for its i-th overflow affinity."""

    info: ClusterInfo
    score: int
    overflow: int

    @property
    def name(self) -> str:
        return self.info.name


def candidates(request: Request, feasible: Sequence[ClusterInfo]) -> list[Candidate]:
    """Clusters in order of preference: nearest affinity, then where the object is already, then by name."""
    found = [
        Candidate(info, LOCALITY_SCORE if info.name in request.current else 0, _overflow(request, info))
        for info in feasible
    ]
    return sorted(found, key=lambda candidate: (candidate.overflow, -candidate.score, candidate.name))


def select(request: Request, found: list[Candidate]) -> list[Candidate] | Unfit:
    """Spread constraints do not bind where weights are static, as in Karmada."""
    constraints = {constraint.spread_by_field: constraint for constraint in request.placement.spread_constraints or ()}
    if not constraints or request.static_weights:
        return found
    if "region" in constraints:
        return Unfit("SchedulerError", "spreading over regions is not available in this version of Hansa")
    by_cluster = constraints.get("cluster")
    if by_cluster is None:
        return Unfit("SchedulerError", "just support cluster and region spread constraint")
    if request.placement.divided:
        return Unfit("SchedulerError", "spread constraints with divided replicas need estimates of free capacity")
    if len(found) < by_cluster.min_groups:
        text = "the number of feasible clusters is less than spreadConstraint.MinGroups"
        return Unfit("SchedulerError", text)
    return found[: by_cluster.max_groups]


def _overflow(request: Request, info: ClusterInfo) -> int:
    term = request.term
    if term is None or matches(term, info.cluster):
        return 0
    overflows = term.overflow_affinities or ()
    return next((i + 1 for i, overflow in enumerate(overflows) if matches(overflow, info.cluster)), 0)
