"""Put services together: which controller listens to what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.base.names import cluster_of
from hansa.combine.silence import silence_of
from hansa.combine.source import is_own
from hansa.runtime.controller import Controller
from hansa.runtime.fleet import Member
from hansa.runtime.informer import Change
from hansa.runtime.queue import Queue
from hansa.service.aggregate import Aggregator, Target
from hansa.service.definitions import DefinitionKeeper
from hansa.service.hub import Hub, Part
from hansa.service.importer import Importer
from hansa.service.karmada.controllers import import_controller, ingress_controller, native_controller
from hansa.service.karmada.imports import service_of, sources_on_hub
from hansa.service.karmada.ingress import ingresses_of
from hansa.service.membership import Membership
from hansa.service.peers import PeerWriter
from hansa.service.places import Places, concerns_peers, concerns_services
from hansa.service.policies import PolicyKeeper
from hansa.service.publish import Publisher
from hansa.service.records import Records
from hansa.service.silence import STALE_AFTER_SECONDS, Silences
from hansa.service.views import GATEWAY_SERVICE, View, Views, concerns

AGGREGATE_WORKERS = 4
PUBLISH_WORKERS = 32
PER_CLUSTER = 4
"""So many services of one cluster are published at a time."""


def controllers(hub: Hub, *, native_names: bool = True, stale_after_seconds: float = STALE_AFTER_SECONDS) -> list[Part]:
    """Must be called within the event loop; the informers start here. `native_names`: MultiClusterServices too.

    stale_after_seconds: When endpoints of a cluster that is not heard of are withdrawn; 0: never.
    """
    places, views, records = Places.of(hub), Views(), Records()
    silences = Silences(hub, places, views, stale_after_seconds)
    policies = hub.cache.informer(scheme.SERVICE_ROUTING_POLICIES)
    targets: Queue[Target] = Queue("service-publish", group=lambda target: target.cluster, group_limit=PER_CLUSTER)
    hub_imports, ingresses = import_controller(hub, records), ingress_controller(hub, places, records)

    def decided(key: Key) -> None:
        hub_imports.queue.add(key)
        for item in ingresses_of(hub, key):
            ingresses.queue.add(item.key)

    def on_hub(key: Key) -> frozenset[str]:
        return sources_on_hub(hub, key)

    aggregator = Aggregator(hub, places, views, records, silences, on_hub, targets.add, decided)
    publisher = Publisher(hub, places, views, records, Importer(hub.clock), targets.add)
    imports = hub.cache.informer(scheme.SERVICE_IMPORTS)
    needs = (places.clusters, policies, imports)
    hub_slices = hub.cache.informer(scheme.ENDPOINT_SLICES)
    decides = (*needs, silences.leases, hub_slices)
    keeper = Controller("service-definitions", DefinitionKeeper(hub, places, views), workers=8, needs=needs)
    aggregate = Controller("service-aggregate", aggregator, workers=AGGREGATE_WORKERS, needs=decides)
    publish = Controller("service-publish", publisher, workers=PUBLISH_WORKERS, queue=targets, needs=needs)
    membership = Controller("service-membership", Membership(hub, places, views), workers=4, needs=needs)
    peers = Controller("service-peers", PeerWriter(hub, places, views), workers=8, needs=needs)
    verdicts = Controller("service-policy", PolicyKeeper(hub, places), workers=2, needs=needs)
    triggers = Triggers(views, records, aggregate.queue, targets)

    def member_changed(name: str, member: Member | None) -> None:
        keeper.queue.add(Key("", name))
        if member is not None and member.ready:
            peers.queue.add(Key("", name))
            triggers.imports(name)

    def cluster_changed(change: Change) -> None:
        old, new = change.old, change.new
        membership.queue.add(change.item.key)
        if old is None or new is None or concerns_peers(old, new):
            keeper.queue.add(change.item.key)
            for item in places.clusters.store:
                peers.queue.add(item.key)
        if new is None or (old is not None and concerns_services(old, new)):
            triggers.cluster(change.item.meta.name)
        if new is None or old is None:
            for item in policies.store:
                verdicts.queue.add(item.key, low=change.initial)

    def lease_changed(change: Change) -> None:
        old, new = (silence_of(item, stale_after_seconds) for item in (change.old, change.new))
        cluster = cluster_of(change.item.meta.namespace)
        if old != new and cluster is not None:
            triggers.silent(cluster)

    def hub_import_changed(change: Change) -> None:
        triggers.publish(change.item.key)

    def hub_slice_changed(change: Change) -> None:
        if (change.old is None or change.new is None) and (key := service_of(change.item)) is not None:
            aggregate.queue.add(key, low=change.initial)

    def policy_changed(change: Change) -> None:
        aggregate.queue.add(change.item.key)
        verdicts.queue.add(change.item.key)

    def opened(view: View) -> None:
        triggers.follow(view)
        cluster = Key("", view.name)
        membership.queue.add(cluster)

        def system_changed(change: Change) -> None:
            if change.item.meta.name in (names.HANSA_NAMESPACE, names.PEERS):
                peers.queue.add(cluster)

        view.namespaces.subscribe(system_changed)
        view.config_maps.subscribe(system_changed)
        for informer in view.informers:
            informer.on_listed(lambda: peers.queue.add(cluster))

    hub.fleet.subscribe(member_changed)
    places.clusters.subscribe(cluster_changed)
    policies.subscribe(policy_changed)
    imports.subscribe(hub_import_changed)
    hub_slices.subscribe(hub_slice_changed)
    views.on_opened(opened)
    views.on_closed(triggers.lost)
    silences.leases.subscribe(lease_changed)
    native = [native_controller(hub, places, views, silences)] if native_names else []
    return [views, silences, keeper, membership, aggregate, publish, peers, verdicts, hub_imports, ingresses, *native]


class Triggers:
    """Turns what views show into keys."""

    def __init__(self, views: Views, records: Records, services: Queue[Key], targets: Queue[Target]) -> None:
        self._views = views
        self._records = records
        self._services = services
        self._targets = targets

    def follow(self, view: View) -> None:
        """Listen to a view that was just opened."""
        view.exports.subscribe(lambda change: self._services.add(change.item.key, low=change.initial))
        view.services.subscribe(lambda change: self._service_changed(view, change))
        view.slices.subscribe(lambda change: self._slice_changed(view, change))
        view.imports.subscribe(lambda change: self._import_changed(view, change))
        view.namespaces.subscribe(lambda change: self._namespace_changed(view, change))
        view.config_maps.subscribe(lambda change: self._config_map_changed(view, change))
        for informer in view.informers:
            informer.on_listed(lambda: self._listed(view))

    def lost(self, cluster: str) -> None:
        """What was known of a cluster is unknown now."""
        for key in self._shared_by(cluster):
            self._services.add(key, low=True)

    def silent(self, cluster: str) -> None:
        """It is not heard any more, or not believed any more, or heard again."""
        for key in self._shared_by(cluster):
            self._services.add(key, low=True)
            self._targets.add(Target(cluster, key), low=True)

    def cluster(self, name: str) -> None:
        """A cluster is elsewhere, or no longer what it was: to those that import from it, and to itself."""
        for key in self._shared_by(name):
            self._services.add(key, low=True)
            self.publish(key)
        self.imports(name)

    def publish(self, key: Key) -> None:
        """Look at one service again wherever it is imported, or may be."""
        for view in self._views:
            if concerns(view, key):
                self._targets.add(Target(view.name, key), low=True)

    def imports(self, name: str) -> None:
        """Bring one cluster up to everything that is decided."""
        view = self._views.get(name)
        if view is None:
            return
        for key in self._records:
            if concerns(view, key):
                self._targets.add(Target(name, key), low=True)

    def _shared_by(self, cluster: str) -> Iterator[Key]:
        for key in self._records:
            record = self._records.get(key)
            if record is not None and cluster in record.clusters:
                yield key

    def _listed(self, view: View) -> None:
        """Only now is known what a cluster does not export, and into which namespaces it imports."""
        if view.known:
            # services that nobody else exports were not decided on while this cluster was unknown
            for key in {*self._shared_by(view.name), *view.exports.store.keys(), *view.imports.store.keys()}:
                self._services.add(key, low=True)
            self.imports(view.name)

    def _service_changed(self, view: View, change: Change) -> None:
        for item in _both(change):
            name = item.labels.get(names.IMPORT_NAME_LABEL)
            if name:
                self._targets.add(Target(view.name, Key(item.meta.namespace, name)), low=change.initial)
        if view.exports.store.get(change.item.key) is not None:
            self._services.add(change.item.key, low=change.initial)

    def _slice_changed(self, view: View, change: Change) -> None:
        for item in _both(change):
            name = item.labels.get(names.IMPORT_NAME_LABEL)
            if name and item.labels.get(names.MANAGED_BY_LABEL) == names.SLICE_MANAGER:
                self._targets.add(Target(view.name, Key(item.meta.namespace, name)), low=change.initial)
            elif is_own(item):
                service = Key(item.meta.namespace, item.labels[names.SERVICE_LABEL])
                if service == GATEWAY_SERVICE:
                    self.imports(view.name)
                if view.exports.store.get(service) is not None:
                    self._services.add(service, low=change.initial)

    def _import_changed(self, view: View, change: Change) -> None:
        key = change.item.key
        news = self._records.imported(view.name, key, change.new)
        if news or self._records.get(key) is None:
            self._services.add(key, low=change.initial)
        self._targets.add(Target(view.name, key), low=change.initial)
        for exporter in news:
            self._targets.add(Target(exporter, key), low=change.initial)

    def _namespace_changed(self, view: View, change: Change) -> None:
        if change.old is not None and change.new is not None and change.old.deleting == change.new.deleting:
            return
        for key in self._records:
            if key.namespace == change.item.meta.name:
                self._targets.add(Target(view.name, key), low=change.initial)

    def _config_map_changed(self, view: View, change: Change) -> None:
        if change.item.meta.name == names.GATEWAY_ADDRESSES:
            self.imports(view.name)


def _both(change: Change) -> Iterable[Item]:
    return (item for item in (change.old, change.new) if item is not None)
