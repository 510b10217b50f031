"""What members would do with the Works of a rehearsal, as far as what is decided next depends on it: let go.

Nothing is applied and nothing gets healthy. A Work that is to end ends when its member could be reached, as execution
has it; what that means for the object in the member is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import Work
from hansa.base.names import cluster_of
from hansa.kube.client import Client
from hansa.kube.errors import NotFound
from hansa.runtime.cache import Cache
from hansa.runtime.controller import Controller
from hansa.runtime.informer import Change

Fate = Literal["deleted", "released", "waiting", "abandoned"]
"""`released`: the object stays, without our marks. `waiting`: deleted as soon as the member can be reached.
`abandoned`: the object stays as it is, for the Cluster has left and its member cannot be reached."""


class Ended(NamedTuple):
    """A Work that was told to end, as it was then."""

    work: Item
    fate: Fate


@dataclass(frozen=True, slots=True)
class StandIn:
    """`ended` has the first end of each Work; one that is made again afterwards was deleted all the same."""

    hub: Client
    cache: Cache
    ended: dict[Key, Ended] = field(default_factory=dict[Key, Ended])

    def controller(self) -> Controller[Key]:
        works, clusters = self.cache.informer(scheme.WORKS), self.cache.informer(scheme.CLUSTERS)
        controller = Controller("members", self, needs=(works, clusters))

        def changed(change: Change) -> None:
            if change.new is not None and change.new.deleting:
                controller.queue.add(change.new.key)

        works.subscribe(changed)
        return controller

    async def reconcile(self, key: Key) -> None:
        item = self.cache.informer(scheme.WORKS).store.get(key)
        finalizers = (item.meta.finalizers or []) if item is not None else []
        if item is None or not item.deleting or names.EXECUTION_FINALIZER not in finalizers:
            return
        fate = self._fate(item)
        self.ended.setdefault(key, Ended(item, fate))
        if fate == "waiting":
            return
        kept = [entry for entry in finalizers if entry != names.EXECUTION_FINALIZER]
        patch: Json = {"metadata": {"finalizers": kept, "resourceVersion": item.meta.resource_version}}
        try:
            await self.hub.patch(scheme.WORKS, key.name, key.namespace, patch)
        except NotFound:
            return

    def _fate(self, work: Item) -> Fate:
        found = self.cache.informer(scheme.CLUSTERS).store.get(Key("", cluster_of(work.meta.namespace) or ""))
        ready = found is not None and found.as_(Cluster).ready
        if found is None or (found.deleting and not ready):
            return "abandoned"
        if not ready:
            return "waiting"
        return "released" if work.as_(Work).spec.preserve_resources_on_deletion else "deleted"
