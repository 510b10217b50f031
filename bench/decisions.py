"""New bindings scheduled end to end: from creation until the hub says Scheduled, seen by the bench itself."""

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


def _scheduled(binding: Json) -> bool:
    status = binding.get("status") or {}
    current = status.get("schedulerObservedGeneration") == binding["metadata"]["generation"]
    conditions = status.get("conditions") or ()
    return current and any(one["type"] == "Scheduled" and one["status"] == "True" for one in conditions)


async def _floor(rig: Rig, count: int) -> dict[str, Any]:
    """A bare client makes so many bindings, gives each its clusters, and says so in its status."""
    condition = {"type": "Scheduled", "status": "True", "reason": "x", "message": "", "lastTransitionTime": _NOW}

    async def create(number: int) -> None:
        binding = _binding(number, "floor")
        # a dialect that nobody speaks: the control plane leaves the floor's objects alone
        binding["metadata"]["labels"] = {names.DIALECT_LABEL: "none"}
        binding["spec"]["suspension"] = {"scheduling": True}
        await rig.hub.create(scheme.RESOURCE_BINDINGS, binding)

    async def decide(number: int) -> None:
        name = f"floor-{number}"
        clusters = [{"name": member, "replicas": 1} for member in MEMBERS]
        await rig.hub.patch(scheme.RESOURCE_BINDINGS, name, NAMESPACE, {"spec": {"clusters": clusters}})
        status = {"status": {"schedulerObservedGeneration": 2, "conditions": [condition]}}
        await rig.hub.patch(scheme.RESOURCE_BINDINGS, name, NAMESPACE, status, subresource="status")

    begun = time.perf_counter()
    await spread(create, count)
    created = time.perf_counter()
    await spread(decide, count)
    ended = time.perf_counter()
    return {
        "floor_per_second": round(count / (ended - begun)),
        "floor_per_second_of_waiting": round(count / (ended - created)),
    }


async def measure_decisions(rig: Rig, count: int) -> dict[str, Any]:
    """So many bindings at once: made while the control plane looks on, and found by one that was stopped meanwhile.

    The second is what scheduling costs; the first has to share the machine with who makes the bindings.
    """
    deployment = Case(_OTHER, scheme.DEPLOYMENTS, 1).template(_OTHER, 1)
    deployment["metadata"]["name"] = _OTHER
    await rig.hub.create(scheme.DEPLOYMENTS, deployment)
    floor = await _floor(rig, count)
    result: dict[str, Any] = {"rig": rig.name, "case": f"{count} new bindings scheduled"}
    async with _watcher(rig, "live") as seen:
        result |= await _decided(rig, seen, "live", count)
    await _delete(rig, "live", count)
    if isinstance(rig.plane, Plane):
        rig.plane.pause()
        await _create(rig, "waiting", count)
        async with _watcher(rig, "waiting") as seen:
            began = time.perf_counter()
            rig.plane.resume()
            await until(lambda: len(seen.seen) >= count, "decisions")
            result["decisions_per_second_of_waiting"] = round(count / (max(seen.seen.values()) - began))
    return {**result, **floor}


def _watcher(rig: Rig, prefix: str) -> Watcher:
    return Watcher(rig.hub, scheme.RESOURCE_BINDINGS, f"{names.BINDING_MANAGED_BY_LABEL}={prefix}", _scheduled)


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


async def _decided(rig: Rig, decisions: Watcher, prefix: str, count: int) -> dict[str, Any]:
    cpu, writes = rig.cpu_seconds(), await rig.writes()
    begun = time.perf_counter()
    await _create(rig, prefix, count)
    created = time.perf_counter() - begun
    await until(lambda: len(decisions.seen) >= count, "decisions")
    seconds = max(decisions.seen.values()) - begun
    await asyncio.sleep(1.5)  # Events belong to it
    after, spent = await rig.writes(), rig.cpu_seconds() - cpu
    return {
        "seconds": round(seconds, 2),
        "seconds_to_create_them": round(created, 2),
        "decisions_per_second": round(count / seconds),
        "cpu_ms_per_decision": round(spent / count * 1000, 2),
        "writes_of_the_binding_per_decision": round(decisions.changes / count, 2),
        "writes_per_decision": round((after["hub"] - writes["hub"] - count) / count, 2),
    }
