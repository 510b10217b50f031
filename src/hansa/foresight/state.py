"""What a hub holds at one moment of a rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import GVK, Key
from hansa.apiserver.embedded import Embedded
from hansa.apiserver.storage import Entry

BINDINGS = (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS)


@dataclass(frozen=True, slots=True)
class State:
    """`bindings` of both scopes by key; `others` are users' objects by kind and key. `read` has every object by the
    place where the server keeps it: what has not changed is the same in the next state."""

    bindings: Mapping[Key, Item]
    works: Mapping[Key, Item]
    others: Mapping[tuple[GVK, Key], Item]
    events: tuple[Item, ...]
    read: Mapping[Entry, Item]

    @classmethod
    def of(cls, server: Embedded, before: State | None = None) -> State:
        """`before`: an earlier state of the same server."""
        context = server.context
        known = before.read if before is not None else {}
        read: dict[Entry, Item] = {}
        bindings: dict[Key, Item] = {}
        works: dict[Key, Item] = {}
        others: dict[tuple[GVK, Key], Item] = {}
        events: list[Item] = []
        binding_kinds = {resource.gvk for resource in BINDINGS}
        for served in context.resources.stored():
            for entry in context.bucket(served).entries.values():
                item = read[entry] = known.get(entry) or Item.parse(entry.raw)
                if item.gvk in binding_kinds:
                    bindings[item.key] = item
                elif item.gvk == scheme.WORKS.gvk:
                    works[item.key] = item
                elif item.kind == "Event":
                    events.append(item)
                elif not _of_the_plane(item):
                    others[item.gvk, item.key] = item
        return cls(bindings, works, others, tuple(events), read)


def _of_the_plane(item: Item) -> bool:
    name = item.meta.name if item.kind == "Namespace" else item.meta.namespace
    return name.startswith(names.EXECUTION_NAMESPACE_PREFIX)
