"""Keeps the zone equal to what the member says, and on disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.routing import Peers
from hansa.api.scheme import CONFIGMAPS, ENDPOINT_SLICES, SERVICE_IMPORTS
from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.runtime.informer import Change, Informer
from hansa.service.dns.build import Distances, service_of
from hansa.service.dns.state import ZoneFile
from hansa.service.dns.zone import Labels, Service, Zone
from hansa.service.served import follow

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.05
"""Changes that come within this time are one."""
AT_ONCE = 10
"""Services that are looked at in one go."""
SAVE_SECONDS = 1.0
"""The zone is written to disk at most so often."""
TRUE_SECONDS = 30.0
"""How often it is noted that the zone is still true."""
BY_SERVICE = "service"


class ZoneKeeper:
    """Reads ServiceImports and EndpointSlices of the member that `client` reaches, and publishes each new zone.

    Nothing is published before both are complete: what is not known yet is not absent. When they can no longer be
    read, the last zone stays. `file` holds it over a restart, for at most `longest_seconds`.
    """

    def __init__(
        self,
        client: Client,
        domain: Labels,
        publish: Callable[[Zone], None],
        clock: Clock,
        *,
        servers: tuple[str, ...] = (),
        file: ZoneFile | None = None,
        longest_seconds: float = 0.0,
    ) -> None:
        self._client = client
        self._domain = domain
        self._publish = publish
        self._clock = clock
        self._servers = servers
        self._file = file
        self._longest = longest_seconds
        labels = f"{names.IMPORT_NAME_LABEL},{names.SOURCE_CLUSTER_LABEL}"
        self._imports = Informer(client, SERVICE_IMPORTS)
        self._slices = Informer(client, ENDPOINT_SLICES, labels=labels)
        self._slices.store.add_index(BY_SERVICE, _by_service)
        self._peers = Informer(
            client, CONFIGMAPS, namespace=names.HANSA_NAMESPACE, fields=f"metadata.name={names.PEERS}"
        )
        self._pending = _Pending()
        self._distances = Distances()
        self._services: Mapping[Key, Service] = {}
        self._cluster = ""
        self.zone: Zone | None = None
        """What was published last."""
        self._true_at = 0.0
        """When the zone was last known to be true; 0: never."""
        self._unsaved = asyncio.Event()

    def why_not_ready(self) -> str | None:
        return None if self.zone else "no zone yet: the member's ServiceImports have not been read"

    def age_seconds(self) -> float:
        """How long ago the zone was last known to be true."""
        return self._clock.now().timestamp() - self._true_at

    async def run(self) -> None:
        """Until cancelled."""
        if self._file is not None:
            self._load(self._file)
        self._imports.subscribe(lambda change: self._pending.add(change.item.key))
        self._slices.subscribe(self._slice_changed)
        self._peers.subscribe(self._peers_changed)
        async with asyncio.TaskGroup() as group:
            for informer in (self._imports, self._slices, self._peers):
                group.create_task(self._follow(informer), name=f"informer {informer.resource.group_resource}")
            group.create_task(self._work(), name="zone")
            group.create_task(self._note_truth(), name="zone age")
            if self._file is not None:
                group.create_task(self._save(self._file), name="zone file")

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _follow(self, informer: Informer) -> None:
        """A kind that is not served may come: its definition is installed when the cluster joins."""
        told = False

        def missing() -> None:
            nonlocal told
            if not told:
                log.error(
                    "%s does not serve %s: install the multicluster.x-k8s.io definitions (deploy/crds); names are"
                    " served as soon as they are there",
                    *(self._client.server, informer.resource.group_resource),
                    extra={"resource": informer.resource.group_resource, "reason": "NotServed"},
                )
            told = True

        await follow(self._client, informer, missing)

    def _slice_changed(self, change: Change) -> None:
        for item in (change.old, change.new):
            if item is not None:
                self._pending.add(_imported_by(item))

    def _peers_changed(self, change: Change) -> None:
        """Without the ConfigMap, or with one that cannot be read, distances stay as they were."""
        if change.new is None:
            return
        content = (change.new.json().get("data") or {}).get(names.PEERS_KEY, "")
        try:
            peers = msgspec.json.decode(content, type=Peers)
        except (msgspec.DecodeError, TypeError) as error:
            log.warning("ConfigMap %s: %s: %s", change.new.key, names.PEERS_KEY, error)
            return
        self._distances, self._cluster = Distances.of(peers), peers.cluster
        for item in self._imports.store:
            self._pending.add(item.key)

    # -- building ----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        await self._complete()
        # a zone from disk may have what has gone since
        await self._rebuild({*self._imports.store.keys(), *self._services} | self._pending.take(), first=True)
        while True:
            await self._pending.wait()
            await asyncio.sleep(BATCH_SECONDS)
            await self._rebuild(self._pending.take())

    async def _complete(self) -> None:
        listed = asyncio.Event()
        for informer in (self._imports, self._slices):
            informer.on_listed(listed.set)
        while not (self._imports.synced and self._slices.synced):
            await listed.wait()
            listed.clear()

    async def _rebuild(self, keys: set[Key], *, first: bool = False) -> None:
        """Look at those services again, and publish what differs; the first time also when nothing does."""
        services, changed = dict(self._services), first
        for number, key in enumerate(keys, 1):
            found = self._service(key)
            changed |= found != services.pop(key, None)
            if found is not None:
                services[key] = found
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # queries are answered meanwhile
        if changed:
            self._services = services
            self._show()
            self._unsaved.set()
        self._true_at = self._clock.now().timestamp()

    def _service(self, key: Key) -> Service | None:
        item = self._imports.store.get(key)
        if item is None:
            return None
        try:
            return service_of(item, self._slices.store.by(BY_SERVICE, str(key)), self._distances)
        except msgspec.ValidationError as error:
            log.warning("ServiceImport %s cannot be read, and stays as it was: %s", key, error)
            return self._services.get(key)

    def _show(self) -> None:
        before = self.zone.serial if self.zone is not None else 0
        serial = max(before + 1, int(self._clock.now().timestamp())) & 0xFFFFFFFF
        services = self._services.values()
        self.zone = Zone.of(self._domain, serial, services, cluster=self._cluster, servers=self._servers)
        self._publish(self.zone)

    # -- age and disk ------------------------------------------------------------------------------------------------

    async def _note_truth(self) -> None:
        """While both watches are open the zone is true."""
        while True:
            if self._true_at and self._imports.connected and self._slices.connected:
                self._true_at = self._clock.now().timestamp()
            await asyncio.sleep(1.0)

    def _load(self, file: ZoneFile) -> None:
        now = self._clock.now().timestamp()
        try:
            age = file.age_seconds(now)
            if age is None:
                return
            if age > self._longest:
                log.warning("%s is %.0f s old, more than %.0f s: not served", file.path, age, self._longest)
                return
            self._cluster, services = file.load()
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read, and is not served: %s", file.path, error)
            return
        self._services = {service.key: service for service in services}
        self._true_at = now - age
        self._show()
        log.info("serving %d services as they were %.0f s ago", len(self._services), age)

    async def _save(self, file: ZoneFile) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TRUE_SECONDS):
                    await self._unsaved.wait()
            if self._true_at:
                try:
                    await self._save_once(file)
                except OSError as error:
                    self._unsaved.set()
                    log.error("%s is not up to date, names are served all the same: %s", file.path, error)
            await asyncio.sleep(SAVE_SECONDS)

    async def _save_once(self, file: ZoneFile) -> None:
        true_at = self._true_at
        if self._unsaved.is_set():
            self._unsaved.clear()
            await asyncio.to_thread(file.save, self._cluster, tuple(self._services.values()))
        await asyncio.to_thread(file.touch, true_at)


@dataclass(slots=True)
class _Pending:
    """Services to look at."""

    _keys: set[Key] = field(default_factory=set[Key])
    _some: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: Key) -> None:
        self._keys.add(key)
        self._some.set()

    async def wait(self) -> None:
        await self._some.wait()

    def take(self) -> set[Key]:
        keys, self._keys = self._keys, set()
        self._some.clear()
        return keys


def _imported_by(item: Item) -> Key:
    return Key(item.meta.namespace, item.labels.get(names.IMPORT_NAME_LABEL, ""))


def _by_service(item: Item) -> tuple[str, ...]:
    return (str(_imported_by(item)),)
