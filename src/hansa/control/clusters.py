"""Clusters of the hub's cache, each decoded once."""

from __future__ import annotations

from dataclasses import dataclass, field

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.runtime.cache import Cache


@dataclass(frozen=True, slots=True)
class Clusters:
    """`decoded` holds the item that each was decoded from: another item of the name is another version."""

    cache: Cache
    decoded: dict[str, tuple[Item, Cluster]] = field(default_factory=dict[str, tuple[Item, Cluster]])

    def get(self, name: str) -> Cluster | None:
        item = self.cache.informer(scheme.CLUSTERS).store.get(Key("", name))
        if item is None:
            self.decoded.pop(name, None)
            return None
        known = self.decoded.get(name)
        if known is None or known[0] is not item:
            known = self.decoded[name] = (item, item.as_(Cluster))
        return known[1]
