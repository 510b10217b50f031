"""Where, and how many?

`schedule` answers for one binding over one snapshot of clusters: filter, select, assign. Behaviour of Karmada's
scheduler with its in-tree plugins; what it does not take over from there is said at the place.
"""

from __future__ import annotations

from hansa.schedule.assign import assign
from hansa.schedule.candidate import candidates
from hansa.schedule.filters import diagnose
from hansa.schedule.outcome import Fit, Outcome, Unfit, fit_error
from hansa.schedule.request import Request
from hansa.schedule.select import select
from hansa.schedule.snapshot import Snapshot

__all__ = ["Fit", "Outcome", "Request", "Snapshot", "Unfit", "schedule"]


def schedule(request: Request, snapshot: Snapshot) -> Outcome:
    """One decision. With several affinity terms they are tried in order, from the one in use on."""
    terms = request.terms
    if not terms:
        return _attempt(request, snapshot)
    start = 0 if request.fresh else next((i for i, term in enumerate(terms) if term == request.affinity_name), 0)
    first: Unfit | None = None
    failures: list[str] = []
    for index in range(start, len(terms)):
        outcome = _attempt(request.with_term(terms[index]), snapshot)
        if isinstance(outcome, Fit):
            return Fit(outcome.targets, outcome.diagnosis, affinity_name=terms[index], attempts=tuple(failures))
        first = first or outcome
        failures.append(f"with clusterAffiliates index({index}): {outcome.message}")
    assert first is not None
    return Unfit(first.reason, first.message, first.diagnosis, clears=first.clears, attempts=tuple(failures))


def _attempt(request: Request, snapshot: Snapshot) -> Outcome:
    diagnosis = diagnose(request, snapshot)
    feasible = [info for info in snapshot.clusters if not info.deleting and info.name not in diagnosis]
    if not feasible:
        return fit_error(diagnosis, len(snapshot.clusters))
    selected = select(request, candidates(request, feasible))
    if isinstance(selected, Unfit):
        return Unfit(selected.reason, f"failed to select clusters: {selected.message}", diagnosis)
    targets = assign(request, selected)
    if isinstance(targets, Unfit):
        return Unfit(targets.reason, f"failed to assign replicas: {targets.message}", diagnosis)
    return Fit(targets, diagnosis)
