"""Who controls an object: references to the controller, adoption of orphans, release of what no longer fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hansa.api.item import Item
from hansa.api.meta import Json, Key, LabelSelector, OwnerReference, Resource
from hansa.base.selector import Labels, labels_of
from hansa.kube.client import Client
from hansa.kube.errors import Conflict, Invalid, NotFound
from hansa.runtime.informer import Change
from hansa.runtime.store import Store

BY_CONTROLLER = "controller"


def controller_of(item: Item) -> OwnerReference | None:
    return next((ref for ref in item.meta.owner_references or () if ref.controller), None)


def index_by_controller(item: Item) -> Iterable[str]:
    """Index function: the controller's uid, or the namespace of an orphan."""
    ref = controller_of(item)
    return (ref.uid if ref is not None else _orphans(item.meta.namespace),)


def candidates(store: Store, owner: Item) -> list[Item]:
    """What `owner` controls, and what nobody does in its namespace."""
    return [*store.by(BY_CONTROLLER, owner.meta.uid), *store.by(BY_CONTROLLER, _orphans(owner.meta.namespace))]


def selector_of(selector: Json | None) -> Labels:
    """From a metav1.LabelSelector. Raises SelectorError."""
    struct = msgspec.convert(selector or {}, LabelSelector)
    return labels_of(struct.match_labels, struct.match_expressions)


async def claim(client: Client, resource: Resource, owner: Item, selector: Labels, found: Iterable[Item]) -> list[Item]:
    """Of `found`, what `owner` controls after matching orphans were adopted and strangers released.

    Raises ApiError other than those that say that the object changed meanwhile.
    """
    claimed: list[Item] = []
    for item in found:
        ref = controller_of(item)
        fits = selector.matches(item.labels)
        if ref is not None:
            if ref.uid != owner.meta.uid:
                continue
            if fits or owner.deleting:
                claimed.append(item)
            else:
                await _release(client, resource, owner, item)
        elif fits and not owner.deleting and not item.deleting:
            adopted = await _adopt(client, resource, owner, item)
            if adopted is not None:
                claimed.append(adopted)
    return claimed


def owner_key(item: Item, kind: str) -> Key | None:
    """Key of the controller when it is of `kind`."""
    ref = controller_of(item)
    return Key(item.meta.namespace, ref.name) if ref is not None and ref.kind == kind else None


def owners(change: Change, kind: str, adopters: Store | None = None) -> Iterator[Key]:
    """Keys of the controllers of `kind` that a change concerns: the one before and the one after.

    An orphan concerns those of `adopters` whose selector means it.
    """
    for item in (change.old, change.new):
        key = owner_key(item, kind) if item is not None else None
        if key is not None:
            yield key
        elif adopters is not None and item is not None and item is change.new and controller_of(item) is None:
            for owner in adopters.list(item.meta.namespace):
                if selector_of(owner.json()["spec"].get("selector")).matches(item.labels):
                    yield owner.key


async def _adopt(client: Client, resource: Resource, owner: Item, item: Item) -> Item | None:
    references = [*_references(item), owner.as_owner()]
    try:
        return await client.patch(resource, item.meta.name, item.meta.namespace, _patch(item, references))
    except (NotFound, Conflict, Invalid):
        return None


async def _release(client: Client, resource: Resource, owner: Item, item: Item) -> None:
    references = [ref for ref in _references(item) if ref["uid"] != owner.meta.uid]
    try:
        await client.patch(resource, item.meta.name, item.meta.namespace, _patch(item, references))
    except (NotFound, Conflict, Invalid):
        return


def _references(item: Item) -> list[Json]:
    return list(item.json()["metadata"].get("ownerReferences") or [])


def _patch(item: Item, references: list[Json]) -> Json:
    return {"metadata": {"resourceVersion": item.meta.resource_version, "ownerReferences": references or None}}


def _orphans(namespace: str) -> str:
    return f"orphans/{namespace}"
