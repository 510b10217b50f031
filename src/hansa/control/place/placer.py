"""Decide over the clusters that the cache knows, all decisions over one snapshot until a cluster changes."""

from __future__ import annotations

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus, ResourceBinding
from hansa.base.clock import Clock
from hansa.base.gates import Gates
from hansa.control.place.assumed import Assumed
from hansa.control.place.groups import Groups
from hansa.runtime.cache import Cache
from hansa.runtime.informer import Change, Informer
from hansa.schedule import Fit, Outcome, Request, Snapshot, schedule


class Placer:
    """The place port: `place` is what dialects are handed."""

    def __init__(self, cache: Cache, clock: Clock, gates: Gates) -> None:
        self.clusters: Informer = cache.informer(scheme.CLUSTERS)
        self.groups = Groups(cache)
        self._assumed = Assumed(clock) if gates.enabled("SchedulingOvercommitProtection") else None
        cache.informer(scheme.RESOURCE_BINDINGS).subscribe(self._binding_changed)
        self._snapshot: Snapshot | None = None
        self._clusters: dict[str, Cluster] = {}
        self.clusters.subscribe(self._changed)

    @property
    def snapshot(self) -> Snapshot:
        if self._snapshot is None:
            self._snapshot = Snapshot.of(self._clusters.values())
        return self._snapshot

    def decide(self, spec: BindingSpec, status: BindingStatus) -> Outcome | None:
        """None while the clusters are not known: that is not the same as none. Raises ValueError without placement."""
        if not self.clusters.synced:
            return None
        assumed = self._assumed.loads() if self._assumed is not None and spec.is_workload else None
        return schedule(Request.of(spec, status, self.groups.peers(spec), assumed), self.snapshot)

    def place(self, spec: BindingSpec, status: BindingStatus) -> Outcome | None:
        """`decide`, and have the next decisions reckon with it."""
        outcome = self.decide(spec, status)
        if isinstance(outcome, Fit) and self._assumed is not None and spec.resource.namespace:
            self._assumed.add(spec, outcome.targets)
        return outcome

    def _binding_changed(self, change: Change) -> None:
        if self._assumed is None or not self._assumed.knows(change.item.key):
            return
        if change.new is None:
            self._assumed.drop(change.item.key)
        else:
            self._assumed.settle(change.item.key, change.new.as_(ResourceBinding).status)

    def _changed(self, change: Change) -> None:
        name = change.item.meta.name
        if change.new is None:
            self._clusters.pop(name, None)
        else:
            self._clusters[name] = change.new.as_(Cluster)
        self._snapshot = None
