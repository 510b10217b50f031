"""plaintext: the whole list as one JSON patch, all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from hansa.api.meta import Json
from hansa.api.policy import FieldPatchOperation, PlaintextOverrider
from hansa.base.patch import PatchError, apply_json_patch
from hansa.override.error import OverrideError


def apply(manifest: Json, overriders: Sequence[PlaintextOverrider]) -> Json:
    """Raises OverrideError at the first operation that cannot be done."""
    if not overriders:
        return manifest
    return patched(manifest, [operation(entry, entry.path) for entry in overriders], "plaintext")


def operation(entry: PlaintextOverrider | FieldPatchOperation, path: str) -> Json:
    """One JSON patch operation; a value that was not given is null, and that of `remove` is left out."""
    if entry.operator == "remove":
        return {"op": "remove", "path": path}
    return {"op": entry.operator, "path": path, "value": None if entry.value is UNSET else entry.value}


def patched(document: Any, operations: list[Json], overrider: str) -> Any:
    try:
        return apply_json_patch(document, operations, missing="error")
    except PatchError as error:
        raise OverrideError(f"{overrider}: {error}") from error
