"""Managed fields of ordinary writes, and whether a write changes anything."""

from __future__ import annotations

from functools import cache

from hansa.api import merge
from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.shape import shaper
from hansa.apiserver.context import Call
from hansa.base.patch import equal_json


def created(call: Call, obj: Json, now: str) -> None:
    """Record who set the fields of a new object."""
    _track(call, None, obj, now)


def updated(call: Call, obj: Json, old: Json, now: str) -> None:
    """Record who changed fields."""
    _track(call, old, obj, now)


def _track(call: Call, old: Json | None, obj: Json, now: str) -> None:
    tracked = merge.update_managed_fields(
        old,
        obj,
        call.served.schema(),
        manager=call.manager,
        api_version=call.gvk.api_version,
        now=now,
        subresource=call.target.subresource,
        ignored=ignored(call),
        empty=None if old is not None or call.served.custom is not None else _empty(call.gvk),
    )
    obj["metadata"] = tracked["metadata"]
    if call.target.subresource == "scale":
        _without_time(obj["metadata"])


def _without_time(meta: Json) -> None:
    """What was set through `scale` bears no time, and so stands first."""
    entries: list[Json] = meta.get("managedFields") or []
    for entry in entries:
        if entry.get("subresource") == "scale":
            entry.pop("time", None)
    entries.sort(key=lambda entry: (entry["operation"], entry.get("time", "")))


@cache
def _empty(gvk: GVK) -> Json:
    """The zero value of a built-in kind: the fields that its Go type always has. Not to be changed."""
    obj: Json = {}
    shape = shaper(gvk)
    if shape is not None:
        shape(obj)
    return obj


def ignored(call: Call) -> merge.FieldSet:
    """The fields that this request's endpoint cannot set."""
    custom = call.served.custom
    has_status = call.rules.has_status if custom is None else custom.has_status
    return merge.ignored_fields(call.target.subresource, has_status=has_status, gvk=call.served.gvk)


def unchanged(obj: Json, old: Json) -> bool:
    """Whether an update leaves everything as it was; when only times of managed fields differ, it does."""
    if obj.keys() != old.keys() or any(obj[key] != old[key] for key in obj if key != "metadata"):
        return False  # the quick look; it takes 1 for true, so what passes it is looked at closely
    if not all(equal_json(value, old[key]) for key, value in obj.items() if key != "metadata"):
        return False
    return equal_json(_timeless(obj["metadata"]), _timeless(old["metadata"]))


def _timeless(meta: Json) -> Json:
    entries = meta.get("managedFields")
    if not entries:
        return meta
    plain = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
    return {**meta, "managedFields": plain}
