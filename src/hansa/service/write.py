"""Writes that all of services have in common: what is there already, or gone already, is no surprise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hansa.api.conditions import documents, with_condition
from hansa.api.item import Item
from hansa.api.meta import Condition, Json, Resource
from hansa.base.patch import equal_json
from hansa.combine.verdict import settled
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


async def report(
    client: Client,
    resource: Resource,
    item: Item,
    wanted: Iterable[Condition],
    now: datetime,
    *,
    ours: Collection[str] = (),
    **fields: Any,
) -> Item | None:
    """Set conditions and other `fields` of the status. What was written; None when all is said, or the object is gone.

    Conditions of types that are `ours` and not wanted go, all others stay. A status that cannot be read has none.
    """
    status: Json = item.json().get("status") or {}
    try:
        old = msgspec.convert(status.get("conditions") or [], list[Condition])
    except msgspec.ValidationError:
        old = []
    wanted = list(wanted)
    conditions = settled(old, wanted, ours)
    for condition in wanted:
        conditions = with_condition(conditions, condition, now)
    change: Json = {field: value for field, value in fields.items() if (status.get(field) or None) != (value or None)}
    if conditions != old:
        change["conditions"] = documents(conditions)
    if not change:
        return None
    try:
        return await client.patch_status(resource, item, change)
    except NotFound:
        return None


def differing(live: Item, document: Json, fields: Sequence[str]) -> Json:
    """A merge patch with those of the top-level fields that are not as the document has them; empty when all are.

    Null and empty are the same.
    """
    body = live.json()
    return {f: document.get(f) for f in fields if not equal_json(body.get(f) or [], document.get(f) or [])}
