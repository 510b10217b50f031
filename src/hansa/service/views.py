"""What each member shows of services: its exports, imports, Services, EndpointSlices and namespaces, kept by watches.

A view has caches of its own, so that what is kept of an object can be less than what others need of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Key, Resource
from hansa.combine.objects import made_of, route_of
from hansa.combine.source import compact, is_own, is_ready
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.fleet import Member
from hansa.runtime.informer import Change, Informer

GATEWAY_SERVICE = Key(names.HANSA_NAMESPACE, names.GATEWAY_ADDRESSES)
BY_SERVICE = "service"
"""Own slices, by namespace and name of their Service."""
BY_IMPORT = "import"
"""Imported slices, by namespace and name of their import."""
BY_ATTACHED = "attached"
"""Slices of other clusters, by namespace and name of the Service that a MultiClusterService attached them to."""


@dataclass(frozen=True, slots=True)
class View:
    """One member. `listen`: ports of its gateway that are given to an import."""

    name: str
    client: Client
    cache: Cache
    system: Cache
    """Of namespace hansa-system alone."""
    exports: Informer
    imports: Informer
    services: Informer
    slices: Informer
    namespaces: Informer
    config_maps: Informer
    listen: dict[int, Key] = field(default_factory=dict[int, Key])

    @classmethod
    def open(cls, member: Member, exports: Resource, imports: Resource) -> View:
        """Starts to watch. `exports` and `imports` in the version that the member serves."""
        cache = Cache(member.client)
        cache.set_transform(scheme.ENDPOINT_SLICES, compact)
        system = Cache(member.client, namespace=names.HANSA_NAMESPACE)
        view = cls(
            member.name,
            member.client,
            cache,
            system,
            cache.informer(exports),
            cache.informer(imports),
            cache.informer(scheme.SERVICES),
            cache.informer(scheme.ENDPOINT_SLICES),
            cache.informer(scheme.NAMESPACES),
            system.informer(scheme.CONFIGMAPS),
        )
        view.slices.store.add_index(BY_SERVICE, _by_service)
        view.slices.store.add_index(BY_IMPORT, _by_import)
        view.slices.store.add_index(BY_ATTACHED, _by_attached)
        view.imports.subscribe(view._note_ports)
        return view

    @property
    def known(self) -> bool:
        """Only then does what is not there not exist."""
        return all(informer.synced for informer in self.informers)

    @property
    def informers(self) -> tuple[Informer, ...]:
        return (self.exports, self.imports, self.services, self.slices, self.namespaces, self.config_maps)

    def own_slices(self, service: Key) -> list[Item]:
        return self.slices.store.by(BY_SERVICE, str(service))

    def imported_slices(self, key: Key) -> list[Item]:
        return self.slices.store.by(BY_IMPORT, str(key))

    def import_of(self, key: Key) -> Item | None:
        """The import when it is ours."""
        item = self.imports.store.get(key)
        return item if item is not None and made_of(item) is not None else None

    def has_namespace(self, name: str) -> bool:
        item = self.namespaces.store.get(Key("", name))
        return item is not None and not item.deleting

    def gateway_addresses(self) -> str:
        """Where Service hansa-system/hansa-gateway has endpoints: the ready ones, or all when none is ready, because
        who is not ready now has not gone. Else as its gateway has written them; empty where there is none."""
        slices = self.own_slices(GATEWAY_SERVICE)
        endpoints = [endpoint for item in slices for endpoint in item.json().get("endpoints") or ()]
        if endpoints:
            chosen = [endpoint for endpoint in endpoints if is_ready(endpoint)] or endpoints
            return ",".join(sorted({address for endpoint in chosen for address in endpoint["addresses"]}))
        item = self.config_maps.store.get(Key(names.HANSA_NAMESPACE, names.GATEWAY_ADDRESSES))
        return ((item.json().get("data") or {}).get(names.GATEWAY_ADDRESSES_KEY) or "") if item is not None else ""

    def revive(self) -> None:
        """Start again what ended when its kind was gone."""
        for resource in self.cache.resources():
            self.cache.informer(resource)

    async def close(self) -> None:
        await self.cache.stop_all()
        await self.system.stop_all()

    def _note_ports(self, change: Change) -> None:
        before, now = route_of(change.old), route_of(change.new)
        for port in before.ports if before is not None else ():
            if self.listen.get(port.listen) == change.item.key:
                del self.listen[port.listen]
        for port in now.ports if now is not None else ():
            if port.listen:
                self.listen.setdefault(port.listen, change.item.key)


def concerns(view: View, key: Key) -> bool:
    """Whether there is, or may be, an import of the service in that cluster."""
    return view.has_namespace(key.namespace) or view.imports.store.get(key) is not None


Opened = Callable[[View], None]
Closed = Callable[[str], None]


class Views:
    """Views by cluster. Whoever wants to hear subscribes to the informers of each view that is opened."""

    name = "service-views"

    def __init__(self) -> None:
        self._views: dict[str, View] = {}
        self._opened: list[Opened] = []
        self._closed: list[Closed] = []
        self._closing: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[View]:
        return iter(list(self._views.values()))

    def on_opened(self, told: Opened) -> None:
        self._opened.append(told)

    def on_closed(self, told: Closed) -> None:
        self._closed.append(told)

    def get(self, cluster: str) -> View | None:
        return self._views.get(cluster)

    def known(self, cluster: str) -> View | None:
        """The view when it is complete."""
        view = self._views.get(cluster)
        return view if view is not None and view.known else None

    def open(self, member: Member, exports: Resource, imports: Resource) -> View:
        """The view of the member by its present client."""
        view = self._views.get(member.name)
        if view is not None and view.client is member.client and view.exports.resource == exports:
            return view
        self.close(member.name)
        view = self._views[member.name] = View.open(member, exports, imports)
        for told in self._opened:
            told(view)
        return view

    def close(self, cluster: str) -> None:
        """What it showed is unknown from now on."""
        view = self._views.pop(cluster, None)
        if view is None:
            return
        task = asyncio.create_task(view.close(), name=f"close services of {cluster}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        for told in self._closed:
            told(cluster)

    async def run(self) -> None:
        """Until cancelled; then all views end."""
        try:
            await asyncio.Event().wait()
        finally:
            for cluster in list(self._views):
                self.close(cluster)
            while self._closing:
                await asyncio.wait(self._closing)


def _by_service(item: Item) -> tuple[str, ...]:
    return (str(Key(item.meta.namespace, item.labels[names.SERVICE_LABEL])),) if is_own(item) else ()


def _by_import(item: Item) -> tuple[str, ...]:
    name = item.labels.get(names.IMPORT_NAME_LABEL)
    ours = item.labels.get(names.MANAGED_BY_LABEL) == names.SLICE_MANAGER
    return (str(Key(item.meta.namespace, name)),) if name and ours else ()


def _by_attached(item: Item) -> tuple[str, ...]:
    name = item.labels.get(names.SERVICE_LABEL)
    ours = item.labels.get(names.MANAGED_BY_LABEL) == names.KARMADA_DISPATCHED_SLICE_MANAGER
    if not name or not ours or names.PROVISION_CLUSTER_ANNOTATION not in item.annotations:
        return ()
    return (str(Key(item.meta.namespace, name)),)
