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
from hansa.schedule import Fit, Memory, Outcome, Request, Snapshot, schedule
from hansa.schedule.plugin import Plugins
from hansa.schedule.survey import IN_TREE


class Placer:
    """The place port: `place` is what dialects are handed."""

    def __init__(self, cache: Cache, clock: Clock, gates: Gates, plugins: Plugins = IN_TREE) -> None:
        self.clusters: Informer = cache.informer(scheme.CLUSTERS)
        self.groups = Groups(cache)
        self._assumed = Assumed(clock) if gates.enabled("SchedulingOvercommitProtection") else None
        cache.informer(scheme.RESOURCE_BINDINGS).subscribe(self._binding_changed)
        self._memory = Memory(plugins)
        self.snapshot = Snapshot.of([], models=gates.enabled("CustomizedClusterResourceModeling"))
        self.clusters.subscribe(self._changed)

    def decide(self, spec: BindingSpec, status: BindingStatus) -> Outcome | None:
        """None while the clusters are not known: that is not the same as none. Raises ValueError without placement."""
        if not self.clusters.synced:
            return None
        assumed = self._assumed.loads() if self._assumed is not None and spec.is_workload else None
        request = Request.of(spec, status, self.groups.peers(spec), assumed)
        return schedule(request, self.snapshot, self._memory.survey)

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
        if change.new is None:
            self.snapshot = self.snapshot.without(change.item.meta.name)
        else:
            self.snapshot = self.snapshot.changed(change.new.as_(Cluster))
