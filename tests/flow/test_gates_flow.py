"""What is different where a feature gate is off."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from tests.support import objects
from tests.support.federation import Federation

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.meta import Json
from hansa.app.control_plane import ControlPlane, Settings
from hansa.base.gates import Gates
from hansa.control.context import Options
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError

pytestmark = pytest.mark.looptime(resolution=2**-20)
NAMESPACE = "default"
DIVIDED = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}
PARTS = [
    {"name": "manager", "replicas": 1, "replicaRequirements": {"resourceRequest": {"cpu": "1"}}},
    {"name": "worker", "replicas": 2, "replicaRequirements": {"resourceRequest": {"cpu": "2"}}},
]


async def opened(federation: Federation, gates: str, pods: int = 4) -> Federation:
    """One member with a node."""
    await federation.plane.stop()
    federation.options = Options(gates=Gates.parse(gates))
    await federation.restart()
    status = {"allocatable": {"pods": str(pods), "cpu": "64", "memory": "64Gi"}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": status}
    await federation.apply(node, server="member1")
    await federation.join("member1")
    await asyncio.sleep(25)
    await federation.settle()
    return federation


async def bound(federation: Federation, name: str) -> Json:
    found = await federation.get("hub", scheme.RESOURCE_BINDINGS, name, NAMESPACE)
    assert found is not None
    return found


def reason(binding: Json) -> str:
    (found,) = [one for one in binding["status"]["conditions"] if one["type"] == "Scheduled"]
    return found["reason"]


def divided(name: str, replicas: int) -> list[Json]:
    template = objects.deployment(name, NAMESPACE, replicas=replicas)
    selectors = [objects.selects(template)]
    return [template, objects.policy(name, NAMESPACE, selectors, placement={"replicaScheduling": DIVIDED})]


@pytest.mark.parametrize(("gates", "soon"), [("PriorityBasedScheduling=false", True), ("", False)])
async def test_what_found_no_room_backs_off_as_all_do_where_there_are_no_priorities(
    federation: Federation, gates: str, soon: bool
):
    """With priorities it waits five minutes."""
    hub = await opened(federation, gates)
    await hub.apply(*divided("first", 3))
    await hub.settle()
    await hub.apply(*divided("second", 3))
    await hub.settle()
    assert reason(await bound(hub, "second-deployment")) == "Unschedulable"
    await hub.hub.delete(objects.DEPLOYMENTS, "first", NAMESPACE, propagation="Background")
    await asyncio.sleep(60)
    await hub.settle()
    assert (reason(await bound(hub, "second-deployment")) == "Success") is soon


async def give_components(hub: Federation) -> None:
    """To a binding that goes to one cluster, placed anew."""
    template = objects.config_map("job", NAMESPACE)
    once = [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]
    placement = {"replicaScheduling": DIVIDED, "spreadConstraints": once}
    await hub.apply(template, objects.policy("p", NAMESPACE, [objects.selects(template)], placement=placement))
    await hub.settle()
    patch: Json = {"spec": {"components": PARTS, "clusters": None}}
    await hub.hub.patch(scheme.RESOURCE_BINDINGS, "job-configmap", NAMESPACE, patch)
    await hub.settle()


@pytest.mark.parametrize(
    ("gates", "targets"),
    [
        ("MultiplePodTemplatesScheduling=false", [{"name": "member1"}]),
        (
            "",
            [
                {
                    "name": "member1",
                    "components": [{"name": "manager", "replicas": 1}, {"name": "worker", "replicas": 2}],
                }
            ],
        ),
    ],
)
async def test_components_are_not_heeded(federation: Federation, gates: str, targets: list[Json]):
    hub = await opened(federation, gates)
    await give_components(hub)
    assert (await bound(hub, "job-configmap"))["spec"]["clusters"] == targets


async def test_components_that_are_not_heeded_ask_for_no_room(federation: Federation):
    hub = await opened(federation, "MultiplePodTemplatesScheduling=false", pods=2)
    await give_components(hub)
    assert reason(await bound(hub, "job-configmap")) == "Success"


@pytest.mark.parametrize(("gates", "one"), [("ControllerPriorityQueue=false", True), ("", False)])
async def test_queues_have_one_lane_without_their_gate(federation: Federation, gates: str, one: bool):
    settings = Settings.of(gates=gates, scheduler="x", skipped_apis="", skipped_namespaces="", eviction_timeout="")
    plane = ControlPlane(federation.hub, federation.clock, _nobody, settings)
    async with plane.running():
        assert {controller.queue.one_lane for controller in plane.controllers} == {one}


def _nobody(cluster: Cluster, secret: Mapping[str, bytes]) -> Client:
    raise ConfigError("no members")
