"""imageOverrider: registry, repository, or tag of container images, or of the one image that a path names."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import Json
from hansa.api.policy import ImageOverrider
from hansa.base.image import ImageError, override
from hansa.override.containers import each_container
from hansa.override.error import OverrideError


def apply(manifest: Json, overrider: ImageOverrider) -> Json:
    """Raises OverrideError when an image cannot be read, or the path does not lead to one."""
    if overrider.predicate is not None:
        # Karmada does not unescape `~0` and `~1` here
        return _at_path(manifest, overrider.predicate.path.split("/")[1:], overrider)

    def changed(container: Json) -> Json:
        return {**container, "image": _changed(str(container.get("image") or ""), overrider)}

    return each_container(manifest, changed)


def _changed(text: str, overrider: ImageOverrider) -> str:
    try:
        return override(text, overrider.component, overrider.operator, overrider.value)
    except ImageError as error:
        raise OverrideError(f"failed to parse image value({text}), error: {error}") from error


def _at_path(obj: Any, parts: list[str], overrider: ImageOverrider) -> Any:
    if not parts:
        raise OverrideError("imageOverrider: the predicate's path is empty")
    part, *rest = parts
    if isinstance(obj, list):
        if not part.isdigit():
            raise OverrideError(f"path({part}) of rawObj's is not number")
        index = int(part)
        if index >= len(obj):
            raise OverrideError(f"path({part}) of rawObj's is out of range")
        return [*obj[:index], _child(obj[index], part, rest, overrider), *obj[index + 1 :]]
    if isinstance(obj, dict) and (rest or part in obj):
        return {**obj, part: _child(obj.get(part), part, rest, overrider)}
    raise OverrideError(f"path({part}) of rawObj's type is not map[string]interface{{}} and []interface{{}}")


def _child(child: Any, part: str, rest: list[str], overrider: ImageOverrider) -> Any:
    if rest:
        return _at_path(child, rest, overrider)
    if not isinstance(child, str):
        raise OverrideError(f"failed to convert path({part}) to string")
    return _changed(child, overrider)
