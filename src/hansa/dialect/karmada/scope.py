"""What can be a template at all: which kinds are watched, and which objects of them count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Resource
from hansa.kube.discovery import ApiResource

SKIPPED_GROUPS = frozenset(
    {
        "cluster.karmada.io",
        "policy.karmada.io",
        "work.karmada.io",
        "config.karmada.io",
        "networking.karmada.io",
        "autoscaling.karmada.io",
        "remedy.karmada.io",
        "apps.karmada.io",
        "events.k8s.io",
        # KubeFed's own kinds: another dialect compiles them
        "core.kubefed.io",
        "types.kubefed.io",
        "scheduling.kubefed.io",
        "multiclusterdns.kubefed.io",
    }
)
_VERBS = frozenset({"delete", "list", "watch"})


def templates(resources: Iterable[ApiResource], skipped_apis: Sequence[str]) -> list[Resource]:
    """The kinds whose objects can be claimed, each in its preferred version."""
    return [
        entry.resource
        for entry in resources
        if entry.preferred and entry.verbs >= _VERBS and not is_skipped_kind(entry.resource, skipped_apis)
    ]


def is_skipped_kind(resource: Resource, skipped_apis: Sequence[str]) -> bool:
    if resource.group in SKIPPED_GROUPS or (resource.group, resource.kind) == ("", "Event"):
        return True
    if (resource.group, resource.version) == ("coordination.k8s.io", "v1"):
        return True
    return any(_covers(entry.strip(), resource) for entry in skipped_apis if entry.strip())


def _covers(entry: str, resource: Resource) -> bool:
    """One entry of the flag; `v1/Pod,Node` are kinds of the core group."""
    parts = entry.split("/")
    match parts:
        case [group]:
            return group == resource.group
        case [version, kinds] if version.startswith("v1"):
            return (resource.group, resource.version) == ("", version) and resource.kind in kinds.split(",")
        case [group, version]:
            return (group, version) == (resource.group, resource.version)
        case [group, version, kinds]:
            return (group, version) == (resource.group, resource.version) and resource.kind in kinds.split(",")
        case _:
            return False


def is_template(item: Item, skipped_namespaces: Sequence[str]) -> bool:
    """Objects of the control plane's own namespaces, and of skipped ones, are never claimed."""
    namespace = item.meta.namespace
    if not namespace:
        return True
    if namespace in names.RESERVED_NAMESPACES or namespace.startswith(names.EXECUTION_NAMESPACE_PREFIX):
        return False
    return not any(re.fullmatch(pattern, namespace) for pattern in skipped_namespaces)
