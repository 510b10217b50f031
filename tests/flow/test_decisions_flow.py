"""How decisions get into the status of bindings: after the clusters, with what members report, and never lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.support.federation import Federation, Tap
from tests.support.objects import config_map, deployment, metadata, policy, selects

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.control.context import Options
from hansa.kube.transport import Answer

pytestmark = pytest.mark.looptime(resolution=2**-20)
NAMESPACE = "default"
BINDINGS = f"/apis/work.karmada.io/v1alpha2/namespaces/{NAMESPACE}/resourcebindings/"
COUNT = 30


@dataclass
class Order(Tap):
    """What was written of bindings, in the order of its arrival: (name, clusters or status)."""

    seen: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    refuse_status: int = 0
    """How many statuses are still to fail."""

    def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
        if server != "hub" or method != "PATCH" or not path.startswith(BINDINGS):
            return None
        name, _, subresource = path.removeprefix(BINDINGS).partition("/")
        self.seen.append((name, subresource or "clusters"))
        if subresource and self.refuse_status:
            self.refuse_status -= 1
            return Answer(
                503, {}, b'{"kind":"Status","apiVersion":"v1","status":"Failure","code":503,"message":"later"}'
            )
        return None


def waiting(name: str) -> Json:
    """A binding of a controller of somebody's, which nobody has placed."""
    labels = {names.BINDING_MANAGED_BY_LABEL: "somebody", names.BINDING_ID_LABEL: name}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": NAMESPACE, "name": name, "uid": name}
    where = {"replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted"}}
    return {
        "apiVersion": scheme.RESOURCE_BINDINGS.api_version,
        "kind": "ResourceBinding",
        "metadata": metadata(name, NAMESPACE, labels=labels),
        "spec": {"resource": reference, "replicas": 3, "placement": where},
    }


async def bound(federation: Federation, name: str) -> Json:
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, name, NAMESPACE)
    assert binding is not None
    return binding


def said(binding: Json) -> tuple[str, str]:
    (found,) = [one for one in binding["status"]["conditions"] if one["type"] == "Scheduled"]
    return found["status"], found["reason"]


async def scheduled(federation: Federation, name: str) -> bool:
    binding = await bound(federation, name)
    status = binding["status"]
    assert status["schedulerObservedGeneration"] == binding["metadata"]["generation"]
    assert status["lastScheduledTime"]
    return said(binding) == ("True", "Success")


async def tapped(federation: Federation, *, refuse_status: int = 0) -> Order:
    await federation.join("member1")
    federation.tap = Order(refuse_status=refuse_status)
    await federation.restart()
    await federation.settle()
    return federation.tap


async def test_of_many_that_wait_all_have_clusters_before_any_status_says_so(federation: Federation) -> None:
    federation.options = Options(workers=2)
    order = await tapped(federation)
    for number in range(COUNT):
        await federation.apply(waiting(f"one-{number}"))
    await federation.settle()
    kinds = [kind for _, kind in order.seen]
    assert kinds[:COUNT] == ["clusters"] * COUNT
    assert set(kinds[COUNT:]) == {"status"}
    for number in range(COUNT):
        assert await scheduled(federation, f"one-{number}")


async def test_one_status_tells_of_the_decision_and_of_what_members_report(federation: Federation) -> None:
    order = await tapped(federation)
    await federation.apply(config_map("settings", NAMESPACE))
    await federation.apply(policy("settings", NAMESPACE, [selects(config_map("settings", NAMESPACE))]))
    await asyncio.sleep(10)
    await federation.settle()
    assert order.seen == [("settings-configmap", "status")]
    assert await scheduled(federation, "settings-configmap")
    binding = await bound(federation, "settings-configmap")
    assert [one["applied"] for one in binding["status"]["aggregatedStatus"]] == [True]


async def test_a_status_that_fails_is_written_again(federation: Federation) -> None:
    await tapped(federation, refuse_status=3)
    await federation.apply(waiting("one"))
    await federation.settle()
    assert await scheduled(federation, "one")


async def test_a_scale_up_is_told_with_its_time(federation: Federation) -> None:
    await tapped(federation)
    await federation.apply(waiting("one"))
    await federation.settle()
    first = await bound(federation, "one")
    await asyncio.sleep(5)
    await federation.hub.patch(scheme.RESOURCE_BINDINGS, "one", NAMESPACE, {"spec": {"replicas": 7}})
    await federation.settle()
    then = await bound(federation, "one")
    assert then["spec"]["clusters"] == [{"name": "member1", "replicas": 7}]
    assert await scheduled(federation, "one")
    assert then["status"]["lastScheduledTime"] > first["status"]["lastScheduledTime"]


async def test_a_decision_that_nobody_told_of_is_told_after_a_restart(federation: Federation) -> None:
    """The process ends between the clusters and the status."""
    federation.options = Options(report_delay_seconds=20)
    await tapped(federation)
    await federation.apply(waiting("one"))
    await asyncio.sleep(5)
    binding = await bound(federation, "one")
    assert binding["spec"]["clusters"] and "status" not in binding
    await federation.restart()
    await asyncio.sleep(30)
    assert await scheduled(federation, "one")


async def test_a_refusal_takes_back_what_was_not_told_yet(federation: Federation) -> None:
    """It had found a cluster; before the status says so, the spec asks for what no cluster can give."""
    federation.options = Options(report_delay_seconds=5)
    await tapped(federation)
    await federation.apply(waiting("one"))
    await asyncio.sleep(1)
    nowhere = {"spec": {"placement": {"clusterAffinity": {"clusterNames": ["nowhere"]}}}}
    await federation.hub.patch(scheme.RESOURCE_BINDINGS, "one", NAMESPACE, nowhere)
    await asyncio.sleep(20)
    await federation.settle()
    binding = await bound(federation, "one")
    assert said(binding) == ("False", "NoClusterFit")


async def test_what_became_of_a_template_that_nobody_bound_is_left_alone(federation: Federation) -> None:
    """Somebody else's scheduler decides: nothing is told of it."""
    order = await tapped(federation)
    binding = waiting("one")
    binding["spec"]["schedulerName"] = "another"
    await federation.apply(binding)
    await federation.apply(deployment("one", NAMESPACE))
    await federation.settle()
    assert order.seen == []
