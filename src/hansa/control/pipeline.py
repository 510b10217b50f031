"""Put the pipeline together: which controller listens to what. One function for each step."""

from __future__ import annotations

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Key, Resource
from hansa.api.work import ResourceBinding
from hansa.base.names import cluster_of, execution_namespace
from hansa.control.aggregate.reconciler import Aggregator
from hansa.control.bindings import binding_of, binding_resource
from hansa.control.cluster.controllers import cluster_controllers, cluster_keeper
from hansa.control.clusters import Clusters
from hansa.control.context import Context, Part
from hansa.control.decisions import Decisions
from hansa.control.evict.reconciler import Evictor
from hansa.control.execute.apply import Applier
from hansa.control.execute.reconciler import Executor
from hansa.control.execute.remove import Remover
from hansa.control.execute.versions import Place, Versions, only_status_differs
from hansa.control.indexes import BINDINGS_BY_KIND, add_indexes, kind_value
from hansa.control.namespace.reconciler import NamespacePropagator
from hansa.control.observe.reconciler import Observer
from hansa.control.outcomes import Outcomes
from hansa.control.place.metrics import incoming
from hansa.control.place.placer import Placer
from hansa.control.place.reconciler import Scheduler
from hansa.control.place.triggers import affected, concerns_placement, opens_ways, priority_of
from hansa.control.render.overrides import OverridePolicies, read_overrides
from hansa.control.render.reconciler import Renderer
from hansa.control.templates import Templates
from hansa.control.watches import Watches
from hansa.runtime.controller import Controller
from hansa.runtime.informer import Change
from hansa.runtime.patience import Patience
from hansa.runtime.queue import Queue
from hansa.runtime.store import Store

BINDINGS = (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS)


def controllers(context: Context, placer: Placer) -> list[Part]:
    """Everything after the binding. Must be called within the event loop; the informers start here."""
    add_indexes(context.cache)
    watches = Watches(context.fleet)
    outcomes = Outcomes()
    policies = OverridePolicies(context.cache)
    reports = Queue[Key]("aggregate")
    patience = Patience(reports, context.traffic, context.options.report_delay_seconds)
    decisions = Decisions(patience)
    place, render = _place(context, placer, decisions), _render(context, policies)
    execute = _execute(context, watches, outcomes)
    for controller in (place, render, execute):
        context.traffic.add(controller.queue)
    return [
        *cluster_controllers(context),
        _namespaces(context, policies),
        place,
        render,
        execute,
        _observe(context, watches, outcomes),
        _aggregate(context, decisions, reports, patience),
        *([_evict(context)] if context.options.gates.enabled("GracefulEviction") else ()),
    ]


def deciding_controllers(context: Context, placer: Placer) -> list[Part]:
    """The pipeline up to the Works, over a hub without members: what is decided, and nothing that is carried out."""
    add_indexes(context.cache)
    policies = OverridePolicies(context.cache)
    place, render = _place(context, placer, Decisions()), _render(context, policies)
    for controller in (place, render):
        context.traffic.add(controller.queue)
    return [cluster_keeper(context), _namespaces(context, policies), place, render]


def _place(context: Context, placer: Placer, decisions: Decisions) -> Controller[Key]:
    scheduler = Scheduler(context, placer, decisions)
    bindings = [context.cache.informer(resource) for resource in BINDINGS]

    def priority(key: Key) -> int:
        return priority_of(context.cache.informer(binding_resource(key)).store.get(key))

    ordered = context.options.gates.enabled("PriorityBasedScheduling")
    queue = Queue[Key]("place", priority=priority if ordered else None)
    placer.waiting = lambda: queue.top_priority
    scheduler.backlog.waiting = lambda: len(queue)
    controller = Controller(
        "place", scheduler, workers=context.options.workers, queue=queue, needs=(placer.clusters, *bindings)
    )

    def changed(change: Change) -> None:
        old, new = change.old, change.new
        if old is not None:
            for key in placer.groups.freed(old, new):
                incoming("BindingUpdate")
                queue.add(key, low=True)
        if new is None:
            scheduler.forget(change.item.key)
        elif old is None or old.meta.generation != new.meta.generation:
            incoming("BindingAdd" if old is None else "BindingUpdate")
            controller.queue.add(new.key, low=change.initial)

    def cluster_changed(change: Change) -> None:
        old = change.old.as_(Cluster) if change.old is not None else None
        new = change.new.as_(Cluster) if change.new is not None else None
        loud = concerns_placement(old, new)
        if change.initial or not (loud or opens_ways(old, new)):
            return
        both = [cluster for cluster in (old, new) if cluster is not None]
        items = (item for informer in bindings for item in informer.store)
        for item in affected(items, both, context.options.scheduler_name):
            if loud:
                scheduler.loud.add(item.key)
            incoming("ClusterChanged")
            controller.queue.add(item.key, low=True)

    for informer in bindings:
        informer.subscribe(changed)
    placer.clusters.subscribe(cluster_changed)
    return controller


def _render(context: Context, policies: OverridePolicies) -> Controller[Key]:
    cache = context.cache
    templates = Templates(context.hub, cache)
    bindings = [cache.informer(resource) for resource in BINDINGS]
    works = cache.informer(scheme.WORKS)
    clusters = cache.informer(scheme.CLUSTERS)
    renderer = Renderer(context, templates, policies, Clusters(cache))
    needs = (*bindings, works, clusters, *policies.informers)
    controller = Controller("render", renderer, workers=context.options.workers, needs=needs)

    def changed(change: Change) -> None:
        old, new = change.old, change.new
        if new is None:
            return
        if old is None or old.meta.generation != new.meta.generation or old.meta.labels != new.meta.labels:
            controller.queue.add(new.key, low=change.initial)

    def work_changed(change: Change) -> None:
        """A Work that somebody changed or deleted is made again."""
        if change.initial or change.old is None:
            return
        spec_changed = change.new is not None and change.new.meta.generation != change.old.meta.generation
        binding = binding_of(change.old)
        if binding is not None and (change.new is None or spec_changed):
            controller.queue.add(binding, low=True)

    def policy_changed(change: Change) -> None:
        if change.initial:
            return
        if (
            change.old is not None
            and change.new is not None
            and change.old.meta.generation == change.new.meta.generation
        ):
            return
        for item in (change.old, change.new):
            if item is not None:
                for binding in overridden_bindings(context, item):
                    controller.queue.add(binding)

    def cluster_changed(change: Change) -> None:
        """Overrides choose clusters by labels and topology too."""
        old, new = change.old, change.new
        if change.initial or old is None or new is None or old.meta.deletion_timestamp != new.meta.deletion_timestamp:
            return
        if old.meta.labels == new.meta.labels and old.meta.generation == new.meta.generation:
            return
        for work in works.store.by("namespace", execution_namespace(new.meta.name)):
            binding = binding_of(work)
            if binding is not None:
                controller.queue.add(binding, low=True)

    for informer in bindings:
        informer.subscribe(changed)
    works.subscribe(work_changed)
    clusters.subscribe(cluster_changed)
    for informer in policies.informers:
        informer.subscribe(policy_changed)
    return controller


def overridden_bindings(context: Context, policy: Item) -> list[Key]:
    """Bindings whose templates an override policy may mean, by the references of the bindings.

    Labels of templates are not looked at: rendering decides, and writes only what differs.
    """
    read = read_overrides(policy)
    if read is None:
        return []
    found: dict[Key, None] = {}
    for resource in BINDINGS:
        store = context.cache.informer(resource).store
        if read.selectors is None:
            found.update((item.key, None) for item in store.list(read.meta.namespace or None))
            continue
        for selector in read.selectors:
            for item in store.by(BINDINGS_BY_KIND, kind_value(selector.api_version, selector.kind)):
                reference = item.as_(ResourceBinding).spec.resource
                namespace = read.meta.namespace or selector.namespace
                if selector.name in ("", reference.name) and namespace in ("", reference.namespace):
                    found[item.key] = None
    return list(found)


def _execute(context: Context, watches: Watches, outcomes: Outcomes) -> Controller[Key]:
    versions = Versions()
    applier = Applier(watches, versions, context.interpret)
    executor = Executor(context, applier, Remover(applier), outcomes)
    works = context.cache.informer(scheme.WORKS)
    needs = (works, context.cache.informer(scheme.CLUSTERS))
    controller = Controller("execute", executor, workers=context.options.workers, needs=needs)

    def changed(change: Change) -> None:
        old, new = change.old, change.new
        if new is None:
            outcomes.forget(change.item.key)
        elif old is None or old.meta.generation != new.meta.generation:
            controller.queue.add(new.key, low=change.initial)

    def member_changed(name: str, _: object) -> None:
        member = context.fleet.get(name)
        if member is not None and member.ready:
            for work in works.store.by("namespace", execution_namespace(name)):
                controller.queue.add(work.key, low=True)

    def heard(cluster: str, resource: Resource, change: Change) -> None:
        if change.new is not None:
            seen = versions.get(Place(cluster, resource, change.new.key))
            if seen == change.new.meta.resource_version or (change.initial and seen is None):
                return
            if change.old is not None and only_status_differs(change.old, change.new):
                return
        for key in works_of(context, cluster, resource, change):
            controller.queue.add(key)

    def listed(cluster: str, resource: Resource, store: Store) -> None:
        for key in versions.missing(cluster, resource, store):
            controller.queue.add(key)

    works.subscribe(changed)
    context.fleet.subscribe(member_changed)
    watches.listen(heard)
    watches.on_listed(listed)
    return controller


def works_of(context: Context, cluster: str, resource: Resource, change: Change) -> list[Key]:
    """The Works that a member's object belongs to, or belonged to before the change."""
    found: dict[Key, None] = {}
    for item in (change.new, change.old):
        if item is None:
            continue
        for convention in context.conventions.values():
            if convention.owns(item.meta):
                key = convention.work_of(item.meta, resource.kind, cluster)
                if key is not None:
                    found[key] = None
    return list(found)


def _observe(context: Context, watches: Watches, outcomes: Outcomes) -> Part:
    works = context.cache.informer(scheme.WORKS)
    observer = Observer(context, watches, outcomes)
    controller = Controller("observe", observer, workers=context.options.workers, needs=(works,))
    patience = Patience(controller.queue, context.traffic, context.options.report_delay_seconds)

    def heard(cluster: str, resource: Resource, change: Change) -> None:
        if change.new is not None:
            for key in works_of(context, cluster, resource, change):
                patience.add(key)

    outcomes.listen(patience.add)
    watches.listen(heard)
    return controller


def _aggregate(context: Context, decisions: Decisions, queue: Queue[Key], patience: Patience) -> Part:
    cache = context.cache
    works = cache.informer(scheme.WORKS)
    bindings = [cache.informer(resource) for resource in BINDINGS]
    aggregator = Aggregator(context, decisions)
    needs = (works, *bindings)
    controller = Controller("aggregate", aggregator, workers=context.options.workers, queue=queue, needs=needs)

    def work_changed(change: Change) -> None:
        key = binding_of(change.item)
        if key is not None and cluster_of(change.item.meta.namespace) is not None:
            patience.add(key)

    def binding_changed(change: Change) -> None:
        old, new = change.old, change.new
        if new is not None and (old is None or old.meta.generation != new.meta.generation):
            patience.add(new.key)

    works.subscribe(work_changed)
    for informer in bindings:
        informer.subscribe(binding_changed)
    return controller


def _evict(context: Context) -> Part:
    bindings = [context.cache.informer(resource) for resource in BINDINGS]
    controller = Controller("evict", Evictor(context), workers=4, needs=bindings)

    def changed(change: Change) -> None:
        if change.new is not None and b"gracefulEvictionTasks" in change.new.raw:
            controller.queue.add(change.new.key, low=change.initial)

    for informer in bindings:
        informer.subscribe(changed)
    return controller


def _namespaces(context: Context, policies: OverridePolicies) -> Part:
    cache = context.cache
    namespaces, clusters = cache.informer(scheme.NAMESPACES), cache.informer(scheme.CLUSTERS)
    works = cache.informer(scheme.WORKS)
    propagator = NamespacePropagator(context, policies)
    needs = (namespaces, clusters, works, policies.informers[0])
    controller = Controller("namespace", propagator, workers=4, needs=needs)

    def changed(change: Change) -> None:
        if change.new is not None:
            controller.queue.add(change.new.key, low=change.initial)

    def cluster_changed(change: Change) -> None:
        if change.old is None and not change.initial:
            for item in namespaces.store:
                controller.queue.add(item.key)

    def policy_changed(change: Change) -> None:
        if not change.initial:
            for item in namespaces.store:
                controller.queue.add(item.key, low=True)

    def federated(change: Change) -> None:
        if change.old is None:
            controller.queue.add(Key("", change.item.meta.name))

    namespaces.subscribe(changed)
    clusters.subscribe(cluster_changed)
    policies.informers[0].subscribe(policy_changed)
    cache.informer(scheme.FEDERATED_NAMESPACES).subscribe(federated)
    return controller
