"""Where the backends of a MultiClusterIngress are: its status, beside their EndpointSlices on the hub.

Karmada has no controller for it either: traffic is led by ingress controllers of others, which find both on the hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.runtime.controller import Requeue
from hansa.service.hub import Hub
from hansa.service.places import Places
from hansa.service.records import Records
from hansa.service.write import report

BY_BACKEND = "backend"
TRAFFIC_CONTROL = "TrafficControl"
"""Remedy action of a cluster that is to get no requests."""


def backends(ingress: Item) -> list[Key]:
    """Services that requests may go to, each once."""
    spec: Json = ingress.json().get("spec") or {}
    names = {(backend.get("service") or {}).get("name") for backend in _backends(spec)}
    return [Key(ingress.meta.namespace, name) for name in sorted(filter(None, names))]


def _backends(spec: Json) -> Iterator[Json]:
    yield spec.get("defaultBackend") or {}
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield path.get("backend") or {}


def index_ingresses(hub: Hub) -> None:
    """By namespace and name of each backend."""
    store = hub.cache.informer(scheme.MULTI_CLUSTER_INGRESSES).store
    store.add_index(BY_BACKEND, lambda item: tuple(str(key) for key in backends(item)))


def ingresses_of(hub: Hub, service: Key) -> list[Item]:
    """Those with the service as a backend."""
    found = hub.cache.informer(scheme.MULTI_CLUSTER_INGRESSES).store.by(BY_BACKEND, str(service))
    return [item for item in found if not item.deleting]


@dataclass(frozen=True, slots=True)
class IngressKeeper:
    """Fields serviceLocations and trafficBlockClusters; the load balancer is for whoever has one."""

    hub: Hub
    places: Places
    records: Records

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.hub.cache.informer(scheme.MULTI_CLUSTER_INGRESSES).store.get(key)
        if item is None or item.deleting:
            return None
        locations = [
            {"name": service.name, "clusters": clusters}
            for service in backends(item)
            if (clusters := self._exporters(service))
        ]
        there = {cluster for location in locations for cluster in location["clusters"]}
        await report(
            self.hub.client,
            scheme.MULTI_CLUSTER_INGRESSES,
            item,
            (),
            self.hub.clock.now(),
            serviceLocations=locations,
            trafficBlockClusters=sorted(cluster for cluster in there if self._is_blocked(cluster)),
        )
        return None

    def _exporters(self, service: Key) -> list[str]:
        record = self.records.get(service)
        return sorted((record.exports.keys() | record.silent) - record.stale) if record is not None else []

    def _is_blocked(self, cluster: str) -> bool:
        item = self.places.clusters.store.get(Key("", cluster))
        return item is not None and is_blocked(item)


def is_blocked(cluster: Item) -> bool:
    return TRAFFIC_CONTROL in (cluster.as_(Cluster).status.remedy_actions or ())
