"""Reading and changing nested JSON without surprises: what is missing or null reads as empty."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import Json


def at(obj: Any, *path: str) -> Any:
    """The value under a path of keys, None when any part of it is missing."""
    for key in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(key)
    return obj


def mapping(obj: Any, *path: str) -> Json:
    """The mapping under a path; an empty one when it is missing, null or something else."""
    found = at(obj, *path)
    return found if isinstance(found, dict) else {}


def sequence(obj: Any, *path: str) -> list[Any]:
    """The list under a path; an empty one when it is missing, null or something else."""
    found = at(obj, *path)
    return found if isinstance(found, list) else []


def without(obj: Json, *path: str) -> Json:
    """`obj` without the member at `path`; shares what is unchanged."""
    key, *rest = path
    if key not in obj:
        return obj
    if not rest:
        return {name: value for name, value in obj.items() if name != key}
    child = obj[key]
    if not isinstance(child, dict):
        return obj
    changed = without(child, *rest)
    return obj if changed is child else {**obj, key: changed}


def put(obj: Json, value: Any, *path: str) -> Json:
    """`obj` with `value` at `path`, mappings on the way made where they are missing; shares what is unchanged."""
    key, *rest = path
    if not rest:
        return {**obj, key: value}
    child = obj.get(key)
    return {**obj, key: put(child if isinstance(child, dict) else {}, value, *rest)}
