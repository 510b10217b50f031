"""The dialect's controllers, and what they listen to."""

from __future__ import annotations

from typing import Protocol

from hansa.api import names, scheme
from hansa.api.meta import Key
from hansa.dialect.kubefed.clusterkeeper import ClusterKeeper
from hansa.dialect.kubefed.compiler import Compiler
from hansa.dialect.kubefed.federation import BINDING_INDEX, Federation, binding_of_work
from hansa.dialect.kubefed.hub import Hub
from hansa.dialect.kubefed.projector import Projector, key_of_binding
from hansa.dialect.kubefed.registry import FederatedKey, Registry
from hansa.dialect.kubefed.typekeeper import TypeKeeper
from hansa.dialect.kubefed.types import NAMESPACES_TYPE, FederatedType
from hansa.runtime.controller import Controller
from hansa.runtime.informer import Change

BINDINGS = (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS)


class Part(Protocol):
    """Something that runs until it is cancelled: a controller or a loop."""

    name: str

    async def run(self) -> None: ...


def controllers(hub: Hub) -> list[Part]:
    """Everything before the binding, and the way back. Must be called within the event loop."""
    federation = Federation(hub.client, hub.cache, Registry(hub.cache), hub.recorder, hub.clock)
    hub.cache.informer(scheme.WORKS).store.add_index(BINDING_INDEX, binding_of_work)
    compiler = _compiler(hub, federation)
    projector = _projector(hub, federation)
    _follow_objects(federation, compiler, projector)
    _follow_members(hub, federation, compiler, projector)
    return [_types(hub, federation), compiler, projector, _clusters(hub, federation)]


def _types(hub: Hub, federation: Federation) -> Part:
    configs = hub.cache.informer(scheme.FEDERATED_TYPE_CONFIGS)
    controller: Controller[Key] = Controller("kubefed-type", TypeKeeper(federation), workers=1, needs=(configs,))

    def changed(change: Change) -> None:
        key = change.item.key
        controller.queue.add(key)
        if key.name == NAMESPACES_TYPE and (change.old is None or change.new is None):
            for other in configs.store:
                controller.queue.add(other.key)

    configs.subscribe(changed)
    return controller


def _compiler(hub: Hub, federation: Federation) -> Controller[FederatedKey]:
    bindings = [hub.cache.informer(resource) for resource in BINDINGS]
    needs = (
        *bindings,
        hub.cache.informer(scheme.CLUSTERS),
        hub.cache.informer(scheme.KUBEFED_CLUSTERS),
        hub.cache.informer(scheme.KUBEFED_CONFIGS),
        hub.cache.informer(scheme.NAMESPACES),
        hub.cache.informer(scheme.WORKS),
    )
    controller: Controller[FederatedKey] = Controller(
        "kubefed-compile", Compiler(federation), workers=hub.options.workers, needs=needs
    )

    def binding_changed(change: Change) -> None:
        """A binding that somebody changed or deleted is made again; one that is gone lets its object go."""
        old, new = change.old, change.new
        if change.initial or old is None or (new is not None and old.meta.generation == new.meta.generation):
            return
        _add_owner(federation, controller, change)

    def work_changed(change: Change) -> None:
        """The last Work that goes lets a deleted object go."""
        if change.new is None and change.old is not None:
            for value in binding_of_work(change.old):
                namespace, _, name = value.rpartition("/")
                for bindings_of in bindings:
                    item = bindings_of.store.get(Key(namespace, name))
                    key = key_of_binding(federation, item) if item is not None else None
                    if key is not None:
                        controller.queue.add(key)

    for informer in bindings:
        informer.subscribe(binding_changed)
    hub.cache.informer(scheme.WORKS).subscribe(work_changed)
    return controller


def _projector(hub: Hub, federation: Federation) -> Controller[FederatedKey]:
    bindings = [hub.cache.informer(resource) for resource in BINDINGS]
    delay = hub.options.report_delay_seconds
    controller: Controller[FederatedKey] = Controller(
        "kubefed-project", Projector(federation), workers=4, needs=bindings
    )

    def binding_changed(change: Change) -> None:
        new = change.new
        if new is not None and new.labels.get(names.DIALECT_LABEL) == names.KUBEFED:
            key = key_of_binding(federation, new)
            if key is not None:
                controller.queue.add_after(key, delay, low=True)

    for informer in bindings:
        informer.subscribe(binding_changed)
    return controller


def _follow_objects(
    federation: Federation, compiler: Controller[FederatedKey], projector: Controller[FederatedKey]
) -> None:
    def heard(type_: FederatedType, change: Change) -> None:
        item = change.item
        key = FederatedKey(type_.name, item.meta.namespace, item.meta.name)
        old, new = change.old, change.new
        intended = (
            old is None
            or new is None
            or old.meta.generation != new.meta.generation
            or (old.meta.annotations, old.meta.labels, old.meta.finalizers, old.deleting)
            != (new.meta.annotations, new.meta.labels, new.meta.finalizers, new.deleting)
        )
        if not intended:
            return
        compiler.queue.add(key, low=change.initial)
        projector.queue.add(key, low=True)
        if type_.federates_namespaces:
            for other in federation.registry.objects(namespace=item.meta.name):
                compiler.queue.add(other)
                projector.queue.add(other, low=True)

    federation.registry.listen(heard)


def _follow_members(
    hub: Hub, federation: Federation, compiler: Controller[FederatedKey], projector: Controller[FederatedKey]
) -> None:
    """Who is a member, with which labels, and is it ready: all objects may be concerned."""
    known: dict[str, object] = {}

    def changed(change: Change) -> None:
        if change.initial or not all(
            federation.informer(resource).synced for resource in (scheme.CLUSTERS, scheme.KUBEFED_CLUSTERS)
        ):
            return
        members = federation.members()
        if members == known:
            return
        known.clear()
        known.update(members)
        for key in federation.registry.objects():
            compiler.queue.add(key, low=True)
            projector.queue.add(key, low=True)

    hub.cache.informer(scheme.CLUSTERS).subscribe(changed)
    hub.cache.informer(scheme.KUBEFED_CLUSTERS).subscribe(changed)


def _clusters(hub: Hub, federation: Federation) -> Part:
    clusters, kubefed = hub.cache.informer(scheme.CLUSTERS), hub.cache.informer(scheme.KUBEFED_CLUSTERS)
    secrets = hub.cache.informer(scheme.SECRETS)
    controller: Controller[Key] = Controller(
        "kubefed-cluster", ClusterKeeper(federation), workers=1, needs=(clusters, kubefed, secrets)
    )

    def changed(change: Change) -> None:
        controller.queue.add(Key("", change.item.meta.name))

    clusters.subscribe(changed)
    kubefed.subscribe(changed)
    return controller


def _add_owner(federation: Federation, controller: Controller[FederatedKey], change: Change) -> None:
    if change.item.labels.get(names.DIALECT_LABEL) != names.KUBEFED:
        return
    key = key_of_binding(federation, change.item)
    if key is not None:
        controller.queue.add(key)
