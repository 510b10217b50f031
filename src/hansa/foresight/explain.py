"""Why is an object where it is, and what does it wait for? From objects of the hub alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from hansa.api import names
from hansa.api.cluster import Cluster
from hansa.api.conditions import condition
from hansa.api.item import Item
from hansa.api.work import AggregatedStatusItem, BindingSpec, ResourceBinding, Work
from hansa.base.names import cluster_of
from hansa.control.context import Options
from hansa.control.render.targets import suspended, targets_of
from hansa.foresight import claiming, deciding, overriding
from hansa.foresight.deciding import Rules
from hansa.foresight.explanation import ClaimTold, DecisionTold, Explanation, MemberTold, OverrideTold
from hansa.foresight.facts import Facts, gather
from hansa.interpret.convention import Convention, dialect_of
from hansa.interpret.convention.karmada import KARMADA
from hansa.interpret.convention.kubefed import KUBEFED
from hansa.kube.client import Client

_CONVENTIONS: dict[str, Convention] = {convention.name: convention for convention in (KARMADA, KUBEFED)}


async def explain(hub: Client, word: str, name: str, namespace: str, rules: Rules, now: datetime) -> Explanation:
    """`word` is a kind as kubectl takes it. Raises ConfigError for what is not there or may not be read at all."""
    facts = await gather(hub, word, name, namespace)
    binding = facts.binding
    spec = binding.as_(ResourceBinding).spec if binding is not None else None
    claim = _claim(facts, spec, rules.options)
    return Explanation(
        object=_shown(facts),
        binding=f"{binding.kind} {binding.key}" if binding is not None else "",
        claim=claim,
        decision=_decision(facts, spec, rules, now),
        overrides=tuple(await _overrides(facts)),
        members=tuple(_members(facts, spec)) if spec is not None else (),
        waiting=tuple(dict.fromkeys(_waiting(facts, spec, claim))),
        lacking=tuple(dict.fromkeys(facts.lacking)),
    )


def _shown(facts: Facts) -> str:
    if facts.template is not None:
        return f"{facts.template.kind} {facts.template.key}"
    assert facts.binding is not None
    resource = facts.binding.as_(ResourceBinding).spec.resource
    return f"{resource.kind} {resource.namespace + '/' if resource.namespace else ''}{resource.name}"


def _claim(facts: Facts, spec: BindingSpec | None, options: Options) -> ClaimTold:
    if facts.federated:
        return ClaimTold(policy=_shown(facts), why="a federated object is its own policy")
    if facts.template is None:
        return ClaimTold(policy="", why="the object is gone, or you may not read it")
    found = claiming.told(facts.template, facts.policies, options.skipped_namespaces)
    if not found.policy and spec is not None and spec.required_by:
        needing = ", ".join(f"{each.namespace}/{each.name}" for each in spec.required_by)
        return ClaimTold(policy="", why=f"it goes along with what needs it: bindings {needing}", rivals=found.rivals)
    return found


def _decision(facts: Facts, spec: BindingSpec | None, rules: Rules, now: datetime) -> DecisionTold | None:
    if facts.binding is None or spec is None:
        return None
    if dialect_of(facts.binding.labels) == names.KUBEFED:
        return deciding.by_kubefed(facts.binding, facts.clusters)
    if spec.placement is None:
        return None
    return deciding.told(facts.binding, facts.clusters, facts.bindings, rules, now)


async def _overrides(facts: Facts) -> list[OverrideTold]:
    if facts.template is None or facts.binding is None:
        return []
    convention = _CONVENTIONS.get(dialect_of(facts.binding.labels))
    if convention is None:
        return []
    clusters = {item.meta.name: item.as_(Cluster) for item in facts.clusters}
    return await overriding.told(convention, facts.template, facts.binding, clusters, facts.overrides)


# -- members ----------------------------------------------------------------------------------------------------------


def _members(facts: Facts, spec: BindingSpec) -> Iterator[MemberTold]:
    assert facts.binding is not None
    status = facts.binding.as_(ResourceBinding).status
    known = {each.cluster_name: each for each in status.aggregated_status or ()}
    targets = {target.name: target.replicas for target in targets_of(spec)}
    works = {cluster_of(work.meta.namespace) for work in facts.works}
    for cluster in sorted({*targets, *known, *(name for name in works if name)}):
        reported = known.get(cluster, AggregatedStatusItem(cluster_name=cluster))
        yield MemberTold(
            cluster=cluster,
            replicas=targets.get(cluster),
            applied=reported.applied,
            health=reported.health or "Unknown",
            message="" if cluster in targets else "is being left",
        )


# -- what is waited for -----------------------------------------------------------------------------------------------


def _waiting(facts: Facts, spec: BindingSpec | None, claim: ClaimTold) -> Iterator[str]:
    template = facts.template
    if template is not None and template.deleting:
        holders = ", ".join(template.meta.finalizers or ()) or "nothing"
        yield f"the object is being deleted; held by {holders}"
    if spec is None or facts.binding is None:
        yield f"a binding: {claim.why}" if not claim.policy else "its binding has not been made yet"
        return
    yield from _scheduling(facts.binding, spec)
    clusters = {item.meta.name: item.as_(Cluster) for item in facts.clusters}
    works = {cluster_of(work.meta.namespace) or "": work for work in facts.works}
    for target in targets_of(spec):
        yield from _in_cluster(target.name, spec, works.get(target.name), clusters.get(target.name), facts)
    for name, work in sorted(works.items()):
        if work.deleting:
            cluster = clusters.get(name)
            ready = cluster is not None and cluster.ready
            yield f"{name}: its copy is being removed" + ("" if ready else ", when the cluster can be reached again")
    for task in spec.graceful_eviction_tasks or ():
        yield f"{task.from_cluster}: is being left ({task.reason}); its copy stays until a replacement is healthy"


def _scheduling(binding: Item, spec: BindingSpec) -> Iterator[str]:
    if spec.placement is None:
        return
    if spec.suspension is not None and spec.suspension.scheduling:
        yield "scheduling is suspended: spec.suspension.scheduling of the binding"
    said = condition(binding.as_(ResourceBinding).status.conditions, "Scheduled")
    if said is None:
        yield f"a decision of scheduler {spec.scheduler_name or 'default-scheduler'}"
    elif said.status != "True":
        yield f"a cluster that fits: {said.message}"


def _in_cluster(
    name: str, spec: BindingSpec, work: Item | None, cluster: Cluster | None, facts: Facts
) -> Iterator[str]:
    if cluster is None:
        if not any("clusters" in right for right in facts.lacking):
            yield f"{name}: there is no such cluster"
    elif not cluster.ready:
        ready = cluster.condition("Ready")
        yield f"{name}: the cluster is not ready: {ready.message if ready is not None else 'nothing is known yet'}"
    if suspended(spec, name):
        yield f"{name}: dispatching is suspended"
        return
    if work is None:
        if not any("works" in right for right in facts.lacking):
            yield f"{name}: its Work has not been made; events of the binding say why"
        return
    status = work.as_(Work).status
    applied = condition(status.conditions, "Applied")
    if applied is None:
        yield f"{name}: the cluster has not answered yet"
    elif applied.status != "True":
        yield f"{name}: {applied.message}"
    else:
        for each in status.manifest_statuses or ():
            if each.health == "Unhealthy":
                yield f"{name}: applied, and not healthy yet"
