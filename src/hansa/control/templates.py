"""The hub's objects that bindings speak of: from the cache when a watch keeps it current, else from the server."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api.core import ObjectReference
from hansa.api.item import Item
from hansa.api.meta import GVK, Key
from hansa.kube.client import Client
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import NotFound
from hansa.runtime.cache import Cache


@dataclass(frozen=True, slots=True)
class Templates:
    hub: Client
    cache: Cache

    async def get(self, reference: ObjectReference) -> Item | None:
        """None when the hub has no such object. Raises Unreachable and ApiErrors: then nothing is known."""
        try:
            resource = await self.hub.discovery.resource_for(GVK.of(reference.api_version, reference.kind))
        except NoMatch:
            return None
        informer = self.cache.started(resource)
        if informer is not None and informer.synced:
            found = informer.store.get(Key(reference.namespace, reference.name))
            if found is not None and not _older(found.meta.resource_version, reference.resource_version):
                return found
        # the cache may be behind a template that was just made or changed
        try:
            return await self.hub.get(resource, reference.name, reference.namespace or None)
        except NotFound:
            return None


def _older(version: str, than: str) -> bool:
    """Versions of one resource on one server grow (Kubernetes API concepts: resource versions)."""
    return version.isdigit() and than.isdigit() and int(version) < int(than)
