"""What to do about a placement that cannot be: the way out, for whoever reads the condition."""

from __future__ import annotations

from collections.abc import Iterator

from hansa.api.policy import ClusterAffinity
from hansa.schedule.outcome import Unfit
from hansa.schedule.request import Request
from hansa.schedule.snapshot import Snapshot

_SHOWN = 5


def advice(request: Request, snapshot: Snapshot, unfit: Unfit) -> str:
    """One sentence or more, empty when there is nothing to add to the message."""
    if unfit.reason == "NoClusterFit":
        found = [*_contradictions(request), *_unknown(request, snapshot), *_apis(request, unfit)]
    elif unfit.reason == "Unschedulable" or "no enough resource" in unfit.message:
        found = [*_spread(request, unfit)] or ["Lower the replicas or their requests, or let more clusters qualify."]
    else:
        found = [*_spread(request, unfit)]
    return " ".join(found)


def _affinities(request: Request) -> list[tuple[str, ClusterAffinity]]:
    """With the field that each is in."""
    placement = request.placement
    if placement.cluster_affinity is not None:
        return [("placement.clusterAffinity", placement.cluster_affinity)]
    terms = placement.cluster_affinities or ()
    return [(f"placement.clusterAffinities[{index}]", term) for index, term in enumerate(terms)]


def _contradictions(request: Request) -> Iterator[str]:
    for field, affinity in _affinities(request):
        named, excluded = affinity.cluster_names or (), affinity.exclude or ()
        if named and set(named) <= set(excluded):
            yield f"{field} excludes every cluster that it names: remove them from exclude."


def _unknown(request: Request, snapshot: Snapshot) -> Iterator[str]:
    for field, affinity in _affinities(request):
        missing = [name for name in affinity.cluster_names or () if snapshot.get(name) is None]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            shown = ", ".join(missing[:_SHOWN])
            yield f"{field}.clusterNames: no cluster is named {shown}{more}: correct the name, or join the cluster."


def _apis(request: Request, unfit: Unfit) -> Iterator[str]:
    missing = [name for name, refusal in unfit.diagnosis.items() if "did not have the API resource" in refusal.reason]
    if missing and len(missing) == len(unfit.diagnosis):
        yield f"No cluster serves {request.kind} of {request.api_version}: install its CustomResourceDefinition there."


def _spread(request: Request, unfit: Unfit) -> Iterator[str]:
    constraints = request.placement.spread_constraints or ()
    for index, constraint in enumerate(constraints):
        field = f"placement.spreadConstraints[{index}]"
        if constraint.spread_by_field == "cluster" and constraint.max_groups == 0:
            least = max(1, constraint.min_groups)
            yield f"{field}.maxGroups is 0, which selects no cluster: set it to {least} or more."
        elif constraint.spread_by_field in ("cluster", "region") and "MinGroups" in unfit.message:
            yield f"{field} asks for {constraint.min_groups} or more by {constraint.spread_by_field}."
    if "MinGroups" in unfit.message:
        yield "Lower minGroups, or let more clusters qualify."
    if "just support" in unfit.message:
        yield "Add a spread constraint by cluster."
