"""Writes that all of services have in common: what is there already, or gone already, is no surprise."""

from __future__ import annotations

from collections.abc import Sequence

from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.base.patch import equal_json
from hansa.kube.client import Client
from hansa.kube.errors import AlreadyExists, NotFound
from hansa.runtime.controller import Retry


async def create(client: Client, resource: Resource, document: Json) -> Item:
    """Raises Retry when it is there: the cache has yet to show it, or somebody else was faster."""
    try:
        return await client.create(resource, document)
    except AlreadyExists as error:
        raise Retry(f"{document['metadata']['name']} is not seen yet") from error


async def delete(client: Client, resource: Resource, item: Item) -> None:
    """This very object, if it is still there."""
    try:
        await client.delete(resource, item.meta.name, item.meta.namespace, uid=item.meta.uid)
    except NotFound:
        return


def differing(live: Item, document: Json, fields: Sequence[str]) -> Json:
    """A merge patch with those of the top-level fields that are not as the document has them; empty when all are.

    Null and empty are the same.
    """
    body = live.json()
    return {f: document.get(f) for f in fields if not equal_json(body.get(f) or [], document.get(f) or [])}
