"""Who is out of question and why, and who is left, in order of preference. Each decision begins with it.

`survey` is the plain form. A `Memory` gives the same answers, and keeps for the next binding with the same placement
what depends on placement, kind and clusters alone; of a snapshot in which few clusters have changed it looks at those.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from operator import is_not
from typing import Generic, NamedTuple, TypeVar

from hansa.schedule.candidate import SCORES, Candidate, candidate_of, candidates, rank, settled
from hansa.schedule.filters import FILTERS, diagnose, refusal
from hansa.schedule.outcome import Diagnosis, Refusal
from hansa.schedule.plugin import Filter, Plugins, Score
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo, Snapshot
from hansa.schedule.watch import Watch, unwatched

IN_TREE = Plugins(FILTERS, SCORES)
ENTRIES = 200_000
"""Verdicts and candidates that a memory keeps at most, clusters times placements."""
_MANY = 64
"""From so many exceptions on, sorting anew is quicker than moving them."""

V = TypeVar("V")


class Survey(NamedTuple):
    refusals: Diagnosis
    found: list[Candidate]


def survey(request: Request, snapshot: Snapshot, plugins: Plugins = IN_TREE, watch: Watch = unwatched) -> Survey:
    refusals = diagnose(request, snapshot, plugins.filters)
    feasible = [info for info in snapshot.clusters if not info.deleting and info.name not in refusals]
    watch("Filter", bool(feasible))
    found = candidates(request, feasible, plugins.scores)
    watch("Score", bool(found))
    return Survey(refusals, found)


class Memory:
    """What surveys with these plug-ins have in common. Belongs to one line of snapshots, each made from the last."""

    def __init__(self, plugins: Plugins = IN_TREE, watch: Watch = unwatched) -> None:
        self.plugins = plugins
        self._watch = watch
        self._lasting = tuple(each for each in plugins.filters if each.lasting)
        self._passing = tuple(each for each in plugins.filters if not each.lasting)
        order = [each.lasting for each in plugins.filters]
        # the first filter that refuses gives the reason: what lasts must not come behind what passes
        self._usable = order == sorted(order, reverse=True) and all(score.lasting for score in plugins.scores)
        self._sheets = _Recent[_Sheet]()
        self._rankings = _Recent[_Ranking]()

    def survey(self, request: Request, snapshot: Snapshot) -> Survey:
        """As `survey` would say; where all that fit are taken, points and room may be those of a binding elsewhere."""
        if not self._usable or request.estimates:
            return survey(request, snapshot, self.plugins, self._watch)
        key, size = request.kin, len(snapshot.clusters)

        def begun() -> _Ranking:
            sheet = self._sheets.get(key, size, lambda: _Sheet(request, self._lasting))
            return _Ranking(request, sheet, self.plugins.scores)

        question = request.question if request.counts_room else None
        ranking = self._rankings.get((key, question), size, begun)
        ranking.sheet.follow(snapshot)
        self._watch("Filter", len(ranking.sheet.refusals) < len(snapshot.clusters))
        ranking.follow(snapshot)
        found = self._own(request, snapshot, ranking)
        self._watch("Score", bool(found.found))
        return found

    def _own(self, request: Request, snapshot: Snapshot, ranking: _Ranking) -> Survey:
        """What is different for this binding: where it is, where room is spoken for, what other filters say."""
        sheet = ranking.sheet
        refusals = dict(sheet.refusals)
        special: dict[int, Candidate | None] = {}
        for name in request.current:
            at = snapshot.positions.get(name)
            if at is None or snapshot.clusters[at].deleting:
                continue
            verdict = sheet.held[at]
            if verdict is None:
                refusals.pop(name, None)
                if request.takes_all and ranking.of[at] is not None:
                    continue
                known = None if name in request.assumed else ranking.of[at]
                special[at] = (
                    settled(request, known, self.plugins.scores)
                    if known is not None
                    else candidate_of(request, snapshot.clusters[at], self.plugins.scores)
                )
            else:
                refusals[name] = verdict
                special[at] = None
        for name in () if request.takes_all else request.assumed:
            at = snapshot.positions.get(name)
            if at is not None and at not in special and ranking.of[at] is not None:
                special[at] = candidate_of(request, snapshot.clusters[at], self.plugins.scores)
        found = ranking.order_with(special)
        checks = [each for each in self._passing if each.applies(request)]
        if checks:
            for name in [name for name, verdict in refusals.items() if verdict.failure]:
                other = refusal(request, snapshot.clusters[snapshot.positions[name]], checks)
                if other is not None and not other.failure:
                    refusals[name] = refusals[name]._replace(failure=False)
            kept: list[Candidate] = []
            for candidate in found:
                verdict = refusal(request, candidate.info, checks)
                if verdict is None:
                    kept.append(candidate)
                else:
                    refusals[candidate.info.name] = verdict
            found = kept
        return Survey(refusals, found)


class _Following:
    """Values by cluster, in the order of a snapshot's clusters."""

    def __init__(self) -> None:
        self._seen: tuple[ClusterInfo, ...] = ()

    def follow(self, snapshot: Snapshot) -> None:
        """Look again at what has changed since the last time."""
        clusters = snapshot.clusters
        if clusters is self._seen:
            return
        changed = list(self._differences(clusters))
        if len(clusters) != len(self._seen) or any(clusters[at].name != self._seen[at].name for at in changed):
            self.begin(clusters)
        else:
            for at in changed:
                self.look(at, clusters[at])
        self._seen = clusters

    def _differences(self, clusters: Sequence[ClusterInfo]) -> Iterator[int]:
        return compress(range(len(clusters)), map(is_not, clusters, self._seen))

    def begin(self, clusters: Sequence[ClusterInfo]) -> None:
        raise NotImplementedError

    def look(self, at: int, info: ClusterInfo) -> None:
        raise NotImplementedError


class _Sheet(_Following):
    """What the lasting filters say of each cluster, if the binding is there already and if not."""

    def __init__(self, request: Request, filters: Sequence[Filter]) -> None:
        super().__init__()
        self._everywhere: dict[str, int] = {}
        self._without = replace(request, current={}, assumed={})
        self._within = replace(request, current=self._everywhere, assumed={})
        self._filters = filters
        self.refusals: dict[str, Refusal] = {}
        self.fresh: list[Refusal | None] = []
        self.held: list[Refusal | None] = []

    def begin(self, clusters: Sequence[ClusterInfo]) -> None:
        self.refusals.clear()
        self.fresh = [None] * len(clusters)
        self.held = [None] * len(clusters)
        for at, info in enumerate(clusters):
            self.look(at, info)

    def look(self, at: int, info: ClusterInfo) -> None:
        self.refusals.pop(info.name, None)
        self.fresh[at] = self.held[at] = None
        if info.deleting:
            return
        verdict = self.fresh[at] = refusal(self._without, info, self._filters)
        if verdict is not None:
            self.refusals[info.name] = verdict
        self._everywhere[info.name] = 0
        self.held[at] = refusal(self._within, info, self._filters)


class _Ranking(_Following):
    """The candidates of a sheet for a binding that is nowhere yet, in order."""

    def __init__(self, request: Request, sheet: _Sheet, scores: Sequence[Score]) -> None:
        super().__init__()
        self._request = replace(request, current={}, assumed={})
        self.sheet = sheet
        self._scores = scores
        self.of: list[Candidate | None] = []
        self._order: list[Candidate] = []

    def follow(self, snapshot: Snapshot) -> None:
        self.sheet.follow(snapshot)
        super().follow(snapshot)

    def begin(self, clusters: Sequence[ClusterInfo]) -> None:
        self.of = [self._candidate(at, info) for at, info in enumerate(clusters)]
        self._order = sorted((each for each in self.of if each is not None), key=rank)

    def look(self, at: int, info: ClusterInfo) -> None:
        before, after = self.of[at], self._candidate(at, info)
        self.of[at] = after
        if before is not None:
            _remove(self._order, before)
        if after is not None:
            insort(self._order, after, key=rank)

    def order_with(self, instead: Mapping[int, Candidate | None]) -> list[Candidate]:
        """The order with other candidates for some clusters, or none."""
        if len(instead) > _MANY:
            found = [instead.get(at, candidate) for at, candidate in enumerate(self.of)]
            return sorted((each for each in found if each is not None), key=rank)
        order = list(self._order)
        for at in instead:
            before = self.of[at]
            if before is not None:
                _remove(order, before)
        for candidate in instead.values():
            if candidate is not None:
                insort(order, candidate, key=rank)
        return order

    def _candidate(self, at: int, info: ClusterInfo) -> Candidate | None:
        if info.deleting or self.sheet.fresh[at] is not None:
            return None
        return candidate_of(self._request, info, self._scores)


def _remove(order: list[Candidate], candidate: Candidate) -> None:
    del order[bisect_left(order, rank(candidate), key=rank)]


class _Recent(Generic[V]):
    """The values asked for last, as many as fit into ENTRIES."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, size: int, make: Callable[[], V]) -> V:
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
            return found
        while self._values and (len(self._values) + 1) * size > ENTRIES:
            self._values.popitem(last=False)
        made = self._values[key] = make()
        return made
