"""Statuses and their conditions, written only when they differ."""

from __future__ import annotations

from collections.abc import Mapping

from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.kube.client import Client


def condition(conditions: list[Json], type_: str) -> Json | None:
    return next((entry for entry in conditions if entry.get("type") == type_), None)


def with_condition(
    conditions: list[Json], type_: str, status: str, reason: str, message: str, now: str, *, updates: bool = False
) -> list[Json]:
    """The conditions with one set. Same status and reason: nothing changes. `lastTransitionTime` moves with the status.

    `updates` also sets lastUpdateTime, which Deployments have.
    """
    current = condition(conditions, type_)
    if current is not None and current.get("status") == status and current.get("reason", "") == reason:
        return conditions
    kept = current.get("lastTransitionTime") if current is not None and current.get("status") == status else None
    entry: Json = {"type": type_, "status": status, "lastTransitionTime": kept or now}
    if updates:
        entry["lastUpdateTime"] = now
    if reason:
        entry["reason"] = reason
    if message:
        entry["message"] = message
    return [*without_condition(conditions, type_), entry]


def without_condition(conditions: list[Json], type_: str) -> list[Json]:
    return [entry for entry in conditions if entry.get("type") != type_]


def counts(**numbers: int | None) -> Json:
    """Fields that the API leaves out when they are zero."""
    return {name: number for name, number in numbers.items() if number}


def status_patch(old: Json | None, new: Json) -> Json:
    """Merge patch from one status to another, field by field; empty when they are equal."""
    before = old or {}
    patch: Json = {name: None for name in before if name not in new}
    for name, value in new.items():
        if before.get(name) != value:
            earlier = before.get(name)
            if isinstance(value, dict) and isinstance(earlier, dict):
                value = {**{key: None for key in earlier if key not in value}, **value}
            patch[name] = value
    return patch


async def write_status(
    client: Client,
    resource: Resource,
    item: Item,
    new: Json,
    *,
    fresh: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> Item | None:
    """Write a status if it differs from the item's, and return what the object is then.

    `fresh` refuses when the object has changed since it was read (Conflict). `annotations` are written with it: unlike
    other writes, those to the status do not make a new generation.
    """
    patch = status_patch(item.json().get("status"), new)
    missing = {name: value for name, value in (annotations or {}).items() if item.annotations.get(name) != value}
    if not patch and not missing:
        return None
    body: Json = {"status": patch}
    metadata: Json = {}
    if fresh:
        metadata["resourceVersion"] = item.meta.resource_version
    if missing:
        metadata["annotations"] = missing
    if metadata:
        body["metadata"] = metadata
    return await client.patch(resource, item.meta.name, item.meta.namespace or None, body, subresource="status")
