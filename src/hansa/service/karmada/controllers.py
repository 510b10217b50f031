"""Which controller of Karmada's services listens to what."""

from __future__ import annotations

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.combine.silence import silence_of
from hansa.runtime.controller import Controller
from hansa.runtime.fleet import Member
from hansa.runtime.informer import Change
from hansa.service.hub import Hub
from hansa.service.karmada.imports import HubImports, derived, index_slices, service_of
from hansa.service.karmada.ingress import IngressKeeper, backends, index_ingresses, is_blocked
from hansa.service.karmada.service import CrossClusterServices
from hansa.service.places import Places
from hansa.service.records import Records
from hansa.service.silence import Silences
from hansa.service.views import View, Views


def import_controller(hub: Hub, records: Records) -> Controller[Key]:
    """For ServiceImports and backends on the hub. Whoever decides on a service adds its key."""
    cache = hub.cache
    index_slices(hub)
    index_ingresses(hub)
    needs = tuple(
        cache.informer(resource)
        for resource in (
            scheme.SERVICE_IMPORTS,
            scheme.SERVICES,
            scheme.ENDPOINT_SLICES,
            scheme.MULTI_CLUSTER_INGRESSES,
        )
    )
    imports, services, slices, ingresses = needs
    controller = Controller("service-hub-import", HubImports(hub, records), workers=4, needs=needs)

    def import_changed(change: Change) -> None:
        controller.queue.add(change.item.key, low=change.initial)

    def derived_changed(change: Change) -> None:
        name = change.item.labels.get(names.IMPORT_NAME_LABEL)
        if name and change.item.meta.name == derived(name):
            controller.queue.add(Key(change.item.meta.namespace, name), low=change.initial)

    def slice_changed(change: Change) -> None:
        if (key := service_of(change.item)) is not None:
            controller.queue.add(key, low=change.initial)

    def ingress_changed(change: Change) -> None:
        for item in (change.old, change.new):
            for key in backends(item) if item is not None else ():
                controller.queue.add(key, low=change.initial)

    ingresses.subscribe(ingress_changed)
    imports.subscribe(import_changed)
    services.subscribe(derived_changed)
    slices.subscribe(slice_changed)
    return controller


def ingress_controller(hub: Hub, places: Places, records: Records) -> Controller[Key]:
    """For MultiClusterIngresses. Whoever decides on a service adds the keys of those with it as a backend."""
    ingresses = hub.cache.informer(scheme.MULTI_CLUSTER_INGRESSES)
    needs = (ingresses, places.clusters)
    controller = Controller("service-ingress", IngressKeeper(hub, places, records), workers=2, needs=needs)

    def cluster_changed(change: Change) -> None:
        old, new = change.old, change.new
        if old is not None and new is not None and is_blocked(old) != is_blocked(new):
            for item in ingresses.store:
                controller.queue.add(item.key, low=True)

    ingresses.subscribe(lambda change: controller.queue.add(change.item.key, low=change.initial))
    places.clusters.subscribe(cluster_changed)
    return controller


def native_controller(hub: Hub, places: Places, views: Views, silences: Silences) -> Controller[Key]:
    """For MultiClusterServices."""
    cache = hub.cache
    found, services, bindings = (
        cache.informer(resource)
        for resource in (scheme.MULTI_CLUSTER_SERVICES, scheme.SERVICES, scheme.RESOURCE_BINDINGS)
    )
    reconciler = CrossClusterServices(hub, places, views, silences)
    needs = (found, services, bindings, places.clusters, silences.leases)
    controller = Controller("service-native-name", reconciler, workers=4, needs=needs)

    def add(key: Key, *, low: bool = False) -> None:
        if found.store.get(key) is not None:
            controller.queue.add(key, low=low)

    def everything() -> None:
        for item in found.store:
            controller.queue.add(item.key, low=True)

    def changed(change: Change) -> None:
        controller.queue.add(change.item.key, low=change.initial)

    def service_changed(change: Change) -> None:
        if change.old is not None and change.new is not None and not _is_edit(change.old, change.new):
            return
        if not change.initial and found.store.get(change.item.key) is not None:
            reconciler.edited.add(change.item.key)
        add(change.item.key, low=change.initial)

    def binding_changed(change: Change) -> None:
        if change.item.labels.get(names.BINDING_MANAGED_BY_LABEL) and change.item.meta.owner_references:
            add(Key(change.item.meta.namespace, change.item.meta.owner_references[0].name), low=change.initial)

    def cluster_changed(change: Change) -> None:
        if change.old is None or change.new is None or change.old.deleting != change.new.deleting:
            everything()

    def member_changed(_name: str, _member: Member | None) -> None:
        everything()

    def lease_changed(change: Change) -> None:
        limit = silences.stale_after_seconds
        if silence_of(change.old, limit) != silence_of(change.new, limit):
            everything()

    def opened(view: View) -> None:
        def slice_changed(change: Change) -> None:
            name = change.item.labels.get(names.SERVICE_LABEL)
            if name:
                add(Key(change.item.meta.namespace, name), low=change.initial)

        view.slices.subscribe(slice_changed)
        for informer in view.informers:
            informer.on_listed(everything)

    found.subscribe(changed)
    services.subscribe(service_changed)
    bindings.subscribe(binding_changed)
    places.clusters.subscribe(cluster_changed)
    hub.fleet.subscribe(member_changed)
    silences.leases.subscribe(lease_changed)
    views.on_opened(opened)
    return controller


def _is_edit(old: Item, new: Item) -> bool:
    """Whether more than its status has changed."""
    if old.labels != new.labels or old.annotations != new.annotations or old.deleting != new.deleting:
        return True
    return old.json().get("spec") != new.json().get("spec")
