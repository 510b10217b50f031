"""Watch every kind on the hub that can be a template, and notice what happens to its objects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.base.patch import equal_json
from hansa.dialect.karmada.claimer import TemplateKey, Why
from hansa.dialect.karmada.hub import Hub
from hansa.dialect.karmada.scope import is_template, templates
from hansa.kube.errors import ApiError, Unreachable
from hansa.runtime.informer import Change, Informer

log = logging.getLogger(__name__)

CRD_DELAY_SECONDS = 0.2
"""A definition is served a moment after it is stored."""


class Detector:
    """A loop: discovery now and then, and at once when a definition changes.

    `look_at` gets the template, why, and whether it was there when we came.
    """

    name = "detect"

    def __init__(self, hub: Hub, look_at: Callable[[TemplateKey, Why, bool], None]) -> None:
        self._hub = hub
        self._look_at = look_at
        self._watched: dict[Resource, Informer] = {}
        self._wake = asyncio.Event()
        hub.cache.informer(scheme.CRDS).subscribe(self._definition_changed)

    async def run(self) -> None:
        while True:
            try:
                await self._hub.client.discovery.refresh()
                self.watch(templates(await self._hub.client.discovery.resources(), self._hub.options.skipped_apis))
            except (ApiError, Unreachable) as error:
                log.warning("discovery failed: %s", error)
            self._wake.clear()
            try:
                async with asyncio.timeout(self._hub.options.discovery_seconds):
                    await self._wake.wait()
                await asyncio.sleep(CRD_DELAY_SECONDS)
            except TimeoutError:
                continue

    @property
    def settled(self) -> bool:
        """Whether every kind that was found has been listed."""
        return bool(self._watched) and all(informer.synced for informer in self._watched.values())

    def watch(self, resources: list[Resource]) -> None:
        """Start what is new. Informers of kinds that have gone end by themselves."""
        for resource in resources:
            informer = self._hub.cache.informer(resource)
            if self._watched.get(resource) is not informer:
                self._watched[resource] = informer
                informer.subscribe(self._listener(resource))

    def _listener(self, resource: Resource) -> Callable[[Change], None]:
        def heard(change: Change) -> None:
            item = change.item
            if not is_template(item, self._hub.options.skipped_namespaces):
                return
            why = why_of(change)
            if why is not None:
                self._look_at(TemplateKey(resource, item.meta.namespace, item.meta.name), why, change.initial)

        return heard

    def _definition_changed(self, change: Change) -> None:
        if not change.initial:
            self._wake.set()


def why_of(change: Change) -> Why | None:
    """What a change asks for; None when nothing that matters has changed, or the object is gone."""
    old, new = change.old, change.new
    if new is None:
        return None
    if old is None:
        return Why.FOUND if change.initial else Why.USER
    if _same_generation(old, new) and _user_metadata(old) == _user_metadata(new):
        return None if old.labels == new.labels and old.annotations == new.annotations else Why.KARMADA
    before, after = _without_noise(old), _without_noise(new)
    if equal_json(before, after):
        return None
    return Why.KARMADA if equal_json(_users(before), _users(after)) else Why.USER


def _same_generation(old: Item, new: Item) -> bool:
    """Kinds that count generations tell by it whether their spec is as it was."""
    return (
        new.meta.generation > 0
        and old.meta.generation == new.meta.generation
        and old.meta.owner_references == new.meta.owner_references
        and old.meta.finalizers == new.meta.finalizers
        and old.deleting == new.deleting
    )


def _user_metadata(item: Item) -> tuple[dict[str, str], dict[str, str]]:
    labels = {key: value for key, value in item.labels.items() if not _is_ours(key, label=True)}
    annotations = {key: value for key, value in item.annotations.items() if not _is_ours(key, label=False)}
    return labels, annotations


def _is_ours(key: str, *, label: bool) -> bool:
    return ".karmada.io" in key and not (label and key == names.SKIP_AUTO_PROPAGATION_LABEL)


def _without_noise(item: Item) -> Json:
    document = item.json()
    document.pop("status", None)
    for name in ("managedFields", "resourceVersion"):
        document["metadata"].pop(name, None)
    return document


def _users(document: Json) -> Json:
    """Without what Karmada itself writes on templates."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "generation"}
    for member in ("labels", "annotations"):
        kept = {
            key: value
            for key, value in (metadata.get(member) or {}).items()
            if not _is_ours(key, label=member == "labels")
        }
        metadata[member] = kept
    return {**document, "metadata": metadata}
