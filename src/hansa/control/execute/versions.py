"""Which version of a member's object was last written or accepted, so that the echo of it is not taken for drift."""

from __future__ import annotations

from typing import NamedTuple

from hansa.api.item import Item
from hansa.api.meta import Key, Resource
from hansa.runtime.store import Store


class Place(NamedTuple):
    cluster: str
    resource: Resource
    key: Key


class _Seen(NamedTuple):
    version: str
    work: Key


class Versions:
    def __init__(self) -> None:
        self._seen: dict[tuple[str, Resource], dict[Key, _Seen]] = {}

    def record(self, place: Place, item: Item, work: Key) -> None:
        self._seen.setdefault((place.cluster, place.resource), {})[place.key] = _Seen(item.meta.resource_version, work)

    def get(self, place: Place) -> str | None:
        seen = self._of(place.cluster, place.resource).get(place.key)
        return seen.version if seen is not None else None

    def forget(self, place: Place) -> None:
        self._of(place.cluster, place.resource).pop(place.key, None)

    def missing(self, cluster: str, resource: Resource, store: Store) -> list[Key]:
        """Works whose object is not in `store`, though it was written."""
        return [seen.work for key, seen in self._of(cluster, resource).items() if store.get(key) is None]

    def _of(self, cluster: str, resource: Resource) -> dict[Key, _Seen]:
        return self._seen.get((cluster, resource), {})


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
