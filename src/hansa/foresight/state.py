"""What a hub holds at one moment of a rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import GVK, Key
from hansa.apiserver.embedded import Embedded

BINDINGS = (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS)


@dataclass(frozen=True, slots=True)
class State:
    """`bindings` of both scopes by key; `others` are users' objects by kind and key."""

    bindings: Mapping[Key, Item]
    works: Mapping[Key, Item]
    others: Mapping[tuple[GVK, Key], Item]
    events: tuple[Item, ...]

    @classmethod
    def of(cls, server: Embedded) -> State:
        context = server.context
        bindings: dict[Key, Item] = {}
        works: dict[Key, Item] = {}
        others: dict[tuple[GVK, Key], Item] = {}
        events: list[Item] = []
        binding_kinds = {resource.gvk for resource in BINDINGS}
        for served in context.resources.stored():
            for entry in context.bucket(served).entries.values():
                item = Item.parse(entry.raw)
                if item.gvk in binding_kinds:
                    bindings[item.key] = item
                elif item.gvk == scheme.WORKS.gvk:
                    works[item.key] = item
                elif item.kind == "Event":
                    events.append(item)
                elif not _of_the_plane(item):
                    others[item.gvk, item.key] = item
        return cls(bindings, works, others, tuple(events))


def _of_the_plane(item: Item) -> bool:
    name = item.meta.name if item.kind == "Namespace" else item.meta.namespace
    return name.startswith(names.EXECUTION_NAMESPACE_PREFIX)
