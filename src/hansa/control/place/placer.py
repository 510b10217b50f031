"""Decide over the clusters that the cache knows, all decisions over one snapshot until a cluster changes."""

from __future__ import annotations

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus
from hansa.runtime.cache import Cache
from hansa.runtime.informer import Change, Informer
from hansa.schedule import Outcome, Request, Snapshot, schedule


class Placer:
    """The place port: `decide` is what dialects are handed."""

    def __init__(self, cache: Cache) -> None:
        self.clusters: Informer = cache.informer(scheme.CLUSTERS)
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
        return schedule(Request.of(spec, status), self.snapshot)

    def _changed(self, change: Change) -> None:
        name = change.item.meta.name
        if change.new is None:
            self._clusters.pop(name, None)
        else:
            self._clusters[name] = change.new.as_(Cluster)
        self._snapshot = None
