"""Slices of providers, attached to the Service of the same name in consumers ("native name")."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.combine.source import SourceSlice, read_source
from hansa.service.silence import Silences
from hansa.service.views import BY_ATTACHED, View, Views
from hansa.service.write import create, delete, differing


@dataclass(frozen=True, slots=True)
class Attacher:
    """Of providers that are not known right now, what they gave so far stays, until it is stale."""

    views: Views
    silences: Silences

    async def attach(self, key: Key, consumer: View, providers: Collection[str]) -> None:
        """Bring the consumer's attached slices up to what `providers` have. Raises ApiError and Unreachable."""
        wanted: dict[str, Json] = {}
        silent: set[str] = set()
        for provider in providers:
            if provider == consumer.name or self.silences.is_stale(provider):
                continue
            view = self.views.known(provider)
            if view is None:
                silent.add(provider)
                continue
            for source in read_source(view.own_slices(key), ()).slices:
                document = _document(key, provider, source)
                wanted[document["metadata"]["name"]] = document
        for live in attached(consumer, key):
            document = wanted.pop(live.meta.name, None)
            if document is not None:
                await _change(consumer, live, document)
            elif live.annotations.get(names.PROVISION_CLUSTER_ANNOTATION) not in silent:
                await delete(consumer.client, scheme.ENDPOINT_SLICES, live)
        for document in wanted.values():
            await create(consumer.client, scheme.ENDPOINT_SLICES, document)

    async def detach(self, key: Key, consumer: View) -> None:
        """Take all of them away."""
        for live in attached(consumer, key):
            await delete(consumer.client, scheme.ENDPOINT_SLICES, live)


def attached(view: View, key: Key) -> Iterator[Item]:
    """Those that bear our marks."""
    return (item for item in view.slices.store.by(BY_ATTACHED, str(key)) if not item.deleting)


def _document(key: Key, provider: str, source: SourceSlice) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{provider}-{source.name}",
            "namespace": key.namespace,
            "labels": {
                names.SERVICE_LABEL: key.name,
                names.MANAGED_BY_LABEL: names.KARMADA_DISPATCHED_SLICE_MANAGER,
            },
            "annotations": {names.PROVISION_CLUSTER_ANNOTATION: provider},
        },
        "addressType": source.family,
        "endpoints": [{f: v for f, v in each.items() if f not in ("nodeName", "hints")} for each in source.endpoints],
        "ports": list(source.ports),
    }


async def _change(view: View, live: Item, document: Json) -> None:
    patch = differing(live, document, ("endpoints", "ports"))
    if patch:
        patch["metadata"] = {"resourceVersion": live.meta.resource_version}
        await view.client.patch(scheme.ENDPOINT_SLICES, live.meta.name, live.meta.namespace, patch)
