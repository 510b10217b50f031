"""One case: N templates of a kind to every member, and status back; and the floor, the same writes by a bare client."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

from bench.rigs import MEMBERS, Rig
from hansa.api import scheme
from hansa.api.meta import Json, Resource
from hansa.kube.client import Client
from hansa.runtime.informer import Change, Informer

NAMESPACE = "default"
CONCURRENCY = 32
DEADLINE_SECONDS = 1800.0


@dataclass(frozen=True)
class Case:
    """What is propagated. `statuses` says whether members report anything back to the template."""

    name: str
    resource: Resource
    count: int

    def template(self, prefix: str, number: int) -> Json:
        name = f"{prefix}-{number}"
        base = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        meta = {"name": name, "namespace": NAMESPACE, "labels": {"bench": prefix}}
        if self.resource.kind == "ConfigMap":
            return {**base, "metadata": meta, "data": {"a": "b" * 64}}
        pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": pod}
        return {**base, "metadata": meta, "spec": spec}

    def policy(self) -> Json:
        """Everything of the case to every member."""
        selector = {
            "apiVersion": self.resource.api_version,
            "kind": self.resource.kind,
            "labelSelector": {"matchLabels": {"bench": self.name}},
        }
        placement = {"clusterAffinity": {"clusterNames": list(MEMBERS)}}
        return {
            "apiVersion": "policy.karmada.io/v1alpha1",
            "kind": "PropagationPolicy",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": {
                "resourceSelectors": [selector],
                "placement": placement,
            },
        }


async def measure(rig: Rig, case: Case) -> dict[str, Any]:
    """Run a case and its floor, in this order."""
    await rig.hub.create(scheme.PROPAGATION_POLICIES, case.policy(), NAMESPACE)
    await asyncio.sleep(1)
    writes, cpu = await rig.writes(), rig.cpu_seconds()
    async with AsyncExitStack() as watching:
        arrivals = [
            await watching.enter_async_context(Watcher(client, case.resource, f"bench={case.name}"))
            for client in rig.members.values()
        ]
        back = await watching.enter_async_context(reports(rig.hub, case))
        begun = time.perf_counter()
        created = await create_all(rig.hub, case)
        await until(lambda: all(len(a.seen) >= case.count for a in arrivals), f"{case.name}: objects in members")
        arrived = time.perf_counter() - begun
        await until(lambda: len(back.seen) >= case.count, f"{case.name}: status on the hub")
        reported = time.perf_counter() - begun
        await asyncio.sleep(1.5)  # trailing statuses and events belong to the case
        after, cpu_after = await rig.writes(), rig.cpu_seconds()
    latencies = [max(a.seen[name] for a in arrivals) - at for name, at in created.items()]
    floor = await _floor(rig, case)
    return {
        "rig": rig.name,
        "case": f"{case.count} {case.resource.plural} to {len(MEMBERS)} members",
        "seconds": round(arrived, 2),
        "seconds_status_back": round(reported, 2),
        "floor_seconds": round(floor[0], 2),
        "floor_seconds_status_back": round(floor[1], 2),
        "ratio": round(arrived / floor[0], 2),
        "ratio_status_back": round(reported / floor[1], 2),
        "latency_p50_seconds": round(statistics.median(latencies), 3),
        "latency_p99_seconds": round(statistics.quantiles(latencies, n=100)[98], 3),
        "cpu_ms_per_template": round((cpu_after - cpu) / case.count * 1000, 1),
        "cpu_of": "control plane" if rig.name == "real" else "control plane, API servers and members",
        "writes_per_template": {k: round((after[k] - writes[k]) / case.count, 2) for k in after},
        "peak_rss_mib": round(rig.peak_mib(), 1),
        "loop_lag_p99_seconds": await rig.loop_lag_p99_seconds(),
    }


class Watcher:
    """When each object of a label was first as `wanted` says, by a watch of the bench's own.

    An informer, not a bare watch: a server ends a watch whose reader falls behind, and what came then must be read.
    """

    def __init__(
        self, client: Client, resource: Resource, labels: str, wanted: Callable[[Json], bool] = lambda _: True
    ) -> None:
        self.seen: dict[str, float] = {}
        self.changes = 0
        """Of objects that were known, as far as they were seen one by one."""
        self._wanted = wanted
        self._informer = Informer(client, resource, namespace=NAMESPACE, labels=labels)

    def _told(self, change: Change) -> None:
        self.changes += change.old is not None and change.new is not None
        if change.new is not None and change.new.meta.name not in self.seen and self._wanted(change.new.json()):
            self.seen[change.new.meta.name] = time.perf_counter()

    async def __aenter__(self) -> Self:
        self._informer.subscribe(self._told)
        self._task = asyncio.create_task(self._informer.run())
        await self._informer.wait_synced()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def reports(hub: Client, case: Case) -> Watcher:
    """When each binding first said that everything is applied everywhere and healthy."""

    def reported(binding: Json) -> bool:
        if not binding["metadata"]["name"].startswith(case.name):
            return False
        items = (binding.get("status") or {}).get("aggregatedStatus") or []
        return len(items) == len(MEMBERS) and all(i.get("applied") and i.get("health") == "Healthy" for i in items)

    return Watcher(hub, scheme.RESOURCE_BINDINGS, "", reported)


async def create_all(hub: Client, case: Case) -> dict[str, float]:
    created: dict[str, float] = {}

    async def one(number: int) -> None:
        template = case.template(case.name, number)
        created[template["metadata"]["name"]] = time.perf_counter()
        await hub.create(case.resource, template)

    await spread(one, case.count)
    return created


async def _floor(rig: Rig, case: Case) -> tuple[float, float]:
    """Seconds of the forward writes, and of forward and status writes, that a bare client needs.

    Forward: claim the template, create a binding, three Works, three member objects. Back: a status for each Work, two
    for the binding. For workloads the members' own controllers must have made them ready, too.
    """
    prefix = f"floor-{case.resource.plural}"

    async def forward(number: int) -> None:
        template = case.template(prefix, number)
        name = template["metadata"]["name"]
        await rig.hub.create(case.resource, template)
        await rig.hub.patch(case.resource, name, NAMESPACE, {"metadata": {"labels": {"claimed": "true"}}})
        await rig.hub.create(scheme.RESOURCE_BINDINGS, _bare_binding(case, name), NAMESPACE)
        for member, client in rig.members.items():
            await rig.hub.create(scheme.WORKS, _bare_work(member, name, template))
            await client.create(case.resource, {**template, "metadata": dict(template["metadata"])})

    async def back(number: int) -> None:
        name = f"{prefix}-{number}"
        condition = {"type": "Applied", "status": "True", "reason": "x", "message": "", "lastTransitionTime": _NOW}
        for member in rig.members:
            status = {"status": {"conditions": [condition]}}
            await rig.hub.patch(scheme.WORKS, name, f"karmada-es-{member}", status, subresource="status")
        for kind in ("Scheduled", "FullyApplied"):
            status = {"status": {"conditions": [{**condition, "type": kind}]}}
            await rig.hub.patch(scheme.RESOURCE_BINDINGS, name, NAMESPACE, status, subresource="status")

    def ready(obj: Json) -> bool:
        return case.resource.kind != "Deployment" or bool((obj.get("status") or {}).get("readyReplicas"))

    async with AsyncExitStack() as watching:
        arrivals = [
            await watching.enter_async_context(Watcher(client, case.resource, f"bench={prefix}", ready))
            for client in rig.members.values()
        ]
        begun = time.perf_counter()
        await spread(forward, case.count)
        gone = time.perf_counter() - begun
        await until(lambda: all(len(a.seen) >= case.count for a in arrivals), "floor")
        await spread(back, case.count)
        return gone, time.perf_counter() - begun


_NOW = "2026-01-01T00:00:00Z"


def _bare_binding(case: Case, name: str) -> Json:
    reference = {"apiVersion": case.resource.api_version, "kind": "None", "name": name, "namespace": NAMESPACE}
    return {
        "apiVersion": "work.karmada.io/v1alpha2",
        "kind": "ResourceBinding",
        # a dialect that nobody speaks: the control plane leaves the floor's objects alone
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"hansa.dev/dialect": "none"}},
        "spec": {"resource": reference, "suspension": {"scheduling": True}},
    }


def _bare_work(member: str, name: str, template: Json) -> Json:
    return {
        "apiVersion": "work.karmada.io/v1alpha1",
        "kind": "Work",
        "metadata": {
            "name": name,
            "namespace": f"karmada-es-{member}",
            "labels": {"hansa.dev/dialect": "none"},
        },
        "spec": {"workload": {"manifests": [template]}, "suspendDispatching": True},
    }


async def spread(work: Callable[[int], Awaitable[None]], count: int) -> None:
    """Do `work` for 0 … count-1, several at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


async def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.perf_counter() + DEADLINE_SECONDS
    while not done():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{what}: not there after {DEADLINE_SECONDS:g} s")
        await asyncio.sleep(0.02)
