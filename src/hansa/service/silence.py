"""Listen to clusters, and count in their Leases how long each of them has not been heard.

A second counts once it is written: who cannot reach the hub counts nothing. Nor does time count in which this process
stood still.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from hansa.api import names, scheme
from hansa.api.meta import Key
from hansa.combine.silence import (
    Silence,
    heard_patch,
    lease_document,
    lease_key,
    silence_of,
    silent_patch,
    silent_seconds,
)
from hansa.kube.errors import ApiError, Unreachable
from hansa.runtime import metrics
from hansa.runtime.informer import Informer
from hansa.service.hub import Hub
from hansa.service.places import Places
from hansa.service.views import Views

log = logging.getLogger(__name__)

STALE_AFTER_SECONDS = 86400.0
LISTEN_SECONDS = 10.0
GRACE_SECONDS = 60.0
"""So long a silence is none: watches break and are opened again, and a new process has yet to open its own, which it
does when a cluster has been well for half a minute."""
COUNT_SECONDS = 300.0
"""How often the Lease of a silent cluster is written; a process that dies takes no more than this along."""


@dataclass(slots=True)
class _Quiet:
    """Monotonic: since when this process hears nothing of a cluster, and up to when that is counted."""

    since: float
    counted: float


class Silences:
    """`stale_after_seconds`: 0 for never. `leases` has those of services alone."""

    name = "service-silence"

    def __init__(self, hub: Hub, places: Places, views: Views, stale_after_seconds: float) -> None:
        self.leases = Informer(hub.client, scheme.LEASES, fields=f"metadata.name={names.SERVICES_LEASE}")
        self.stale_after_seconds = stale_after_seconds
        self._hub = hub
        self._places = places
        self._views = views
        self._quiet: dict[str, _Quiet] = {}

    def of(self, cluster: str) -> Silence | None:
        """None of a cluster that is heard."""
        return silence_of(self.leases.store.get(lease_key(cluster)), self.stale_after_seconds)

    def is_stale(self, cluster: str) -> bool:
        silence = self.of(cluster)
        return silence is not None and silence.stale

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.leases.run(), name="informer of services' leases")
            group.create_task(self._listen(), name="listen to clusters")

    async def _listen(self) -> None:
        await self.leases.wait_synced()
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            now = loop.time()
            if now - last > GRACE_SECONDS:
                self._quiet.clear()  # nobody listened
            last = now
            clusters = self._places.names()
            for cluster in self._quiet.keys() - clusters:
                self._hears(cluster)
            for cluster in clusters:
                try:
                    await self._listen_to(cluster, now)
                except (ApiError, Unreachable) as error:
                    log.warning("silence is not counted: %s", error, extra={"cluster": cluster})
            await asyncio.sleep(LISTEN_SECONDS)

    async def _listen_to(self, cluster: str, now: float) -> None:
        lease = self.leases.store.get(lease_key(cluster))
        counted = silent_seconds(lease)
        if self._is_heard(cluster):
            self._hears(cluster)
            if lease is not None and counted is not None:
                await self._patch(lease.key, heard_patch(lease, self._hub.clock.now()))
            return
        if not self._has_been_heard(cluster):
            return
        quiet = self._quiet.setdefault(cluster, _Quiet(now, now))
        seconds = (counted or 0.0) + now - quiet.counted
        metrics.SERVICES_SILENT_SECONDS.labels(cluster).set(seconds)
        if now - quiet.since < GRACE_SECONDS or not self._is_due(counted, seconds):
            return
        quiet.counted = now  # whether it can be written or not
        heard = self._hub.clock.now() - timedelta(seconds=now - quiet.since)
        if lease is None:
            await self._hub.client.create(scheme.LEASES, lease_document(cluster, heard, seconds))
        else:
            await self._patch(lease.key, silent_patch(lease, seconds, heard if counted is None else None))

    def _is_due(self, counted: float | None, seconds: float) -> bool:
        """At the beginning, every so often, and when it is enough."""
        return counted is None or seconds - counted >= COUNT_SECONDS or counted < self.stale_after_seconds <= seconds

    def _is_heard(self, cluster: str) -> bool:
        member, view = self._hub.fleet.get(cluster), self._views.known(cluster)
        if member is None or not member.ready or view is None:
            return False
        return all(informer.connected for informer in view.informers)

    def _has_been_heard(self, cluster: str) -> bool:
        item = self._places.clusters.store.get(Key("", cluster))
        return item is not None and names.SERVICES_FINALIZER in (item.meta.finalizers or ())

    def _hears(self, cluster: str) -> None:
        self._quiet.pop(cluster, None)
        with suppress(KeyError):
            metrics.SERVICES_SILENT_SECONDS.remove(cluster)

    async def _patch(self, key: Key, patch: dict[str, object]) -> None:
        await self._hub.client.patch(scheme.LEASES, key.name, key.namespace, patch)
