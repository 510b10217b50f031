"""The clusters that fit, in order of preference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hansa.api.affinity import matches
from hansa.schedule.plugin import HIGHEST_SCORE, Score
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo

UNLIMITED = 2**31 - 1


class Candidate(NamedTuple):
    """`allocatable` is how many more replicas find room, `available` that and those that are there already.

    `overflow` is 0 for the affinity itself, i + 1 for its i-th overflow affinity. `weight` is that of the static weight
    list, 0 where no rule means the cluster.
    """

    info: ClusterInfo
    score: int
    overflow: int
    allocatable: int
    available: int
    weight: int = 0

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def region(self) -> str:
        return self.info.region


def _locality(request: Request, info: ClusterInfo) -> int:
    return HIGHEST_SCORE if info.name in request.current else 0


SCORES: tuple[Score, ...] = (Score("ClusterLocality", _locality, lasting=True),)


def candidates(request: Request, feasible: Iterable[ClusterInfo], scores: Sequence[Score] = SCORES) -> list[Candidate]:
    """In order: nearest affinity, highest score, most room, name."""
    return sorted((candidate_of(request, info, scores) for info in feasible), key=rank)


def candidate_of(request: Request, info: ClusterInfo, scores: Sequence[Score] = SCORES) -> Candidate:
    room = _allocatable(request, info)
    return Candidate(
        info,
        sum([rate(request, info) for rate in scores]),
        _overflow(request, info),
        room,
        room + request.current.get(info.name, 0),
        _weight(request, info),
    )


def settled(request: Request, candidate: Candidate, scores: Sequence[Score] = SCORES) -> Candidate:
    """The candidate of a binding that is in the cluster, made from the one that it would be elsewhere."""
    info = candidate.info
    points = sum([rate(request, info) for rate in scores])
    available = candidate.allocatable + request.current[info.name]
    return Candidate(info, points, candidate.overflow, candidate.allocatable, available, candidate.weight)


def rank(candidate: Candidate) -> tuple[int, int, int, str]:
    """Sorts the better one first; no two are equal."""
    return (candidate.overflow, -candidate.score, -candidate.available, candidate.info.name)


def _allocatable(request: Request, info: ClusterInfo) -> int:
    """The least of what all estimators say; -1 is no opinion."""
    if not request.counts_room:
        return UNLIMITED
    least = info.allocatable(request.question, request.assumed.get(info.name, ()))
    for estimate in request.estimates:
        answer = estimate.get(info.name, -1)
        if 0 <= answer < least:
            least = answer
    return least


def _overflow(request: Request, info: ClusterInfo) -> int:
    term = request.term
    overflows = term.overflow_affinities if term is not None else None
    if not overflows or matches(term, info.cluster):
        return 0
    return next((i + 1 for i, overflow in enumerate(overflows) if matches(overflow, info.cluster)), 0)


def _weight(request: Request, info: ClusterInfo) -> int:
    rules = request.weight_rules
    return max([rule.weight for rule in rules if matches(rule.target_cluster, info.cluster)], default=0) if rules else 0
