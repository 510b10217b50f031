"""commandOverrider and argsOverrider: lists of words of the containers of pods and of workloads' templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from hansa.api.meta import Json
from hansa.api.policy import CommandArgsOverrider

_TEMPLATE = ("spec", "template", "spec")
POD_SPECS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "ReplicaSet": _TEMPLATE,
    "Deployment": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
}
"""Where the pod spec is. Kinds are told apart by name alone, as in Karmada; others are left as they are."""


def apply(manifest: Json, overrider: CommandArgsOverrider, member: Literal["command", "args"]) -> Json:
    """Append words, or drop them, in every regular container of the given name."""

    def changed(container: Json) -> Json:
        if container.get("name") != overrider.container_name:
            return container
        words: list[str] = container.get(member) or []
        value = overrider.value or []
        words = [*words, *value] if overrider.operator == "add" else [word for word in words if word not in value]
        return {**container, member: words}

    return each_container(manifest, changed)


def each_container(manifest: Json, change: Callable[[Json], Json]) -> Json:
    """`manifest` with every regular container changed; itself when its kind has none."""
    path = POD_SPECS.get(manifest.get("kind", ""))
    return _at(manifest, (*path, "containers"), change) if path else manifest


def _at(obj: Any, path: tuple[str, ...], change: Callable[[Json], Json]) -> Any:
    if not isinstance(obj, dict) or path[0] not in obj:
        return obj
    key, *rest = path
    child = obj[key]
    if rest:
        return {**obj, key: _at(child, tuple(rest), change)}
    return {**obj, key: [change(entry) for entry in child]} if isinstance(child, list) else obj
