"""Where, and how many?

`schedule` answers for one binding over one snapshot of clusters: filter, select, assign. Behaviour of Karmada's
scheduler with its in-tree plugins; what it does not take over from there is said at the place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hansa.schedule.advice import advice
from hansa.schedule.assign import assign
from hansa.schedule.outcome import Fit, Outcome, Unfit, fit_error
from hansa.schedule.request import Request
from hansa.schedule.select import select
from hansa.schedule.snapshot import Snapshot
from hansa.schedule.survey import Memory, Survey, survey
from hansa.schedule.watch import Watch, unwatched

__all__ = ["Fit", "Memory", "Outcome", "Request", "Snapshot", "Surveyor", "Unfit", "in_question", "schedule"]

Surveyor = Callable[[Request, Snapshot], Survey]
"""Filters and ranks: `survey`, or the same with a memory, which many decisions share."""


def schedule(request: Request, snapshot: Snapshot, look: Surveyor = survey, watch: Watch = unwatched) -> Outcome:
    """One decision. With several affinity terms they are tried in order, from the one in use on.

    `look` tells its own steps to whoever watches.

    Raises PluginError when a plug-in fails.
    """
    outcome = _try_terms(request, snapshot, look, watch)
    return replace(outcome, advice=advice(request, snapshot, outcome)) if isinstance(outcome, Unfit) else outcome


def _try_terms(request: Request, snapshot: Snapshot, look: Surveyor, watch: Watch) -> Outcome:
    terms = request.terms
    if not terms:
        return _attempt(request, snapshot, look, watch)
    start = _first_term(request)
    unfits: list[Unfit] = []
    failures: list[str] = []
    for index in range(start, len(terms)):
        outcome = _attempt(request.with_term(terms[index]), snapshot, look, watch)
        if isinstance(outcome, Fit):
            return Fit(outcome.targets, outcome.diagnosis, affinity_name=terms[index], attempts=tuple(failures))
        unfits.append(outcome)
        failures.append(f"with clusterAffiliates index({index}): {outcome.message}")
    first = unfits[0]
    clears = all(unfit.clears for unfit in unfits)
    return Unfit(first.reason, first.message, first.diagnosis, clears=clears, attempts=tuple(failures))


def in_question(request: Request, snapshot: Snapshot, look: Surveyor = survey) -> list[str]:
    """Names of the clusters that a decision may choose from, whichever of its affinity terms it comes to."""
    attempts = [request.with_term(term) for term in request.terms[_first_term(request) :]] or [request]
    found = (candidate.name for attempt in attempts for candidate in look(attempt, snapshot).found)
    return list(dict.fromkeys(found))


def _first_term(request: Request) -> int:
    """The one in use, unless rescheduling was asked for."""
    terms = request.terms
    return terms.index(request.affinity_name) if not request.fresh and request.affinity_name in terms else 0


def _attempt(request: Request, snapshot: Snapshot, look: Surveyor, watch: Watch) -> Outcome:
    refusals, found = look(request, snapshot)
    if not found:
        return fit_error(refusals, len(snapshot.clusters))
    selected = select(request, found)
    watch("Select", not isinstance(selected, Unfit))
    if isinstance(selected, Unfit):
        return Unfit(selected.reason, f"failed to select clusters: {selected.message}", refusals)
    targets = assign(request, selected)
    watch("AssignReplicas", not isinstance(targets, Unfit))
    if isinstance(targets, Unfit):
        return Unfit(targets.reason, f"failed to assign replicas: {targets.message}", refusals)
    return Fit(targets, refusals)
