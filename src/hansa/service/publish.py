"""Bring one service in one cluster up to what is decided: conditions of its export, and its import.

Endpoints of one service and cluster are written once a second at most, the first at once: kube-proxy looks no more
often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Condition, Key
from hansa.combine.export import Offer
from hansa.combine.objects import route_of
from hansa.combine.routing import Exporter, as_it_was, listen_ports, may_import, ports_served
from hansa.combine.verdict import EXPORT_CONDITIONS, Ranges, invalid_export, silent_export, valid_export
from hansa.kube.errors import NotFound
from hansa.runtime.controller import Requeue
from hansa.service.aggregate import Target
from hansa.service.hub import Hub
from hansa.service.importer import Importer, Wanted
from hansa.service.pace import Pace
from hansa.service.places import Places
from hansa.service.records import Record, Records, exporters_of
from hansa.service.views import View, Views
from hansa.service.write import report

PACE_SECONDS = 1.0
OBSTACLE_SECONDS = 10.0
"""How long until what is in the way of an import is looked at again: nothing else tells when it goes."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """`tell` is given the targets whose exports have news."""

    hub: Hub
    places: Places
    views: Views
    records: Records
    importer: Importer
    tell: Callable[[Target], None]
    pace: Pace[Target] = field(default_factory=lambda: Pace[Target](PACE_SECONDS))

    async def reconcile(self, key: Target) -> Requeue | None:
        view, record = self.views.get(key.cluster), self.records.get(key.key)
        member = self.hub.fleet.get(key.cluster)
        if view is None or record is None or member is None or not member.ready:
            return None
        await self._conditions(view, key.key, record)
        if not view.known:
            return None
        loop = asyncio.get_running_loop()
        wait = self.pace.wait(key, loop.time())
        if wait > 0:
            return Requeue(wait)
        if await self._import(view, key.key, record):
            self.pace.wrote(key, loop.time())
        hindered = key.cluster in self.records.obstacles.get(key.key, {})
        return Requeue(OBSTACLE_SECONDS) if hindered else None

    # -- the import ---------------------------------------------------------------------------------------------------

    async def _import(self, view: View, key: Key, record: Record) -> bool:
        """Whether what was written is held to the pace."""
        merged = record.merged
        if (
            merged is None
            or not view.has_namespace(key.namespace)
            or not self.places.is_member(view.name)
            or not may_import(view.name, record.clusters, record.policy)
            or self._is_propagated(key)
        ):
            return await self._remove(view, key)
        place = self.places.get(view.name, view)
        before = route_of(view.import_of(key))
        silent = record.silent | self._unknown(view, key)
        exporters = [
            Exporter(
                self.places.get(cluster),
                ports_served(export.offer.ports, merged.offer.ports),
                record.sources[cluster].ready,
            )
            for cluster, export in record.exports.items()
        ]
        for cluster in sorted((silent | record.draining) - set(record.exports)):
            was = as_it_was(self.places.get(cluster), before, merged.offer, draining=cluster in record.draining)
            exporters.append(replace(was, ready=0) if cluster in record.stale else was)
        wanted = Wanted(
            key,
            merged,
            place,
            exporters,
            record.sources,
            record.policy,
            self._listen(view, key, merged.offer),
            silent - record.stale,
            record.silences,
        )
        outcome = await self.importer.apply(view, wanted)
        if self.records.hinders(view.name, key, outcome.obstacle):
            self._tell_exporters(key, record)
        return outcome.paced

    def _is_propagated(self, key: Key) -> bool:
        """Whether a ServiceImport on the hub says where it goes, by policies: Karmada's way."""
        item = self.hub.cache.informer(scheme.SERVICE_IMPORTS).store.get(key)
        return item is not None and not item.deleting

    async def _remove(self, view: View, key: Key) -> bool:
        """Only what is ours, and only when all that it is from are known to be gone."""
        item = view.import_of(key)
        if item is None or item.deleting or (self.places.is_member(view.name) and self._unknown(view, key)):
            return False
        try:
            await view.client.delete(
                view.imports.resource,
                key.name,
                key.namespace,
                uid=item.meta.uid,
                resource_version=item.meta.resource_version,
                propagation="Background",
            )
        except NotFound:
            return False
        return True

    def _unknown(self, view: View, key: Key) -> frozenset[str]:
        """Whom the import is from that cannot be asked now."""
        item = view.import_of(key)
        found = exporters_of(item) if item is not None else frozenset[str]()
        found |= {slice_.labels.get(names.SOURCE_CLUSTER_LABEL, "") for slice_ in view.imported_slices(key)}
        return frozenset(each for each in found if self.places.is_member(each) and self.views.known(each) is None)

    def _listen(self, view: View, key: Key, offer: Offer) -> dict[str, int]:
        """Given out once there is a gateway, and kept while the import lives."""
        before = route_of(view.import_of(key))
        known = {port.label: port.listen for port in before.ports if port.listen} if before is not None else {}
        if offer.headless or not (known or view.gateway_addresses()):
            return {}
        taken = [number for number, owner in view.listen.items() if owner != key]
        found = listen_ports(key.namespace, key.name, offer.ports, known, taken)
        for number in found.values():
            view.listen[number] = key
        return found

    # -- the export ---------------------------------------------------------------------------------------------------

    async def _conditions(self, view: View, key: Key, record: Record) -> None:
        item = view.exports.store.get(key)
        if item is None or item.deleting:
            return
        wanted = self._verdict(view, item, record)
        if wanted is None:
            return
        ours = EXPORT_CONDITIONS if view.name not in record.silences else ()
        await report(view.client, view.exports.resource, item, wanted, self.hub.clock.now(), ours=ours)

    def _verdict(self, view: View, item: Item, record: Record) -> list[Condition] | None:
        """None while nothing is decided about it."""
        generation = item.meta.generation
        silence = record.silences.get(view.name)
        if silence is not None:
            return [silent_export(silence, generation)]
        if not view.known:
            return None
        invalid = record.invalid.get(view.name)
        if invalid is not None:
            return invalid_export(invalid, generation)
        if view.name not in record.exports or record.merged is None:
            return None
        obstacles = "; ".join(f"{c}: {why}" for c, why in sorted(self.records.obstacles.get(item.key, {}).items()))
        return valid_export(
            record.merged.conflicts,
            record.sources[view.name],
            Ranges(self.places.ranges_text(view.name), record.range_faults.get(view.name, "")),
            imported=self.records.importers_of(item.key, view.name) > 0 or self._is_propagated(item.key),
            obstacles=obstacles,
            generation=generation,
        )

    def _tell_exporters(self, key: Key, record: Record) -> None:
        for cluster in record.exports:
            self.tell(Target(cluster, key))
