"""What a Work's status says of one member object."""

from __future__ import annotations

from typing import Any

import msgspec

from hansa.api.item import Item
from hansa.api.meta import GVK, Json
from hansa.control.context import Interpret
from hansa.interpret.error import InterpretError
from hansa.interpret.question import Health, Reflect


class Reflection(msgspec.Struct, frozen=True):
    """An entry of `status.manifestStatuses`, and what went wrong while it was made."""

    entry: Json
    faults: dict[str, str]
    """By event reason."""


REFLECT_FAILED = "ReflectStatusFailed"
HEALTH_FAILED = "InterpretHealthFailed"


async def reflect(interpret: Interpret, ordinal: int, live: Item) -> Reflection:
    """Kinds that nobody can judge are healthy; what cannot be judged for a fault is Unknown."""
    document = live.json()
    faults: dict[str, str] = {}
    status: Any = None
    try:
        answer = await interpret(Reflect(document))
        status = answer.value if answer is not None else None
    except InterpretError as error:
        faults[REFLECT_FAILED] = str(error)
    health = "Healthy"
    try:
        judged = await interpret(Health(document))
        if judged is not None:
            health = "Healthy" if judged.value else "Unhealthy"
    except InterpretError as error:
        health = "Unknown"
        faults[HEALTH_FAILED] = str(error)
    entry: Json = {"identifier": identifier(ordinal, document), "health": health}
    if status is not None:
        entry["status"] = status
    return Reflection(entry, faults)


def identifier(ordinal: int, manifest: Json) -> Json:
    gvk = GVK.of(str(manifest.get("apiVersion", "")), str(manifest.get("kind", "")))
    metadata: Json = manifest.get("metadata") or {}
    return {
        "ordinal": ordinal,
        "group": gvk.group,
        "version": gvk.version,
        "kind": gvk.kind,
        "resource": "",
        "namespace": metadata.get("namespace") or "",
        "name": metadata.get("name") or "",
    }
