"""Which version of a member's object was last written or accepted, so that the echo of it is not taken for drift."""

from __future__ import annotations

from typing import NamedTuple

from hansa.api.item import Item
from hansa.api.meta import Key, Resource


class Place(NamedTuple):
    cluster: str
    resource: Resource
    key: Key


class Versions:
    def __init__(self) -> None:
        self._seen: dict[Place, str] = {}

    def record(self, place: Place, item: Item) -> None:
        self._seen[place] = item.meta.resource_version

    def get(self, place: Place) -> str | None:
        return self._seen.get(place)

    def forget(self, place: Place) -> None:
        self._seen.pop(place, None)


def only_status_differs(old: Item, new: Item) -> bool:
    """Whether nothing but status moved, for kinds that count generations of their spec."""
    before, after = old.meta, new.meta
    return (
        after.generation > 0
        and before.generation == after.generation
        and before.labels == after.labels
        and before.annotations == after.annotations
        and before.finalizers == after.finalizers
        and before.deletion_timestamp == after.deletion_timestamp
        and before.owner_references == after.owner_references
    )
