"""How a binding's clusters come about, told in words from the scheduler's own steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from hansa.api.cluster import Cluster
from hansa.api.conditions import condition
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.work import BindingSpec, ResourceBinding, WorkloadAffinityGroups
from hansa.control.context import Options
from hansa.foresight.explanation import AttemptTold, ClusterTold, DecisionTold
from hansa.schedule import Request, Snapshot
from hansa.schedule.arriving import arriving_in_all
from hansa.schedule.assign import Division
from hansa.schedule.candidate import UNLIMITED
from hansa.schedule.needed import due
from hansa.schedule.plugin import PluginError, Plugins
from hansa.schedule.request import Peers, without_components
from hansa.schedule.survey import IN_TREE
from hansa.schedule.trace import Attempt, Considered, Region, trace

_DUE = {
    "PlacementChanged": "its placement has changed since, so it is about to be decided anew",
    "ReplicasChanged": "its clusters do not add up to its replicas, so it is about to be decided anew",
    "RescheduleAsked": "rescheduling was asked for, so it is about to be decided afresh",
    "FollowsClusters": "what it has stands until clusters, the policy or the object change",
    "ClusterLost": "one of its clusters leaves, so it is about to be decided anew",
}
_RULES = {
    "Duplicated": "all {total} replicas in each cluster",
    "StaticWeights": "{total} replicas by static weight ({weights})",
    "Unchanged": "{total} replicas are where they are, and none has to move",
    "ScaleUp": "{total} more replicas by free room ({weights}), beside those that are there ({base})",
    "ScaleDown": "{total} replicas remain, in proportion to those that are there ({weights})",
    "Fresh": "{total} replicas by free room, as if none were there ({weights})",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How the control plane is set, as far as decisions depend on it. For the other fields see Settings."""

    options: Options = Options()
    plugins: Plugins = IN_TREE
    keeps_empty: bool = False


def told(
    binding: Item, clusters: Sequence[Item], bindings: Sequence[Item], rules: Rules, now: datetime
) -> DecisionTold:
    """`bindings`: this one and others. Raises ValueError for a binding without placement."""
    gates = rules.options.gates

    def seen(item: Item) -> ResourceBinding:
        found = item.as_(ResourceBinding)
        if gates.enabled("MultiplePodTemplatesScheduling"):
            return found
        return msgspec.structs.replace(found, spec=without_components(found.spec))

    document = seen(binding)
    spec, status = document.spec, document.status
    models = gates.enabled("CustomizedClusterResourceModeling")
    snapshot = Snapshot.of([item.as_(Cluster) for item in clusters], models=models)
    counted = spec.is_workload and gates.enabled("SchedulingOvercommitProtection")
    request = Request.of(
        spec,
        status,
        peers=peers(binding.key, spec, bindings),
        assumed=arriving_in_all(map(seen, bindings), now) if counted else {},
        keeps_empty=rules.keeps_empty,
    )
    said = condition(status.conditions, "Scheduled")
    reason = due(spec, status, binding.annotations, snapshot)
    return DecisionTold(
        said=f"{said.reason}: {said.message}" if said is not None else "not decided yet",
        stands=_DUE[reason] if reason is not None else "what it has stands until something that it depends on changes",
        attempts=tuple(_attempts(request, snapshot, rules.plugins)),
    )


def _attempts(request: Request, snapshot: Snapshot, plugins: Plugins) -> Iterator[AttemptTold]:
    try:
        steps = trace(request, snapshot, plugins)
    except PluginError as error:
        yield AttemptTold(term="", clusters=(), failure=str(error))
    else:
        yield from (_attempt(each, request) for each in steps.attempts)


def peers(key: Key, spec: BindingSpec, bindings: Sequence[Item]) -> Peers:
    """Where the other workloads of its groups are, by bindings of its namespace and maybe of others."""
    groups = spec.workload_affinity_groups
    if groups is None:
        return Peers()
    together: list[frozenset[str]] = []
    apart: set[str] = set()
    for item in bindings:
        if item.meta.namespace != key.namespace:
            continue
        other = item.as_(ResourceBinding).spec
        targets = frozenset(target.name for target in other.clusters or ())
        theirs = other.workload_affinity_groups or WorkloadAffinityGroups()
        if item.key == key or not targets:
            continue
        if groups.affinity_group and theirs.affinity_group == groups.affinity_group:
            together.append(targets)
        if groups.anti_affinity_group and theirs.anti_affinity_group == groups.anti_affinity_group:
            apart |= targets
    return Peers(tuple(together), frozenset(apart))


def by_kubefed(binding: Item, clusters: Sequence[Item]) -> DecisionTold:
    """Clusters of a federated object are those of its own placement, within that of its namespace."""
    targets = {target.name for target in binding.as_(ResourceBinding).spec.clusters or ()}
    chosen = "chosen by spec.placement"
    beside = "not chosen by spec.placement, or not by that of the FederatedNamespace"
    found = tuple(
        ClusterTold(name=name, selected=name in targets, why=chosen if name in targets else beside)
        for name in sorted(item.meta.name for item in clusters)
    )
    return DecisionTold(
        said="decided by spec.placement of the federated object",
        stands="it follows spec.placement, and that of the FederatedNamespace",
        attempts=(AttemptTold(term="", clusters=found),),
    )


def _attempt(attempt: Attempt, request: Request) -> AttemptTold:
    steps = [_region(region) for region in attempt.regions] + [_division(division) for division in attempt.divisions]
    return AttemptTold(
        term=attempt.term,
        clusters=tuple(_cluster(each, attempt, request) for each in attempt.clusters),
        steps=tuple(steps),
        failure=attempt.failure,
    )


def _cluster(each: Considered, attempt: Attempt, request: Request) -> ClusterTold:
    candidate = each.candidate
    room = None if candidate is None or candidate.allocatable >= UNLIMITED else candidate.allocatable
    refusals = (f"{v.filter}: {v.refusal.reason}" for v in each.verdicts if v.refusal is not None)
    return ClusterTold(
        name=each.name,
        replicas=each.replicas,
        selected=each.replicas is not None,
        refusals=tuple(refusals),
        score=candidate.score if candidate is not None else None,
        points=each.points,
        room=room,
        arriving=sum(count for _, count in request.assumed.get(each.name, ())) if room is not None else 0,
        why=_why(each, attempt),
    )


def _why(each: Considered, attempt: Attempt) -> str:
    """In one line what became of the cluster."""
    if each.deleting:
        return "is leaving the federation"
    if each.candidate is None:
        return ""
    if each.replicas is not None:
        return "chosen"
    if each.selected:
        return "fits, and gets no share"
    if attempt.failure:
        return "fits"
    place = attempt.found.index(each.name) + 1
    return f"fits, but comes {place}. of {len(attempt.found)}: the spread constraints take fewer"


def _region(region: Region) -> str:
    verdict = "chosen" if region.chosen else "not chosen"
    return f"region {region.name or '(none)'}: {', '.join(region.clusters)}; {region.score} points, {verdict}"


def _division(division: Division) -> str:
    text = _RULES[division.rule].format(
        total=division.total, weights=_counts(division.weights), base=_counts(division.base) or "none"
    )
    return f"overflow affinity {division.tier}: {text}" if division.tier else text


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
