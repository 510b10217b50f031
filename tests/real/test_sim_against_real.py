"""The simulated controllers beside the real ones: the same objects must lead to the same statuses.

Two real API servers get the same scenario. On one, kube-controller-manager and kube-scheduler work; on the other, ours.
Simulated kubelets run the pods of both.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hansa.api.meta import Json, Resource
from hansa.api.scheme import DAEMON_SETS, DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, SERVICES, STATEFUL_SETS
from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.errors import NotFound
from hansa.kube.http import HttpTransport
from hansa.rig.binaries import find_binaries
from hansa.rig.cluster import HUB, MEMBER, RealCluster
from hansa.sim.member import SimulatedMember

pytestmark = pytest.mark.timeout(300)  # on a busy machine two clusters alone take half a minute

NAMESPACE = "default"
QUIET_SECONDS = 1.5
LIMIT_SECONDS = 45.0


class Pair:
    """A client for each side, and what both did."""

    def __init__(self, real: Client, ours: Client) -> None:
        self.sides = {"real": real, "ours": ours}

    async def create(self, resource: Resource, obj: Json) -> None:
        for client in self.sides.values():
            await client.create(resource, obj, NAMESPACE)

    async def patch(self, resource: Resource, name: str, patch: Json) -> None:
        for client in self.sides.values():
            await client.patch(resource, name, NAMESPACE, patch)

    async def settled(self, resource: Resource, name: str) -> dict[str, Json]:
        """The object on each side, once it has not changed for a while and its controller has seen its spec."""
        found = await asyncio.gather(*(_settled(client, resource, name) for client in self.sides.values()))
        return dict(zip(self.sides, found, strict=True))


async def _settled(client: Client, resource: Resource, name: str) -> Json:
    loop = asyncio.get_running_loop()
    deadline, seen, since = loop.time() + LIMIT_SECONDS, "", loop.time()
    while loop.time() < deadline:
        item = await client.get(resource, name, NAMESPACE)
        body = item.json()
        if item.meta.resource_version != seen:
            seen, since = item.meta.resource_version, loop.time()
        observed = (body.get("status") or {}).get("observedGeneration", item.meta.generation)
        if loop.time() - since >= QUIET_SECONDS and observed >= item.meta.generation:
            return body
        await asyncio.sleep(0.1)
    pytest.fail(f"{client.server}: {resource.plural}/{name} does not come to rest")


@asynccontextmanager
async def side(name: str, directory: Path, *, real: bool) -> AsyncIterator[Client]:
    cluster = RealCluster(name, directory / name, find_binaries(), role=MEMBER if real else HUB, durable=False)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(cluster.stop)
        await cluster.start()
        file = directory / f"{name}.kubeconfig"
        file.write_text(json.dumps(cluster.kubeconfig()))
        client = Client(HttpTransport(config.load(file, None)))
        stack.push_async_callback(client.close)
        member = SimulatedMember(name, client, region="r", zones=["a", "b"], nodes=3, controllers=not real)
        task = asyncio.create_task(member.run())

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(end)
        yield client


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with side("real", tmp_path, real=True) as real, side("ours", tmp_path, real=False) as ours:
        yield Pair(real, ours)


def template(labels: dict[str, str], image: str = "nginx", **spec: Any) -> Json:
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}], **spec}}


def status_of(body: Json) -> Json:
    """A status without times and generated names; conditions in order of their types."""
    text = json.dumps(body.get("status") or {})
    text = re.sub(r"\b(web|db|agent)-[bcdfghjklmnpqrstvwxz2456789]{5,10}\b", r"\1-HASH", text)
    status: Json = json.loads(text)
    for name in ("startTime", "completionTime", "observedGeneration"):
        if name in status:
            status[name] = "…" if name != "observedGeneration" else status[name]
    for entry in status.get("conditions") or []:
        for name in ("lastTransitionTime", "lastUpdateTime", "lastProbeTime"):
            entry.pop(name, None)
    status["conditions"] = sorted(status.get("conditions") or [], key=lambda entry: entry["type"])
    return status


async def assert_same(pair: Pair, resource: Resource, name: str) -> Json:
    found = await pair.settled(resource, name)
    assert status_of(found["ours"]) == status_of(found["real"])
    keep = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
    annotations = [
        {key: value for key, value in (body["metadata"].get("annotations") or {}).items() if key in keep}
        for body in found.values()
    ]
    assert annotations[0] == annotations[1]
    assert found["ours"]["metadata"]["generation"] == found["real"]["metadata"]["generation"]
    return found["ours"]


async def replica_sets(client: Client) -> list[tuple[str, int, int, str | None]]:
    """Revision, spec.replicas, readyReplicas and history of each ReplicaSet."""
    return sorted(
        (
            item.annotations["deployment.kubernetes.io/revision"],
            int(item.json()["spec"]["replicas"]),
            int(item.json()["status"].get("readyReplicas", 0)),
            item.annotations.get("deployment.kubernetes.io/revision-history"),
        )
        for item in (await client.list(REPLICA_SETS, NAMESPACE)).items
    )


async def assert_same_sets(pair: Pair) -> None:
    await asyncio.sleep(0.5)
    assert await replica_sets(pair.sides["ours"]) == await replica_sets(pair.sides["real"])


async def test_deployments(pair: Pair) -> None:
    labels = {"app": "web"}
    deployment: Json = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 4, "selector": {"matchLabels": labels}, "template": template(labels)},
    }
    await pair.create(DEPLOYMENTS, deployment)
    assert (await assert_same(pair, DEPLOYMENTS, "web"))["status"]["readyReplicas"] == 4
    await assert_same_sets(pair)

    image = lambda name: {"spec": {"template": template(labels, name)}}  # noqa: E731
    await pair.patch(DEPLOYMENTS, "web", image("nginx:2"))
    await assert_same(pair, DEPLOYMENTS, "web")
    await pair.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 7}})
    await assert_same(pair, DEPLOYMENTS, "web")
    await pair.patch(DEPLOYMENTS, "web", image("nginx"))  # back to the first revision
    await assert_same(pair, DEPLOYMENTS, "web")
    await assert_same_sets(pair)

    # an image that never comes: the rollout stops half way, and is then given up
    await pair.patch(DEPLOYMENTS, "web", {"spec": {"progressDeadlineSeconds": 3}})
    await assert_same(pair, DEPLOYMENTS, "web")
    await pair.patch(DEPLOYMENTS, "web", image("fake/nginx"))
    await asyncio.sleep(6)
    stuck = await assert_same(pair, DEPLOYMENTS, "web")
    assert {entry["reason"] for entry in stuck["status"]["conditions"]} >= {"ProgressDeadlineExceeded"}
    await assert_same_sets(pair)
    await pair.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 10}})  # shared in proportion
    await asyncio.sleep(1)
    await assert_same(pair, DEPLOYMENTS, "web")
    await assert_same_sets(pair)

    await pair.patch(DEPLOYMENTS, "web", {"spec": {"paused": True, "progressDeadlineSeconds": 600}})
    await assert_same(pair, DEPLOYMENTS, "web")
    await pair.patch(DEPLOYMENTS, "web", image("nginx:3") | {})
    await pair.patch(DEPLOYMENTS, "web", {"spec": {"revisionHistoryLimit": 1}})
    await assert_same(pair, DEPLOYMENTS, "web")
    await pair.patch(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    await assert_same(pair, DEPLOYMENTS, "web")
    await assert_same_sets(pair)
    await pair.patch(DEPLOYMENTS, "web", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
    await assert_same(pair, DEPLOYMENTS, "web")
    await pair.patch(DEPLOYMENTS, "web", image("nginx:4"))
    await assert_same(pair, DEPLOYMENTS, "web")
    await assert_same_sets(pair)
    await pair.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}})
    await assert_same(pair, DEPLOYMENTS, "web")

    for client in pair.sides.values():
        await client.delete(DEPLOYMENTS, "web", NAMESPACE)
    for client in pair.sides.values():
        for _ in range(100):
            if not (await client.list(PODS, NAMESPACE)).items:
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("pods are left")
        with pytest.raises(NotFound):
            await client.get(DEPLOYMENTS, "web", NAMESPACE)


async def test_statefulsets_and_daemonsets(pair: Pair) -> None:
    labels = {"app": "db"}
    spec: Json = {
        "replicas": 3,
        "serviceName": "db",
        "selector": {"matchLabels": labels},
        "template": template(labels),
    }
    kind: Json = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec}
    await pair.create(STATEFUL_SETS, kind)
    await assert_same(pair, STATEFUL_SETS, "db")
    await pair.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 5}})
    await assert_same(pair, STATEFUL_SETS, "db")
    partition = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}}
    await pair.patch(STATEFUL_SETS, "db", {"spec": {"template": template(labels, "nginx:2"), **partition}})
    await asyncio.sleep(2)
    await assert_same(pair, STATEFUL_SETS, "db")
    partition["updateStrategy"]["rollingUpdate"] = {"partition": 0}  # type: ignore[index]
    await pair.patch(STATEFUL_SETS, "db", {"spec": partition})
    await asyncio.sleep(2)
    await assert_same(pair, STATEFUL_SETS, "db")
    await pair.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 2, "template": template(labels, "fake/nginx")}})
    await asyncio.sleep(2)
    await assert_same(pair, STATEFUL_SETS, "db")

    agent = {"app": "agent"}
    daemon: Json = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent"},
        "spec": {"selector": {"matchLabels": agent}, "template": template(agent)},
    }
    await pair.create(DAEMON_SETS, daemon)
    assert (await assert_same(pair, DAEMON_SETS, "agent"))["status"]["numberReady"] == 3
    await pair.patch(DAEMON_SETS, "agent", {"spec": {"template": template(agent, "nginx:2")}})
    await asyncio.sleep(2)
    await assert_same(pair, DAEMON_SETS, "agent")
    pinned = template(agent, "nginx:2", nodeSelector={"topology.kubernetes.io/zone": "b"})
    await pair.patch(DAEMON_SETS, "agent", {"spec": {"template": pinned}})
    await asyncio.sleep(2)
    assert (await assert_same(pair, DAEMON_SETS, "agent"))["status"]["desiredNumberScheduled"] == 1


async def test_jobs(pair: Pair) -> None:
    def job(name: str, image: str = "busybox", policy: str = "Never", **spec: Any) -> Json:
        body = template({"app": name}, image, restartPolicy=policy)
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"template": body, **spec},
        }

    await pair.create(JOBS, job("once"))
    await pair.create(JOBS, job("many", completions=5, parallelism=2))
    await pair.create(JOBS, job("indexed", completions=4, parallelism=4, completionMode="Indexed"))
    await pair.create(JOBS, job("failing", "crash/it", backoffLimit=0))
    await pair.create(JOBS, job("waiting", suspend=True))
    await asyncio.sleep(6)
    for name in ("once", "many", "indexed", "failing", "waiting"):
        await assert_same(pair, JOBS, name)
    await pair.patch(JOBS, "waiting", {"spec": {"suspend": False}})
    await asyncio.sleep(3)
    resumed = await assert_same(pair, JOBS, "waiting")
    assert resumed["status"]["succeeded"] == 1


async def test_endpoints(pair: Pair) -> None:
    labels = {"app": "web"}
    deployment: Json = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template(labels)},
    }
    for name, extra in (("web", {}), ("headless", {"clusterIP": "None"}), ("nobody", {"selector": {"app": "none"}})):
        spec: Json = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **extra}
        await pair.create(
            SERVICES,
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"tier": "x"}}, "spec": spec},
        )
    await pair.create(DEPLOYMENTS, deployment)
    await pair.settled(DEPLOYMENTS, "web")
    await asyncio.sleep(2)
    shapes = {}
    for side_name, client in pair.sides.items():
        slices = await client.raw("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
        endpoints = await client.raw("GET", "/api/v1/namespaces/default/endpoints")
        shapes[side_name] = [
            *(_shape(entry) for entry in json.loads(slices.body)["items"]),
            *(_shape(entry) for entry in json.loads(endpoints.body)["items"]),
        ]
    for group in shapes.values():
        group.sort(key=lambda entry: (entry["name"], "subsets" in entry))
    assert len(shapes["ours"]) == len(shapes["real"])
    for ours, real in zip(shapes["ours"], shapes["real"], strict=True):
        assert ours == real


def _shape(body: Json) -> Json:
    """EndpointSlices and Endpoints without what is chosen by chance: addresses, nodes, zones and pod names.

    The real controllers take the annotation of the last change away again when an update has no trigger of its own.
    """
    metadata = body["metadata"]
    name = metadata.get("labels", {}).get("kubernetes.io/service-name", metadata["name"])
    shape: Json = {
        "name": name,
        "labels": metadata.get("labels"),
        "owners": [ref["kind"] for ref in metadata.get("ownerReferences") or []],
        "ports": body.get("ports"),
    }
    if "endpoints" in body:
        shape["endpoints"] = [
            {"fields": sorted(entry), "conditions": entry["conditions"]} for entry in body["endpoints"] or []
        ]
    else:
        shape["subsets"] = [
            {
                "addresses": [sorted(entry) for entry in subset.get("addresses") or []],
                "notReady": len(subset.get("notReadyAddresses") or []),
                "ports": subset.get("ports"),
            }
            for subset in body.get("subsets") or []
        ]
    return shape
