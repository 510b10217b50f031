"""The clusters that fit, in order of preference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hansa.api.affinity import matches
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo

LOCALITY_SCORE = 100
UNLIMITED = 2**31 - 1


class Candidate(NamedTuple):
    """`allocatable` is how many more replicas find room, `available` that and those that are there already.

    `overflow` is 0 for the affinity itself, i + 1 for its i-th overflow affinity.
    """

    info: ClusterInfo
    score: int
    overflow: int
    allocatable: int
    available: int

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def region(self) -> str:
        return self.info.cluster.spec.region


def candidates(request: Request, feasible: Sequence[ClusterInfo]) -> list[Candidate]:
    """In order: nearest affinity, where the object is already, most room, name."""
    found: list[Candidate] = []
    for info in feasible:
        room = _allocatable(request, info)
        held = request.current.get(info.name)
        score = LOCALITY_SCORE if held is not None else 0
        found.append(Candidate(info, score, _overflow(request, info), room, room + (held or 0)))
    return sorted(found, key=lambda each: (each.overflow, -each.score, -each.available, each.name))


def _allocatable(request: Request, info: ClusterInfo) -> int:
    """The least of what all estimators say; without any opinion, all that is asked for."""
    if request.replicas == 0 and not request.components:
        return UNLIMITED
    opinions = [info.allocatable(request.question, request.assumed.get(info.name, ()))]
    for estimate in request.estimates:
        answer = estimate.get(info.name, -1)
        if answer >= 0:
            opinions.append(answer)
    return min(opinions)


def _overflow(request: Request, info: ClusterInfo) -> int:
    term = request.term
    if term is None or matches(term, info.cluster):
        return 0
    overflows = term.overflow_affinities or ()
    return next((i + 1 for i, overflow in enumerate(overflows) if matches(overflow, info.cluster)), 0)
