"""A simulated member on an embedded server, in virtual time: what users would see in a real cluster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support import virtual_time
from tests.support.faults import Failure, FaultyTransport

from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.api.scheme import (
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    JOBS,
    LEASES,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    STATEFUL_SETS,
)
from hansa.apiserver.embedded import ADMIN, start_embedded
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client
from hansa.kube.errors import NotFound, Unreachable
from hansa.runtime.clock import LoopClock
from hansa.sim.member import SimulatedMember
from hansa.sim.site import Timing

NAMESPACE = "default"


class CountingTransport(InProcessTransport):
    """Remembers what was written."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.writes: list[str] = []

    async def request(self, method: str, path: str, **options: Any) -> Any:
        if method != "GET":
            self.writes.append(f"{method} {path}")
        return await super().request(method, path, **options)


@dataclass
class Stage:
    """A running member, and a user's client for it."""

    member: SimulatedMember
    user: Client
    faults: FaultyTransport
    writes: list[str]

    async def until(self, resource: Resource, name: str, holds: Callable[[Json], bool], seconds: float = 60) -> Json:
        """Wait, in virtual time, until an object is as wanted."""
        body: Json = {}
        for _ in range(600):
            body = (await self.user.get(resource, name, NAMESPACE if resource.namespaced else None)).json()
            if holds(body):
                return body
            await asyncio.sleep(seconds / 600)
        pytest.fail(f"{resource.plural}/{name} never got there: {body}")

    async def pods(self, labels: str = "") -> list[Json]:
        return [item.json() for item in (await self.user.list(PODS, NAMESPACE, labels=labels)).items]


@asynccontextmanager
async def staged(**options: Any) -> AsyncGenerator[Stage]:
    clock = LoopClock()
    server = await start_embedded("m", clock=clock, rng=random.Random(1))
    inner = CountingTransport("m", server, user=ADMIN)
    faults = FaultyTransport(inner, random.Random(2).random)
    client = Client(faults)
    settings: dict[str, Any] = {"region": "r", "zones": ["a", "b"], "nodes": 2} | options
    member = SimulatedMember("m", client, clock=clock, **settings)
    task = asyncio.create_task(member.run())
    try:
        await asyncio.sleep(1)
        yield Stage(member, Client(InProcessTransport("m", server, user=ADMIN)), faults, inner.writes)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


def on_stage(**options: Any) -> Callable[[Callable[[Stage], Awaitable[None]]], Callable[[], None]]:
    """Make a test of a scene: it gets a member with `options`, and time that costs nothing."""

    def wrap(scene: Callable[[Stage], Awaitable[None]]) -> Callable[[], None]:
        async def play() -> None:
            async with staged(**options) as stage:
                await scene(stage)

        def test() -> None:
            virtual_time.run(play())

        test.__name__, test.__doc__ = scene.__name__, scene.__doc__
        return test

    return wrap


def template(app: str, image: str = "nginx", **spec: Any) -> Json:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "main", "image": image}], **spec}}


def workload(kind: str, name: str, image: str = "nginx", /, **spec: Any) -> Json:
    body: Json = {"selector": {"matchLabels": {"app": name}}, "template": template(name, image)}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body | spec}


def status(body: Json) -> Json:
    return body.get("status") or {}


def ready(count: int) -> Callable[[Json], bool]:
    def holds(body: Json) -> bool:
        found = status(body)
        return (
            found.get("readyReplicas", 0) == count == found.get("replicas", 0) == found.get("updatedReplicas", 0)
            and found["observedGeneration"] == body["metadata"]["generation"]
        )

    return holds


@on_stage()
async def test_nodes_have_regions_zones_addresses_and_leases(stage: Stage) -> None:
    nodes = [item.json() for item in (await stage.user.list(NODES)).items]
    assert [node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes] == ["a", "b"]
    assert {node["metadata"]["labels"]["topology.kubernetes.io/region"] for node in nodes} == {"r"}
    assert all(node["status"]["conditions"][-1]["type"] == "Ready" for node in nodes)
    assert not any(node["spec"].get("taints") for node in nodes)
    assert len({node["spec"]["podCIDR"] for node in nodes}) == 2
    before = (await stage.user.get(LEASES, "m-node-1", "kube-node-lease")).json()["spec"]["renewTime"]
    await asyncio.sleep(25)
    after = (await stage.user.get(LEASES, "m-node-1", "kube-node-lease")).json()["spec"]["renewTime"]
    assert after > before


@on_stage()
async def test_a_deployment_becomes_ready_and_rolls(stage: Stage) -> None:
    await stage.user.create(DEPLOYMENTS, workload("Deployment", "web", replicas=3), NAMESPACE)
    body = await stage.until(DEPLOYMENTS, "web", ready(3))
    assert body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    pods = await stage.pods()
    assert {pod["spec"]["nodeName"] for pod in pods} == {"m-node-1", "m-node-2"}
    assert len({pod["status"]["podIP"] for pod in pods}) == 3
    await asyncio.sleep(5)  # events come in a slower lane
    events = {item.json()["reason"] for item in (await stage.user.list(EVENTS, NAMESPACE)).items}
    assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Started"} <= events

    await stage.user.patch(DEPLOYMENTS, "web", NAMESPACE, {"spec": {"template": template("web", "nginx:2")}})
    body = await stage.until(DEPLOYMENTS, "web", ready(3))
    assert body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    await asyncio.sleep(1)  # the last old pod ends
    assert {pod["spec"]["containers"][0]["image"] for pod in await stage.pods()} == {"nginx:2"}
    await stage.user.delete(DEPLOYMENTS, "web", NAMESPACE)
    await asyncio.sleep(5)
    assert await stage.pods() == []
    assert (await stage.user.list(REPLICA_SETS, NAMESPACE)).items == []


@on_stage()
async def test_at_rest_only_heartbeats_are_written(stage: Stage) -> None:
    await stage.user.create(DEPLOYMENTS, workload("Deployment", "web", replicas=2), NAMESPACE)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    service["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80}]}  # type: ignore[assignment]
    await stage.user.create(SERVICES, service, NAMESPACE)
    await stage.until(DEPLOYMENTS, "web", ready(2))
    await asyncio.sleep(10)
    stage.writes.clear()
    await asyncio.sleep(700)  # beyond the progress deadline too
    assert {write for write in stage.writes if "/leases/" not in write} == set()
    assert len(stage.writes) <= 2 * 700 / 20 + 2


@on_stage()
async def test_an_image_that_never_comes_shows_and_times_out(stage: Stage) -> None:
    spec = workload("Deployment", "web", "fake/nginx", replicas=1, progressDeadlineSeconds=30)
    await stage.user.create(DEPLOYMENTS, spec, NAMESPACE)
    await asyncio.sleep(5)
    (pod,) = await stage.pods()
    assert pod["status"]["phase"] == "Pending"
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    body = await stage.until(DEPLOYMENTS, "web", lambda body: "ProgressDeadlineExceeded" in str(status(body)))
    assert status(body)["unavailableReplicas"] == 1
    assert "readyReplicas" not in status(body)


@on_stage()
async def test_a_crashing_container_backs_off(stage: Stage) -> None:
    await stage.user.create(DEPLOYMENTS, workload("Deployment", "web", "crash/now", replicas=1), NAMESPACE)
    await asyncio.sleep(60)
    (pod,) = await stage.pods()
    container = pod["status"]["containerStatuses"][0]
    assert container["restartCount"] >= 2
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["exitCode"] == 1


@on_stage(nodes=1, capacity={"cpu": "1"})
async def test_what_does_not_fit_waits_for_room(stage: Stage) -> None:
    greedy = workload("Deployment", "web", replicas=3)
    greedy["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "400m"}}
    await stage.user.create(DEPLOYMENTS, greedy, NAMESPACE)
    await asyncio.sleep(5)
    waiting = [pod for pod in await stage.pods() if not pod["spec"].get("nodeName")]
    (condition,) = [entry for entry in waiting[0]["status"]["conditions"] if entry["type"] == "PodScheduled"]
    assert condition["reason"] == "Unschedulable"
    assert "1 Insufficient cpu" in condition["message"]
    placed = next(pod for pod in await stage.pods() if pod["spec"].get("nodeName"))
    await stage.user.patch(DEPLOYMENTS, "web", NAMESPACE, {"spec": {"replicas": 2}})
    await asyncio.sleep(5)
    assert len(await stage.pods()) == 2
    assert placed["metadata"]["name"] in {pod["metadata"]["name"] for pod in await stage.pods()}


@on_stage()
async def test_endpoints_follow_readiness(stage: Stage) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    service["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}  # type: ignore[assignment]
    await stage.user.create(SERVICES, service, NAMESPACE)
    await stage.user.create(DEPLOYMENTS, workload("Deployment", "web", replicas=2), NAMESPACE)
    await stage.until(DEPLOYMENTS, "web", ready(2))
    await asyncio.sleep(1)
    (found,) = (await stage.user.list(ENDPOINT_SLICES, NAMESPACE, labels="kubernetes.io/service-name=web")).items
    body = found.json()
    assert [port["port"] for port in body["ports"]] == [8080]
    assert all(entry["conditions"]["ready"] for entry in body["endpoints"])
    assert {entry["zone"] for entry in body["endpoints"]} == {"a", "b"}
    subsets = (await stage.user.get(ENDPOINTS, "web", NAMESPACE)).json()["subsets"]
    assert len(subsets[0]["addresses"]) == 2
    await stage.user.patch(DEPLOYMENTS, "web", NAMESPACE, {"spec": {"replicas": 0}})
    await asyncio.sleep(3)
    (found,) = (await stage.user.list(ENDPOINT_SLICES, NAMESPACE, labels="kubernetes.io/service-name=web")).items
    assert not found.json().get("endpoints")
    await stage.user.delete(SERVICES, "web", NAMESPACE)
    await asyncio.sleep(3)
    assert not (await stage.user.list(ENDPOINT_SLICES, NAMESPACE, labels="kubernetes.io/service-name=web")).items
    with pytest.raises(NotFound):
        await stage.user.get(ENDPOINTS, "web", NAMESPACE)


@on_stage()
async def test_a_statefulset_starts_in_order_and_keeps_names(stage: Stage) -> None:
    await stage.user.create(STATEFUL_SETS, workload("StatefulSet", "db", replicas=3, serviceName="db"), NAMESPACE)
    await stage.until(STATEFUL_SETS, "db", lambda body: status(body).get("readyReplicas") == 3)
    pods = sorted(await stage.pods(), key=lambda pod: pod["metadata"]["creationTimestamp"])
    assert [pod["metadata"]["name"] for pod in pods] == ["db-0", "db-1", "db-2"]
    await stage.user.delete(PODS, "db-1", NAMESPACE)
    await asyncio.sleep(5)
    assert sorted(pod["metadata"]["name"] for pod in await stage.pods()) == ["db-0", "db-1", "db-2"]


@on_stage()
async def test_a_daemonset_runs_on_every_node(stage: Stage) -> None:
    await stage.user.create(DAEMON_SETS, workload("DaemonSet", "agent"), NAMESPACE)
    await stage.until(DAEMON_SETS, "agent", lambda body: status(body).get("numberAvailable") == 2)
    assert {pod["spec"]["nodeName"] for pod in await stage.pods()} == {"m-node-1", "m-node-2"}


@on_stage()
async def test_jobs_complete_and_fail(stage: Stage) -> None:
    def job(name: str, image: str = "busybox", **spec: Any) -> Json:
        body: Json = {"template": template(name, image, restartPolicy="Never"), **spec}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": body}

    await stage.user.create(JOBS, job("many", completions=5, parallelism=2), NAMESPACE)
    await stage.user.create(JOBS, job("failing", "crash/it", backoffLimit=1), NAMESPACE)
    done = status(await stage.until(JOBS, "many", lambda body: "completionTime" in status(body)))
    assert done["succeeded"] == 5
    assert done["conditions"][-1]["type"] == "Complete"
    failed = status(await stage.until(JOBS, "failing", lambda body: status(body).get("failed") == 2))
    assert failed["conditions"][-1]["reason"] == "BackoffLimitExceeded"


@on_stage()
async def test_a_lost_node_is_marked_and_its_pods_move(stage: Stage) -> None:
    await stage.user.create(DEPLOYMENTS, workload("Deployment", "web", replicas=2), NAMESPACE)
    await stage.until(DEPLOYMENTS, "web", ready(2))
    stage.member.lose_node("m-node-1")

    def unreachable(body: Json) -> bool:
        return any(taint["key"] == "node.kubernetes.io/unreachable" for taint in body["spec"].get("taints") or [])

    await stage.until(NODES, "m-node-1", unreachable, seconds=120)
    await stage.until(DEPLOYMENTS, "web", lambda body: status(body).get("readyReplicas") == 1)
    # pods tolerate an unreachable node for five minutes, then their controller replaces them
    await stage.until(DEPLOYMENTS, "web", lambda body: status(body).get("readyReplicas") == 2, seconds=400)
    running = [pod for pod in await stage.pods() if "deletionTimestamp" not in pod["metadata"]]
    assert {pod["spec"]["nodeName"] for pod in running} == {"m-node-2"}
    stage.member.find_node("m-node-1")
    await stage.until(NODES, "m-node-1", lambda body: not unreachable(body), seconds=60)
    await asyncio.sleep(5)
    assert len(await stage.pods()) == 2


@on_stage()
async def test_faults_come_and_go(stage: Stage) -> None:
    stage.faults.cut_off()
    await stage.user.create(DEPLOYMENTS, workload("Deployment", "web", replicas=2), NAMESPACE)
    await asyncio.sleep(30)
    assert await stage.pods() == []
    with pytest.raises(Unreachable):
        await stage.faults.request("POST", "/api/v1/namespaces")
    stage.faults.heal()
    await stage.until(DEPLOYMENTS, "web", ready(2), seconds=120)
    stage.faults.failures.append(Failure(503, "ServiceUnavailable", share=0.4))
    stage.faults.failures.append(Failure(500, share=0.2, methods=frozenset({"POST"}), after=True))
    stage.faults.delay_seconds = 0.3
    for replicas in (6, 3, 5):
        await stage.user.patch(DEPLOYMENTS, "web", NAMESPACE, {"spec": {"replicas": replicas}})
        await asyncio.sleep(10)
        stage.faults.break_watches()
    stage.faults.heal()
    await stage.until(DEPLOYMENTS, "web", ready(5), seconds=400)
    await asyncio.sleep(60)
    assert len(await stage.pods()) == 5


@on_stage(speed=1000, timing=Timing(start_seconds=100))
async def test_speed_makes_pods_faster(stage: Stage) -> None:
    await stage.user.create(DEPLOYMENTS, workload("Deployment", "web", replicas=1), NAMESPACE)
    await stage.until(DEPLOYMENTS, "web", ready(1), seconds=2)


def test_items_are_left_alone() -> None:
    """Views of pods do not change what the cache holds."""
    from hansa.sim.pod import Pod

    item = Item.of({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"}, "spec": {}, "status": {}})
    pod = Pod(item)
    assert (pod.phase, pod.ready, pod.active, pod.finished) == ("Pending", False, True, False)
