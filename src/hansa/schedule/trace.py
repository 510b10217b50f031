"""How a decision comes about, step by step: for whoever asks why.

Every step is asked of the functions that decide. What is told differs from a decision only in that no filter is spared
because an earlier one has refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hansa.schedule import schedule
from hansa.schedule.assign import Division, assign, divisions
from hansa.schedule.candidate import Candidate
from hansa.schedule.outcome import Fit, Outcome, Refusal, Unfit
from hansa.schedule.plugin import Filter, PluginError, Plugins
from hansa.schedule.regions import region_score
from hansa.schedule.request import Request
from hansa.schedule.select import select
from hansa.schedule.snapshot import ClusterInfo, Snapshot
from hansa.schedule.survey import IN_TREE, survey


class Verdict(NamedTuple):
    """What one filter says of one cluster; None: it may be taken."""

    filter: str
    refusal: Refusal | None


class Region(NamedTuple):
    """One of the groups that are chosen from when a workload is spread over regions."""

    name: str
    clusters: tuple[str, ...]
    score: int
    chosen: bool


class Considered(NamedTuple):
    """One cluster. `candidate` has its points and its room, when no filter refuses it.

    `points`: What each score gives to a candidate. `replicas`: what it gets, None when it is not a target.
    """

    name: str
    deleting: bool
    verdicts: tuple[Verdict, ...]
    candidate: Candidate | None
    points: Mapping[str, int]
    selected: bool
    replicas: int | None

    @property
    def refusals(self) -> list[Refusal]:
        return [verdict.refusal for verdict in self.verdicts if verdict.refusal is not None]


class Attempt(NamedTuple):
    """One affinity term, or the placement's only affinity (then `term` is empty).

    `found`: names of the clusters that fit, in order of preference.
    """

    term: str
    clusters: tuple[Considered, ...]
    found: tuple[str, ...]
    regions: tuple[Region, ...]
    divisions: tuple[Division, ...]
    failure: str


class Trace(NamedTuple):
    attempts: tuple[Attempt, ...]
    outcome: Outcome


def trace(request: Request, snapshot: Snapshot, plugins: Plugins = IN_TREE) -> Trace:
    """The decision, and how each attempt at it went. Raises PluginError when a plug-in fails."""
    outcome = schedule(request, snapshot, lambda asked, over: survey(asked, over, plugins))
    terms = _tried(request, outcome)
    attempts = [_attempt(request.with_term(term), snapshot, plugins) for term in terms] if terms else []
    return Trace(tuple(attempts or [_attempt(request, snapshot, plugins)]), outcome)


def _tried(request: Request, outcome: Outcome) -> Sequence[str]:
    """The affinity terms that the decision went through: the ones that failed, and the one that did not."""
    terms = request.terms
    if not terms:
        return ()
    failed = len(outcome.attempts)
    if isinstance(outcome, Fit):
        used = terms.index(outcome.affinity_name)
        return terms[used - failed : used + 1]
    return terms[len(terms) - failed :]


def _attempt(request: Request, snapshot: Snapshot, plugins: Plugins) -> Attempt:
    found = survey(request, snapshot, plugins).found
    chosen = select(request, found) if found else []
    selected = [] if isinstance(chosen, Unfit) else chosen
    steps = divisions(request, selected) if selected and request.has_replicas else []
    targets = assign(request, selected) if selected else ()
    failure = next((step.message for step in (chosen, targets) if isinstance(step, Unfit)), "")
    if not found:
        failure = "no cluster fits"
    replicas = {} if isinstance(targets, Unfit) else {target.name: target.replicas for target in targets}
    ranked = {candidate.name: candidate for candidate in found}
    names = {candidate.name for candidate in selected}

    def considered(info: ClusterInfo) -> Considered:
        verdicts = () if info.deleting else tuple(_verdict(each, request, info) for each in plugins.filters)
        name = info.name
        points = {score.name: score(request, info) for score in plugins.scores} if name in ranked else {}
        return Considered(name, info.deleting, verdicts, ranked.get(name), points, name in names, replicas.get(name))

    return Attempt(
        request.affinity_name,
        tuple(considered(info) for info in snapshot.clusters),
        tuple(ranked),
        _regions(request, found, names),
        tuple(step for step in steps if isinstance(step, Division)),
        failure,
    )


def _verdict(check: Filter, request: Request, info: ClusterInfo) -> Verdict:
    """A filter that fails where a decision would not have asked it any more says so, and nothing else is lost."""
    try:
        return Verdict(check.name, check(request, info))
    except PluginError as error:
        return Verdict(check.name, Refusal(str(error), failure=True))


def _regions(request: Request, found: Sequence[Candidate], selected: set[str]) -> tuple[Region, ...]:
    constraints = {constraint.spread_by_field: constraint for constraint in request.placement.spread_constraints or ()}
    by_region, by_cluster = constraints.get("region"), constraints.get("cluster")
    if by_region is None or request.ignores_spread:
        return ()
    regions: dict[str, list[Candidate]] = {}
    for candidate in found:
        regions.setdefault(candidate.region, []).append(candidate)
    least = by_cluster.min_groups if by_cluster is not None else 0
    return tuple(
        Region(
            name,
            tuple(member.name for member in members),
            region_score(request, members, by_region.min_groups, least),
            any(member.name in selected for member in members),
        )
        for name, members in regions.items()
    )
