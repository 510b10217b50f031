"""labelsOverrider and annotationsOverrider: key by key."""

from __future__ import annotations

from typing import Literal

from hansa.api.meta import Json
from hansa.api.policy import LabelAnnotationOverrider


def apply(manifest: Json, overrider: LabelAnnotationOverrider, member: Literal["labels", "annotations"]) -> Json:
    """`add` sets, `replace` sets what is there, `remove` removes whatever the value."""
    metadata: Json = manifest.get("metadata") or {}
    present: dict[str, str] = metadata.get(member) or {}
    match overrider.operator:
        case "add":
            changed = {**present, **overrider.value}
        case "replace":
            changed = {**present, **{key: value for key, value in overrider.value.items() if key in present}}
        case "remove":
            changed = {key: value for key, value in present.items() if key not in overrider.value}
    if changed == present:
        return manifest
    return {**manifest, "metadata": {**metadata, member: changed}}
