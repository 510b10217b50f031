"""The controllers of Clusters and members, and what they listen to."""

from __future__ import annotations

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.meta import Key
from hansa.base.names import cluster_of
from hansa.control.cluster.damping import Damping
from hansa.control.cluster.lifecycle import ClusterKeeper
from hansa.control.cluster.members import MemberKeeper
from hansa.control.cluster.status import ClusterObserver
from hansa.control.context import Context, Part
from hansa.runtime.controller import Controller
from hansa.runtime.informer import Change


def cluster_keeper(context: Context) -> Controller[Key]:
    """Keeps the Cluster itself: finalizer, execution namespace, taints."""
    cache = context.cache
    clusters = cache.informer(scheme.CLUSTERS)
    bindings = [cache.informer(resource) for resource in (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS)]
    keeper = ClusterKeeper(context)
    controller = Controller("cluster", keeper, workers=4, needs=(clusters, *bindings))

    def space_changed(change: Change) -> None:
        cluster = cluster_of(change.item.meta.name)
        if change.new is None and cluster is not None:
            controller.queue.add(Key("", cluster))

    def binding_changed(_: Change) -> None:
        for cluster in keeper.held:
            if not keeper.is_targeted(cluster):
                controller.queue.add(Key("", cluster))

    clusters.subscribe(lambda change: controller.queue.add(change.item.key))
    cache.informer(scheme.NAMESPACES).subscribe(space_changed)
    for informer in bindings:
        informer.subscribe(binding_changed)
    return controller


def cluster_controllers(context: Context) -> list[Part]:
    """What keeps Clusters and their members; a hub without bindings needs no more."""
    cache = context.cache
    clusters, secrets = cache.informer(scheme.CLUSTERS), cache.informer(scheme.SECRETS)
    options = context.options
    members = MemberKeeper(context)
    damping = Damping(options.cluster_success_threshold_seconds, options.cluster_failure_threshold_seconds)
    handles = Controller("member", members, workers=2, needs=(clusters, secrets))
    observer = Controller("cluster-status", ClusterObserver(context, members, damping), workers=16, needs=(clusters,))

    def changed(change: Change) -> None:
        handles.queue.add(change.item.key)
        old, new = change.old, change.new
        if old is None or new is None or old.meta.finalizers != new.meta.finalizers:
            observer.queue.add(change.item.key)

    def secret_changed(change: Change) -> None:
        for item in clusters.store:
            reference = item.as_(Cluster).spec.secret_ref
            if reference is not None and Key(reference.namespace, reference.name) == change.item.key:
                handles.queue.add(item.key)

    def member_changed(name: str, _: object) -> None:
        observer.queue.add(Key("", name))

    clusters.subscribe(changed)
    secrets.subscribe(secret_changed)
    context.fleet.subscribe(member_changed)
    return [cluster_keeper(context), handles, observer]
