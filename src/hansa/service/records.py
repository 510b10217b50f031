"""What is decided of each service, from the exports of all clusters: what publishing goes by.

Nothing here outlives the process, and nothing needs to: exports and imports say all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hansa.api.item import Item
from hansa.api.mcs import ServiceImport
from hansa.api.meta import Key
from hansa.api.routing import ServiceRoutingPolicySpec
from hansa.combine.export import Export, Invalid
from hansa.combine.merge import Merged
from hansa.combine.objects import made_of, route_of
from hansa.combine.silence import Silence
from hansa.combine.source import Source

NO_POLICY = ServiceRoutingPolicySpec()


@dataclass(frozen=True, slots=True)
class Record:
    """One service. `merged` is None when nobody exports it any more.

    sources: Of each exporter. silent: Exporters that cannot be asked now. silences: Since when exporters are not heard
    of; the share of one that was asked before is still known. draining: Clusters that no longer export, and whose
    connections are given time to end. range_faults: Clusters whose pod ranges cannot be read.
    """

    merged: Merged | None = None
    exports: dict[str, Export] = field(default_factory=dict[str, Export])
    invalid: dict[str, Invalid] = field(default_factory=dict[str, Invalid])
    sources: dict[str, Source] = field(default_factory=dict[str, Source])
    silent: frozenset[str] = frozenset()
    silences: dict[str, Silence] = field(default_factory=dict[str, Silence])
    draining: frozenset[str] = frozenset()
    range_faults: dict[str, str] = field(default_factory=dict[str, str])
    policy: ServiceRoutingPolicySpec = NO_POLICY

    @property
    def clusters(self) -> frozenset[str]:
        """All that have a share in it."""
        return frozenset(self.exports) | self.silent | self.draining

    @property
    def stale(self) -> frozenset[str]:
        """Whose endpoints are not believed any more."""
        return frozenset(cluster for cluster, silence in self.silences.items() if silence.stale)


@dataclass(frozen=True, slots=True)
class Records:
    """`importers`: for each service, which clusters import it, and whom each of them says it imports it from.

    obstacles: Why a cluster could not import a service.
    """

    _records: dict[Key, Record] = field(default_factory=dict[Key, Record])
    importers: dict[Key, dict[str, frozenset[str]]] = field(default_factory=dict[Key, dict[str, frozenset[str]]])
    obstacles: dict[Key, dict[str, str]] = field(default_factory=dict[Key, dict[str, str]])

    def get(self, key: Key) -> Record | None:
        return self._records.get(key)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._records))

    def put(self, key: Key, record: Record) -> bool:
        """Whether it differs from what was known."""
        if self._records.get(key) == record:
            return False
        self._records[key] = record
        return True

    def forget(self, key: Key) -> None:
        self._records.pop(key, None)
        self.obstacles.pop(key, None)

    def imported(self, cluster: str, key: Key, item: Item | None) -> frozenset[str]:
        """Note what a cluster imports now; returns the exporters whose share there has changed."""
        known = self.importers.setdefault(key, {})
        before = known.pop(cluster, frozenset[str]())
        now = frozenset[str]()
        if item is not None and made_of(item) is not None:
            now = known[cluster] = exporters_of(item)
        if not known:
            del self.importers[key]
        return before ^ now

    def importers_of(self, key: Key, exporter: str) -> int:
        """How many clusters import it from that one."""
        return sum(exporter in sources for sources in self.importers.get(key, {}).values())

    def hinders(self, cluster: str, key: Key, why: str) -> bool:
        """Note what keeps a cluster from importing, nothing when empty; whether that is news."""
        known = self.obstacles.setdefault(key, {})
        before = known.pop(cluster, "")
        if why:
            known[cluster] = why
        if not known:
            del self.obstacles[key]
        return before != why


def exporters_of(item: Item) -> frozenset[str]:
    """Whom an import is from: by its status, and by its route, which is there first."""
    status = item.as_(ServiceImport).status
    found = {entry.cluster for entry in (status.clusters if status is not None else None) or ()}
    route = route_of(item)
    if route is not None:
        found |= {backend.cluster for backend in route.backends}
        found |= {route.own.cluster} if route.own is not None else set()
    return frozenset(found)
