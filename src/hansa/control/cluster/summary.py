"""What a member has and what of it is taken, from its nodes and pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.base.quantity import Quantity
from hansa.interpret.error import InterpretError
from hansa.interpret.native.replicas import resource_request
from hansa.kube.discovery import ApiResource

_DONE = ("Succeeded", "Failed")
Resources = dict[str, Quantity]


class PodRequests:
    """Requests of pods, computed once for each version of a pod's spec."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[str, str, Resources | None]] = {}

    def totals(self, pods: Iterable[Item]) -> tuple[Resources, Resources]:
        """(allocated: of pods on a node that have not ended; allocating: of pods that wait for one)."""
        allocated: Resources = {}
        allocating: Resources = {}
        seen: dict[Key, tuple[str, str, Resources | None]] = {}
        for pod in pods:
            known = self._known.get(pod.key)
            if known is None or known[0] != pod.meta.resource_version:
                known = (pod.meta.resource_version, *_read(pod))
            seen[pod.key] = known
            _, node, requests = known
            if requests is not None:
                _add(allocated if node else allocating, requests)
        self._known = seen
        return allocated, allocating

    def by_node(self) -> dict[str, Resources]:
        """Of the pods that `totals` has seen last."""
        found: dict[str, Resources] = {}
        for _, node, requests in self._known.values():
            if node and requests is not None:
                _add(found.setdefault(node, {}), requests)
        return found


def _read(pod: Item) -> tuple[str, Resources | None]:
    """(its node, empty while it waits for one; what it counts with, None when it does not count)."""
    document = pod.json()
    spec: Json = document.get("spec") or {}
    node = str(spec.get("nodeName") or "")
    if node and (document.get("status") or {}).get("phase") in _DONE:
        return node, None
    try:
        requests = {name: Quantity.parse(text) for name, text in resource_request(spec).items()}
    except InterpretError:
        requests = Resources()
    requests["pods"] = Quantity.of(1)
    return node, requests


def _add(total: Resources, more: Mapping[str, Quantity]) -> None:
    for name, quantity in more.items():
        total[name] = total[name] + quantity if name in total else quantity


def node_summary(nodes: Iterable[Item]) -> Json:
    total = ready = 0
    for node in nodes:
        total += 1
        conditions = (node.json().get("status") or {}).get("conditions") or []
        ready += any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return {"totalNum": total, "readyNum": ready}


def allocatable(nodes: Iterable[Item]) -> Resources:
    """Of all nodes, also those that are not ready."""
    total: Resources = {}
    for node in nodes:
        texts: Json = (node.json().get("status") or {}).get("allocatable") or {}
        _add(total, {name: Quantity.parse(str(text)) for name, text in texts.items()})
    return total


def shown(resources: Resources) -> dict[str, str]:
    return {name: str(quantity) for name, quantity in sorted(resources.items())}


def enablements(resources: Iterable[ApiResource]) -> list[Json]:
    """APIs by group and version, both levels sorted."""
    by_version: dict[str, dict[str, str]] = {}
    for entry in resources:
        by_version.setdefault(entry.resource.api_version, {})[entry.resource.plural] = entry.resource.kind
    return [
        {
            "groupVersion": version,
            "resources": [{"name": name, "kind": kind} for name, kind in sorted(kinds.items())],
        }
        for version, kinds in sorted(by_version.items())
    ]
