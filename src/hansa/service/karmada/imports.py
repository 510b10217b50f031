"""On the hub, beside a ServiceImport: the Service `derived-<name>` and the exporters' EndpointSlices.

The import's policy takes them along (`propagateDeps`), so that in members they are what Karmada's users know. Backends
of a MultiClusterIngress have the slices alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.mcs import ServiceImport
from hansa.api.meta import Json, Key
from hansa.combine.source import SourceSlice
from hansa.kube.errors import ApiError
from hansa.runtime.controller import Requeue, Retry
from hansa.service.hub import Hub
from hansa.service.karmada.ingress import ingresses_of
from hansa.service.records import Records
from hansa.service.write import create, delete, differing

SOURCE = "service-import-controller"
SUCCEED = "SyncDerivedServiceSucceed"
FAILED = "SyncDerivedServiceFailed"
BY_SERVICE = "karmada-service"


def derived(service: str) -> str:
    """As Karmada names it."""
    return f"derived-{service}"


def index_slices(hub: Hub) -> None:
    """Slices on the hub that are of imports, by namespace and name of the derived Service."""
    hub.cache.informer(scheme.ENDPOINT_SLICES).store.add_index(BY_SERVICE, _by_service)


def _by_service(item: Item) -> tuple[str, ...]:
    if item.labels.get(names.MANAGED_BY_LABEL) != names.KARMADA_SLICE_MANAGER:
        return ()
    return (str(Key(item.meta.namespace, item.labels.get(names.SERVICE_LABEL, ""))),)


def sources_on_hub(hub: Hub, key: Key) -> frozenset[str]:
    """Clusters of whose endpoints there are slices."""
    store = hub.cache.informer(scheme.ENDPOINT_SLICES).store
    found = store.by(BY_SERVICE, str(Key(key.namespace, derived(key.name))))
    return frozenset(item.labels.get(names.SOURCE_CLUSTER_LABEL, "") for item in found)


def service_of(slice_: Item) -> Key | None:
    """Of a slice that is made here."""
    if slice_.labels.get(names.MANAGED_BY_LABEL) != names.KARMADA_SLICE_MANAGER:
        return None
    return Key(slice_.meta.namespace, slice_.labels.get(names.SERVICE_LABEL, "").removeprefix(derived("")))


@dataclass(frozen=True, slots=True)
class HubImports:
    """Keys are those of services: of ServiceImports on the hub, or of backends there."""

    hub: Hub
    records: Records

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.hub.cache.informer(scheme.SERVICE_IMPORTS).store.get(key)
        if item is None or item.deleting or item.as_(ServiceImport).spec.type != "ClusterSetIP":
            await self._remove_service(key)
            await (self._slices(key) if ingresses_of(self.hub, key) else self._remove_slices(key))
            return None
        try:
            changed = await self._service(key, item)
        except ApiError as error:
            self.hub.recorder.of(SOURCE).event(
                item, "Warning", FAILED, f"Sync derived service for serviceImport({key.name}) failed: {error}"
            )
            raise
        if changed:
            message = f"Sync derived service for serviceImport({key.name}) succeed."
            self.hub.recorder.of(SOURCE).event(item, "Normal", SUCCEED, message)
        await self._slices(key)
        return None

    async def _service(self, key: Key, item: Item) -> bool:
        """Whether it was written."""
        ports = [msgspec.to_builtins(port) for port in item.as_(ServiceImport).spec.ports]
        live = self._derived(key)
        if live is None:
            document: Json = {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": derived(key.name),
                    "namespace": key.namespace,
                    "labels": {names.IMPORT_NAME_LABEL: key.name},
                },
                "spec": {"type": "ClusterIP", "ports": ports},
            }
            await create(self.hub.client, scheme.SERVICES, document)
            return True
        have: list[Json] = live.json()["spec"].get("ports") or []
        if [_port(port) for port in have] == [_port(port) for port in ports]:
            return False
        patch: Json = {"metadata": {"resourceVersion": live.meta.resource_version}, "spec": {"ports": ports}}
        await self.hub.client.patch(scheme.SERVICES, live.meta.name, live.meta.namespace, patch)
        return True

    def _derived(self, key: Key) -> Item | None:
        """The derived Service when it is ours. Raises Retry when somebody else has one of that name."""
        item = self.hub.cache.informer(scheme.SERVICES).store.get(Key(key.namespace, derived(key.name)))
        if item is not None and item.labels.get(names.IMPORT_NAME_LABEL) != key.name:
            raise Retry(f"Service {item.key} is not Hansa's")
        return item

    async def _slices(self, key: Key) -> None:
        """Those of the exporters; of those that cannot be asked, or are being left, all stays until it is stale."""
        record = self.records.get(key)
        if record is None:
            return
        wanted = {
            document["metadata"]["name"]: document
            for cluster, source in record.sources.items()
            for document in (_slice(key, cluster, slice_) for slice_ in source.slices)
        }
        kept = (record.silent - record.stale) | record.draining
        for live in self._live(key):
            document = wanted.pop(live.meta.name, None)
            if document is not None:
                await self._change(live, document)
            elif live.labels.get(names.SOURCE_CLUSTER_LABEL) not in kept:
                await delete(self.hub.client, scheme.ENDPOINT_SLICES, live)
        for document in wanted.values():
            await create(self.hub.client, scheme.ENDPOINT_SLICES, document)

    def _live(self, key: Key) -> list[Item]:
        service = Key(key.namespace, derived(key.name))
        return self.hub.cache.informer(scheme.ENDPOINT_SLICES).store.by(BY_SERVICE, str(service))

    async def _change(self, live: Item, document: Json) -> None:
        patch = differing(live, document, ("endpoints", "ports"))
        if patch:
            patch["metadata"] = {"resourceVersion": live.meta.resource_version}
            await self.hub.client.patch(scheme.ENDPOINT_SLICES, live.meta.name, live.meta.namespace, patch)

    async def _remove_slices(self, key: Key) -> None:
        for live in self._live(key):
            await delete(self.hub.client, scheme.ENDPOINT_SLICES, live)

    async def _remove_service(self, key: Key) -> None:
        item = self.hub.cache.informer(scheme.SERVICES).store.get(Key(key.namespace, derived(key.name)))
        if item is not None and not item.deleting and item.labels.get(names.IMPORT_NAME_LABEL) == key.name:
            await delete(self.hub.client, scheme.SERVICES, item)


def _port(port: Json) -> tuple[str, int, str, str]:
    return (port.get("name", ""), port["port"], port.get("protocol") or "TCP", port.get("appProtocol") or "")


def _slice(key: Key, cluster: str, source: SourceSlice) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"imported-{cluster}-{source.name}",
            "namespace": key.namespace,
            "labels": {
                names.SERVICE_LABEL: derived(key.name),
                names.MANAGED_BY_LABEL: names.KARMADA_SLICE_MANAGER,
                names.SOURCE_CLUSTER_LABEL: cluster,
            },
        },
        "addressType": source.family,
        "endpoints": [{f: v for f, v in each.items() if f not in ("nodeName", "hints")} for each in source.endpoints],
        "ports": list(source.ports),
    }
