"""What is on its way to clusters and not in their status yet, so that two decisions do not take the same room.

Karmada's assumed workloads (gate SchedulingOvercommitProtection).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from hansa.api.meta import Key
from hansa.api.work import BindingSpec, BindingStatus, TargetCluster
from hansa.base.clock import Clock
from hansa.base.names import binding_name
from hansa.schedule.arriving import LIFETIME_SECONDS, age_seconds, arriving
from hansa.schedule.capacity import Demand, Load
from hansa.schedule.request import load_of


@dataclass(slots=True, order=True)
class _Entry:
    until: float
    key: Key
    clusters: dict[str, Load] = field(compare=False)


class Assumed:
    """By binding, until the object is healthy in the cluster, the cluster is left, or the time is over.

    `forgets`: False where nothing ever arrives, so that it would be over without the room being taken.
    """

    def __init__(self, clock: Clock, *, forgets: bool = True) -> None:
        self._clock = clock
        self._forgets = forgets
        self._entries: dict[Key, _Entry] = {}
        self._ends: list[_Entry] = []
        """Entries as a heap, the first to end on top; some are dropped already."""
        self._totals: dict[str, Counter[Demand]] = {}
        self._loads: dict[str, Load] = {}
        """The totals as they are handed out: the same value as long as nothing changes."""

    def add(self, spec: BindingSpec, targets: Sequence[TargetCluster]) -> None:
        """Take the place of what was assumed of this binding before."""
        self.drop(key_of(spec))
        if spec.is_workload:
            self._keep(spec, {target.name: load_of(spec, target) for target in targets}, 0.0)

    def recall(self, spec: BindingSpec, status: BindingStatus) -> None:
        """What was decided before this memory began."""
        now = self._clock.now()
        self._keep(spec, dict(arriving(spec, status, now)), age_seconds(status, now) or 0.0)

    def _keep(self, spec: BindingSpec, clusters: dict[str, Load], age: float) -> None:
        if not clusters:
            return
        key = key_of(spec)
        entry = self._entries[key] = _Entry(self._clock.monotonic() - age + LIFETIME_SECONDS, key, clusters)
        if self._forgets:
            heappush(self._ends, entry)
        for name, load in clusters.items():
            self._count(name, load, 1)

    def drop(self, key: Key, clusters: Collection[str] | None = None) -> None:
        """All of a binding, or what it has in `clusters`."""
        entry = self._entries.get(key)
        if entry is None:
            return
        for name in list(entry.clusters) if clusters is None else clusters:
            load = entry.clusters.pop(name, None)
            if load is not None:
                self._count(name, load, -1)
        if not entry.clusters:
            del self._entries[key]

    def settle(self, key: Key, status: BindingStatus) -> None:
        """What is healthy is in its cluster's status."""
        if key in self._entries:
            self.drop(key, [each.cluster_name for each in status.aggregated_status or () if each.health == "Healthy"])

    def knows(self, key: Key) -> bool:
        return key in self._entries

    def loads(self, spec: BindingSpec) -> Mapping[str, Load]:
        """By cluster, for a decision on `spec`: of its own only what it is known to have, not what was decided and may
        never have been written."""
        now = self._clock.monotonic()
        while self._ends and self._ends[0].until <= now:
            entry = heappop(self._ends)
            if self._entries.get(entry.key) is entry:
                self.drop(entry.key)
        found = dict(self._loads)
        own = self._entries.get(key_of(spec))
        if own is not None:
            held = {target.name: load_of(spec, target) for target in spec.clusters or ()}
            for name, load in own.clusters.items():
                if load != held.get(name):
                    left = Counter(self._totals[name])
                    left.subtract(dict(load))
                    left.update(dict(held.get(name, ())))
                    found[name] = tuple((demand, count) for demand, count in left.items() if count > 0)
        return found

    def _count(self, name: str, load: Load, sign: int) -> None:
        counter = self._totals.setdefault(name, Counter())
        for demand, count in load:
            counter[demand] += sign * count
            if counter[demand] <= 0:
                del counter[demand]
        if counter:
            self._loads[name] = tuple(counter.items())
        else:
            del self._totals[name]
            self._loads.pop(name, None)


def key_of(spec: BindingSpec) -> Key:
    """The binding of a template."""
    return Key(spec.resource.namespace, binding_name(spec.resource.name, spec.resource.kind))
