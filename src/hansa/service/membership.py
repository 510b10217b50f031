"""A cluster that leaves gives back what it imported: until then a finalizer keeps its Cluster."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.combine.objects import made_of
from hansa.kube.errors import NotFound
from hansa.runtime.controller import Requeue
from hansa.service.hub import Hub
from hansa.service.peers import CONFIG_MAP
from hansa.service.places import Places
from hansa.service.views import View, Views
from hansa.service.write import delete

AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Membership:
    """Keys are names of clusters. Publishing removes the imports; this waits for it."""

    hub: Hub
    places: Places
    views: Views

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.places.clusters.store.get(key)
        if item is None:
            self.views.close(key.name)
            return None
        held = names.SERVICES_FINALIZER in (item.meta.finalizers or ())
        if not item.deleting:
            if not held and self.views.get(key.name) is not None:
                await self._set(item, [*(item.meta.finalizers or ()), names.SERVICES_FINALIZER])
            return None
        if not held:
            return None
        view = self.views.known(key.name)
        if view is not None and item.as_(Cluster).ready and not await self._is_clean(view):
            return Requeue(AGAIN_SECONDS)
        await self._set(item, [entry for entry in item.meta.finalizers or () if entry != names.SERVICES_FINALIZER])
        return None

    async def _is_clean(self, view: View) -> bool:
        peers = view.config_maps.store.get(CONFIG_MAP)
        if peers is not None:
            await delete(view.client, scheme.CONFIGMAPS, peers)
        return all(made_of(item) is None for item in view.imports.store)

    async def _set(self, item: Item, finalizers: list[str]) -> None:
        patch: Json = {"metadata": {"finalizers": finalizers, "resourceVersion": item.meta.resource_version}}
        try:
            await self.hub.client.patch(scheme.CLUSTERS, item.meta.name, None, patch)
        except NotFound:
            return
