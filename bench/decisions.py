"""New bindings scheduled end to end: from creation until the hub says Scheduled, seen by the bench itself."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from bench.case import NAMESPACE, Watcher, spread, until
from bench.rigs import MEMBERS, Rig
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


def _binding(number: int, prefix: str) -> Json:
    """Of a Deployment that is not there, so that deciding is all there is to do."""
    name = f"{prefix}-{number}"
    labels = {names.BINDING_MANAGED_BY_LABEL: "bench", names.BINDING_ID_LABEL: str(uuid.uuid4())}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": NAMESPACE, "name": name, "uid": name}
    return {
        "apiVersion": scheme.RESOURCE_BINDINGS.api_version,
        "kind": "ResourceBinding",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"resource": reference, "replicas": 3 + number % 7, "placement": {"replicaScheduling": _DIVIDED}},
    }


def _scheduled(binding: Json) -> bool:
    status = binding.get("status") or {}
    current = status.get("schedulerObservedGeneration") == binding["metadata"]["generation"]
    conditions = status.get("conditions") or ()
    return current and any(one["type"] == "Scheduled" and one["status"] == "True" for one in conditions)


async def _floor(rig: Rig, count: int) -> float:
    """Seconds in which a bare client makes so many bindings, gives each its clusters, and says so in its status."""
    condition = {"type": "Scheduled", "status": "True", "reason": "x", "message": "", "lastTransitionTime": _NOW}

    async def write(number: int) -> None:
        binding = _binding(number, "floor")
        # a dialect that nobody speaks: the control plane leaves the floor's objects alone
        binding["metadata"]["labels"] = {names.DIALECT_LABEL: "none"}
        binding["spec"]["suspension"] = {"scheduling": True}
        name = binding["metadata"]["name"]
        await rig.hub.create(scheme.RESOURCE_BINDINGS, binding)
        clusters = [{"name": member, "replicas": 1} for member in MEMBERS]
        await rig.hub.patch(scheme.RESOURCE_BINDINGS, name, NAMESPACE, {"spec": {"clusters": clusters}})
        status = {"status": {"schedulerObservedGeneration": 2, "conditions": [condition]}}
        await rig.hub.patch(scheme.RESOURCE_BINDINGS, name, NAMESPACE, status, subresource="status")

    begun = time.perf_counter()
    await spread(write, count)
    return time.perf_counter() - begun


async def measure_decisions(rig: Rig, count: int) -> dict[str, Any]:
    """So many bindings at once."""
    async with Watcher(
        rig.hub, scheme.RESOURCE_BINDINGS, f"{names.BINDING_MANAGED_BY_LABEL}=bench", _scheduled
    ) as seen:
        return {"rig": rig.name, "case": f"{count} new bindings scheduled", **await _decided(rig, seen, count)}


async def _decided(rig: Rig, decisions: Watcher, count: int) -> dict[str, Any]:
    cpu, writes = rig.cpu_seconds(), await rig.writes()
    begun = time.perf_counter()

    async def create(number: int) -> None:
        await rig.hub.create(scheme.RESOURCE_BINDINGS, _binding(number, "decide"))

    await spread(create, count)
    created = time.perf_counter() - begun
    await until(lambda: len(decisions.seen) >= count, "decisions")
    seconds = max(decisions.seen.values()) - begun
    await asyncio.sleep(1.5)  # Events belong to it
    after, spent = await rig.writes(), rig.cpu_seconds() - cpu
    floor = await _floor(rig, count)
    return {
        "seconds": round(seconds, 2),
        "seconds_to_create_them": round(created, 2),
        "decisions_per_second": round(count / seconds),
        "floor_per_second": round(count / floor),
        "cpu_ms_per_decision": round(spent / count * 1000, 2),
        "writes_of_the_binding_per_decision": round(decisions.changes / count, 2),
        "writes_per_decision": round((after["hub"] - writes["hub"] - count) / count, 2),
    }
