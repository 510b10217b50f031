"""Decide on one service: who exports it, what these exports make together, who is being left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.routing import ServiceRoutingPolicySpec
from hansa.combine.export import Export, Invalid, read_export
from hansa.combine.merge import Incumbent, Merged, merge
from hansa.combine.objects import incumbent_of
from hansa.combine.silence import Silence
from hansa.combine.source import Source, read_source
from hansa.runtime.controller import Requeue
from hansa.service.hub import Hub
from hansa.service.places import Places
from hansa.service.policies import read_policy
from hansa.service.records import Record, Records
from hansa.service.silence import Silences
from hansa.service.views import View, Views, concerns

DRAIN_SECONDS = 10.0
"""How long what is open to a cluster that no longer exports may go on."""
EXPORTS_MAX = 5000
"""For each cluster."""


class Target(NamedTuple):
    """A service in one cluster."""

    cluster: str
    key: Key


@dataclass(slots=True)
class _Found:
    exports: dict[str, Export] = field(default_factory=dict[str, Export])
    invalid: dict[str, Invalid] = field(default_factory=dict[str, Invalid])
    sources: dict[str, Source] = field(default_factory=dict[str, Source])
    range_faults: dict[str, str] = field(default_factory=dict[str, str])
    unknown: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Aggregator:
    """`drains`: since when (monotonic) each cluster is being left. `on_hub`: clusters of whose endpoints the hub has
    slices. `publish` is told of each import to be looked at, `decided` of each service whose record has changed."""

    hub: Hub
    places: Places
    views: Views
    records: Records
    silences: Silences
    on_hub: Callable[[Key], frozenset[str]]
    publish: Callable[[Target], None]
    decided: Callable[[Key], None]
    drains: dict[Target, float] = field(default_factory=dict[Target, float])

    async def reconcile(self, key: Key) -> Requeue | None:
        old = self.records.get(key)
        found = self._look(key)
        imported = self._imported_from(key)
        before = imported | (old.clusters if old is not None else frozenset())
        gone = before - set(found.exports) - found.unknown
        draining, wait = self._drain(key, gone, set(found.exports), imported)
        silent = frozenset(before & found.unknown)
        incumbent = Incumbent(old.merged.offer, old.merged.since) if old and old.merged else self._incumbent(key)
        merged = merge(found.exports.values(), incumbent, silent=bool(silent))
        if merged is None and draining and incumbent is not None:
            merged = Merged(incumbent.offer, incumbent.since)
        record = Record(
            merged,
            found.exports,
            found.invalid,
            found.sources,
            silent,
            self._silences({*found.exports, *silent}),
            frozenset(draining),
            found.range_faults,
            self._policy(key),
        )
        changed = self.records.put(key, record)
        if changed or old is None:
            self.decided(key)
            for view in self.views:
                if concerns(view, key):
                    self.publish(Target(view.name, key))
        if merged is None and not found.invalid and not self.records.importers.get(key) and not imported:
            self.records.forget(key)
        return Requeue(wait) if wait is not None else None

    def _look(self, key: Key) -> _Found:
        found = _Found()
        for cluster in self.places.names():
            view = self.views.known(cluster)
            if view is None or self.silences.is_stale(cluster):
                found.unknown.add(cluster)
                continue
            item = view.exports.store.get(key)
            if item is not None and not item.deleting:
                self._take(found, view, item)
        return found

    def _take(self, found: _Found, view: View, item: Item) -> None:
        read = self._read(view, item)
        if isinstance(read, Invalid):
            found.invalid[view.name] = read
            return
        found.exports[view.name] = read
        try:
            ranges = self.places.ranges(view.name)
        except ValueError as error:
            ranges = ()
            found.range_faults[view.name] = str(error)
        found.sources[view.name] = read_source(view.own_slices(item.key), ranges)

    def _read(self, view: View, item: Item) -> Export | Invalid:
        try:
            read = read_export(view.name, item, view.services.store.get(item.key))
        except msgspec.ValidationError as error:
            return Invalid("InvalidMetadata", f"the export cannot be read: {error}")
        if isinstance(read, Export) and len(view.exports.store) > EXPORTS_MAX and not _is_among_first(view, item):
            return Invalid("TooManyExports", f"this cluster exports more than {EXPORTS_MAX} services: the oldest are")
        return read

    def _silences(self, clusters: Collection[str]) -> dict[str, Silence]:
        return {each: silence for each in clusters if (silence := self.silences.of(each)) is not None}

    def _imported_from(self, key: Key) -> frozenset[str]:
        return self.on_hub(key).union(*self.records.importers.get(key, {}).values())

    def _incumbent(self, key: Key) -> Incumbent | None:
        """What most members import; after a restart, they are what is remembered by."""
        found: dict[bytes, Incumbent] = {}
        tally: Counter[bytes] = Counter()
        for view in self.views:
            item = view.import_of(key)
            try:
                incumbent = incumbent_of(item) if item is not None else None
            except msgspec.ValidationError:
                continue
            if incumbent is not None:
                text = msgspec.json.encode((incumbent.since, incumbent.offer), order="deterministic")
                found[text] = incumbent
                tally[text] += 1
        return found[min(tally, key=lambda text: (-tally[text], text))] if tally else None

    def _drain(
        self, key: Key, gone: frozenset[str], exporting: set[str], imported: frozenset[str]
    ) -> tuple[set[str], float | None]:
        """Who is being left, and how long until the first of them has been."""
        now = asyncio.get_running_loop().time()
        for cluster in exporting:
            self.drains.pop(Target(cluster, key), None)
        draining: set[str] = set()
        waits: list[float] = []
        for cluster in gone:
            left = self.drains.setdefault(Target(cluster, key), now) + DRAIN_SECONDS - now
            if left > 0:
                draining.add(cluster)
                waits.append(left)
            elif cluster not in imported:
                del self.drains[Target(cluster, key)]  # until then it is not left a second time
        return draining, min(waits, default=None)

    def _policy(self, key: Key) -> ServiceRoutingPolicySpec:
        return read_policy(self.hub.cache.informer(scheme.SERVICE_ROUTING_POLICIES).store.get(key))


def _is_among_first(view: View, item: Item) -> bool:
    def age(each: Item) -> tuple[str, Key]:
        return (each.meta.creation_timestamp or "", each.key)

    return sum(age(each) < age(item) for each in view.exports.store) < EXPORTS_MAX
