"""New bindings scheduled end to end, as the bench sees it: they have their clusters, then the hub says Scheduled."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from bench.case import NAMESPACE, Case, Watcher, spread, until
from bench.rigs import MEMBERS, Plane, Rig
from hansa.api import names, scheme
from hansa.api.meta import Json

_NOW = "2026-01-01T00:00:00Z"
_DIVIDED = {
    "replicaSchedulingType": "Divided",
    "replicaDivisionPreference": "Weighted",
    "weightPreference": {
        "staticWeightList": [
            {"targetCluster": {"clusterNames": [member]}, "weight": weight}
            for weight, member in enumerate(MEMBERS, start=1)
        ]
    },
}
"""By weights of their own: so many replicas find no room in members of this size."""


_OTHER = "other"


def _binding(number: int, prefix: str) -> Json:
    """Of a Deployment that is not the one of that name, so that deciding is all there is to do."""
    name = f"{prefix}-{number}"
    labels = {names.BINDING_MANAGED_BY_LABEL: prefix, names.BINDING_ID_LABEL: str(uuid.uuid4())}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": NAMESPACE, "name": _OTHER, "uid": name}
    return {
        "apiVersion": scheme.RESOURCE_BINDINGS.api_version,
        "kind": "ResourceBinding",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"resource": reference, "replicas": 3 + number % 7, "placement": {"replicaScheduling": _DIVIDED}},
    }


def _placed(binding: Json) -> bool:
    return sum(target["replicas"] for target in binding["spec"].get("clusters") or ()) == binding["spec"]["replicas"]


def _scheduled(binding: Json) -> bool:
    status = binding.get("status") or {}
    current = status.get("schedulerObservedGeneration") == binding["metadata"]["generation"]
    conditions = status.get("conditions") or ()
    return current and any(one["type"] == "Scheduled" and one["status"] == "True" for one in conditions)


class _Placed:
    """Asked whether a binding is scheduled; keeps when each first had its clusters."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}

    def __call__(self, binding: Json) -> bool:
        name = binding["metadata"]["name"]
        if name not in self.seen and _placed(binding):
            self.seen[name] = time.perf_counter()
        return _scheduled(binding)


async def _floor(rig: Rig, count: int) -> dict[str, Any]:
    """A bare client makes so many bindings, then gives each its clusters, then says so in the status of each."""
    condition = {"type": "Scheduled", "status": "True", "reason": "x", "message": "", "lastTransitionTime": _NOW}
    clusters = [{"name": member, "replicas": 1} for member in MEMBERS]

    async def create(number: int) -> None:
        binding = _binding(number, "floor")
        # a dialect that nobody speaks: the control plane leaves the floor's objects alone
        binding["metadata"]["labels"] = {names.DIALECT_LABEL: "none"}
        binding["spec"]["suspension"] = {"scheduling": True}
        await rig.hub.create(scheme.RESOURCE_BINDINGS, binding)

    async def place(number: int) -> None:
        patch = {"spec": {"clusters": clusters}}
        await rig.hub.patch(scheme.RESOURCE_BINDINGS, f"floor-{number}", NAMESPACE, patch)

    async def say(number: int) -> None:
        status = {"status": {"schedulerObservedGeneration": 2, "conditions": [condition]}}
        await rig.hub.patch(scheme.RESOURCE_BINDINGS, f"floor-{number}", NAMESPACE, status, subresource="status")

    begun = time.perf_counter()
    await spread(create, count)
    created = time.perf_counter()
    await spread(place, count)
    placed = time.perf_counter()
    await spread(say, count)
    said = time.perf_counter()
    return {
        "floor_per_second": round(count / (placed - begun)),
        "floor_reported_per_second": round(count / (said - begun)),
        "floor_per_second_of_waiting": round(count / (placed - created)),
        "floor_reported_per_second_of_waiting": round(count / (said - created)),
    }


async def measure_decisions(rig: Rig, count: int) -> dict[str, Any]:
    """So many bindings at once: made while the control plane looks on, and found by one that was stopped meanwhile.

    The second is what scheduling costs; the first has to share the machine with who makes the bindings.
    """
    deployment = Case(_OTHER, scheme.DEPLOYMENTS, 1).template(_OTHER, 1)
    deployment["metadata"]["name"] = _OTHER
    await rig.hub.create(scheme.DEPLOYMENTS, deployment)
    result: dict[str, Any] = {"rig": rig.name, "case": f"{count} new bindings scheduled"}
    result |= await _floor(rig, count)
    result |= await _live(rig, count)
    if isinstance(rig.plane, Plane):
        result |= await _waiting(rig, rig.plane, count)
    return result


async def _live(rig: Rig, count: int) -> dict[str, Any]:
    placed = _Placed()
    async with _watcher(rig, "live", placed) as reported:
        cpu, writes = rig.cpu_seconds(), await rig.writes()
        begun = time.perf_counter()
        await _create(rig, "live", count)
        created = time.perf_counter() - begun
        await until(lambda: len(reported.seen) >= count, "decisions")
        await asyncio.sleep(1.5)  # Events belong to it
        after, spent = await rig.writes(), rig.cpu_seconds() - cpu
    await _delete(rig, "live", count)
    return {
        "seconds_to_create_them": round(created, 2),
        "decisions_per_second": round(count / (max(placed.seen.values()) - begun)),
        "reported_per_second": round(count / (max(reported.seen.values()) - begun)),
        "cpu_ms_per_decision": round(spent / count * 1000, 2),
        "writes_of_the_binding_per_decision": round(reported.changes / count, 2),
        "writes_per_decision": round((after["hub"] - writes["hub"] - count) / count, 2),
    }


async def _waiting(rig: Rig, plane: Plane, count: int) -> dict[str, Any]:
    plane.pause()
    await _create(rig, "waiting", count)
    placed = _Placed()
    async with _watcher(rig, "waiting", placed) as reported:
        begun = time.perf_counter()
        plane.resume()
        await until(lambda: len(reported.seen) >= count, "decisions")
    return {
        "decisions_per_second_of_waiting": round(count / (max(placed.seen.values()) - begun)),
        "reported_per_second_of_waiting": round(count / (max(reported.seen.values()) - begun)),
    }


def _watcher(rig: Rig, prefix: str, placed: _Placed) -> Watcher:
    return Watcher(rig.hub, scheme.RESOURCE_BINDINGS, f"{names.BINDING_MANAGED_BY_LABEL}={prefix}", placed)


async def _create(rig: Rig, prefix: str, count: int) -> None:
    async def one(number: int) -> None:
        await rig.hub.create(scheme.RESOURCE_BINDINGS, _binding(number, prefix))

    await spread(one, count)


async def _delete(rig: Rig, prefix: str, count: int) -> None:
    """Before anybody reports on them, which is not what is measured and would fall into what comes next."""

    async def one(number: int) -> None:
        await rig.hub.delete(scheme.RESOURCE_BINDINGS, f"{prefix}-{number}", NAMESPACE)

    await spread(one, count)
    await asyncio.sleep(1.5)
