"""Where the other workloads of a binding's groups are (gate WorkloadAffinity)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.work import BindingSpec, ResourceBinding, WorkloadAffinityGroups
from hansa.control.place.assumed import key_of
from hansa.runtime.cache import Cache
from hansa.schedule.request import Peers

_INDEX = "workload group"


class _Named(msgspec.Struct):
    name: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    workload_affinity_groups: WorkloadAffinityGroups | None = None
    clusters: list[_Named] | None = None


class _Grouped(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


_decode = msgspec.json.Decoder(_Grouped).decode


def _values(groups: WorkloadAffinityGroups | None, namespace: str) -> dict[str, str]:
    if groups is None:
        return {}
    named = {"together": groups.affinity_group, "apart": groups.anti_affinity_group}
    return {side: f"{namespace}/{side}/{group}" for side, group in named.items() if group}


def _of_item(item: Item) -> Iterable[str]:
    if b'"workloadAffinityGroups"' not in item.raw:
        return ()
    return _values(_decode(item.raw).spec.workload_affinity_groups, item.meta.namespace).values()


class Groups:
    """Reads the cache, and what was just written as long as the cache is behind it."""

    def __init__(self, cache: Cache) -> None:
        self._store = cache.informer(scheme.RESOURCE_BINDINGS).store
        self._store.add_index(_INDEX, _of_item)
        self._written: dict[Key, Item] = {}

    def wrote(self, item: Item) -> None:
        if _of_item(item):
            self._written[item.key] = item

    def peers(self, spec: BindingSpec) -> Peers:
        values = _values(spec.workload_affinity_groups, spec.resource.namespace)
        if not values:
            return Peers()
        own = key_of(spec)
        together = self._clusters(values.get("together"), own)
        apart = self._clusters(values.get("apart"), own)
        return Peers(tuple(together), frozenset().union(*apart))

    def freed(self, old: Item, new: Item | None) -> Iterable[Key]:
        """Bindings of the same groups that are nowhere, if what others have of the groups may have changed."""
        values = set(_of_item(old))
        if not values or (new is not None and _decode(new.raw) == _decode(old.raw)):
            return
        for value in values:
            for item in self._store.by(_INDEX, value):
                if item.key != old.key and not _decode(item.raw).spec.clusters:
                    yield item.key

    def _clusters(self, value: str | None, own: Key) -> list[frozenset[str]]:
        """Of each other binding of the group that has any."""
        if value is None:
            return []
        items = {item.key: item for item in self._store.by(_INDEX, value)}
        for key, item in list(self._written.items()):
            known = self._store.get(key)
            if known is not None and int(known.meta.resource_version) >= int(item.meta.resource_version):
                del self._written[key]
            elif value in _of_item(item):
                items[key] = item
        specs = (item.as_(ResourceBinding).spec for key, item in items.items() if key != own)
        return [frozenset(target.name for target in spec.clusters) for spec in specs if spec.clusters]
