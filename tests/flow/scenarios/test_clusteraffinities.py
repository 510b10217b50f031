"""Groups of clusters that are tried in order, and groups for what does not fit."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.objects import CLUSTER_ROLES, DEPLOYMENTS, deployment, metadata, policy, selects
from tests.support.rig import Rig

from hansa.api import scheme
from hansa.api.meta import Json
from hansa.base.clock import parse_rfc3339
from hansa.base.quantity import Quantity

DYNAMIC = {
    "replicaSchedulingType": "Divided",
    "replicaDivisionPreference": "Weighted",
    "weightPreference": {"dynamicWeight": "AvailableReplicas"},
}


def group(number: int, rig: Rig) -> Json:
    selector = {"matchLabels": {f"group{number}": rig.namespace}}
    return {"affinityName": f"group{number}", "labelSelector": selector}


async def labelled(rig: Rig) -> tuple[str, str]:
    """The members of group1 and of group2."""
    first, second, _ = rig.members
    await rig.label_cluster(first, {"group1": rig.namespace})
    await rig.label_cluster(second, {"group2": rig.namespace})
    return first, second


async def propagated(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    placement = {"clusterAffinities": [group(1, rig), group(2, rig)]}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))


async def observed(rig: Rig, affinity: str, name: str = "web-deployment") -> str:
    """Wait until the term is in use, and said of the generation there is; when it was last scheduled."""
    last: list[str] = []

    async def so() -> None:
        binding = await rig.binding(name)
        status = binding["status"]
        assert status["schedulerObservingAffinityName"] == affinity
        assert status["schedulerObservedGeneration"] == binding["metadata"]["generation"]
        last.append(status["lastScheduledTime"])

    await rig.eventually(so)
    return last[-1]


async def moved_to_the_second(rig: Rig) -> tuple[str, str]:
    first, second = await labelled(rig)
    await propagated(rig)
    await rig.reaches([first], DEPLOYMENTS, "web", rig.namespace)
    await observed(rig, "group1")
    await rig.label_cluster(first, {"group1": None})
    await rig.reaches([second], DEPLOYMENTS, "web", rig.namespace)
    await observed(rig, "group2")
    return first, second


async def test_a_workload_moves_on_to_the_next_group(rig: Rig) -> None:
    await moved_to_the_second(rig)
    told = await rig.event("ScheduleBindingFailed", "web-deployment", rig.namespace)
    assert f"failed to schedule ResourceBinding({rig.namespace}/web-deployment)" in told["message"]
    assert "with clusterAffiliates index(0): 0/3 clusters are available" in told["message"]


async def test_a_cluster_role_moves_on_to_the_next_group(rig: Rig) -> None:
    first, second = await labelled(rig)
    name = rig.name("reader")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    template = {**kind, "metadata": metadata(name), "rules": rules}
    placement = {"clusterAffinities": [group(1, rig), group(2, rig)]}
    await rig.apply(template, policy(rig.name("p"), None, [selects(template)], placement=placement))
    await rig.reaches([first], CLUSTER_ROLES, name)
    await rig.label_cluster(first, {"group1": None})
    await rig.reaches([second], CLUSTER_ROLES, name)
    await observed(rig, "group2", f"{name}-clusterrole")


async def test_it_does_not_move_back_but_is_looked_at_again(rig: Rig) -> None:
    first, second = await moved_to_the_second(rig)
    await rig.label_cluster(first, {"group1": rig.namespace})
    before = await observed(rig, "group2")
    await asyncio.sleep(2)
    await rig.label_cluster(second, {"unrelated": "yes"})

    async def later() -> None:
        assert parse_rfc3339(await observed(rig, "group2")) > parse_rfc3339(before)

    await rig.eventually(later)
    assert await rig.where(DEPLOYMENTS, "web", rig.namespace) == [second]


async def test_rescheduling_begins_with_the_first_group(rig: Rig) -> None:
    first, _ = await moved_to_the_second(rig)
    await rig.label_cluster(first, {"group1": rig.namespace})
    last = await observed(rig, "group2")
    await asyncio.sleep(2)
    # what a WorkloadRebalancer writes: its own time of creation
    marker = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("now", rig.namespace)}
    await rig.apply(marker)
    made = await rig.get("hub", scheme.CONFIGMAPS, "now", rig.namespace)
    assert made is not None
    now = made["metadata"]["creationTimestamp"]
    assert parse_rfc3339(now) > parse_rfc3339(last)
    patch = {"spec": {"rescheduleTriggeredAt": now}}
    await rig.patch(scheme.RESOURCE_BINDINGS, "web-deployment", patch, rig.namespace)
    await rig.reaches([first], DEPLOYMENTS, "web", rig.namespace)
    assert parse_rfc3339(await observed(rig, "group1")) >= parse_rfc3339(now)


@pytest.mark.parametrize("cluster_wide", [False, True])
async def test_one_affinity_and_several_can_be_exchanged(rig: Rig, cluster_wide: bool) -> None:
    first, second = await labelled(rig)
    template = deployment("web", rig.namespace)
    name, namespace = (rig.name("p"), None) if cluster_wide else ("p", rig.namespace)
    selector = {**selects(template), "namespace": rig.namespace}
    for placement, member in (
        ({"clusterAffinity": {"clusterNames": [first]}}, first),
        ({"clusterAffinities": [group(2, rig)]}, second),
        ({"clusterAffinity": {"clusterNames": [first]}}, first),
    ):
        await rig.apply(template, policy(name, namespace, [selector], placement=placement))
        await rig.reaches([member], DEPLOYMENTS, "web", rig.namespace)


async def half_of(rig: Rig, member: str) -> str:
    """A request of cpu of which two, and no third, find room in the member."""
    found: list[int] = []

    async def said() -> None:
        summary = (await rig.get("hub", scheme.CLUSTERS, member) or {})["status"]["resourceSummary"]
        used = Quantity.parse(summary.get("allocated", {}).get("cpu", "0")).milli
        found.append(Quantity.parse(summary["allocatable"]["cpu"]).milli - used)
        assert found[-1] > 0

    await rig.eventually(said)
    return f"{found[-1] * 2 // 5}m"


async def test_what_does_not_fit_flows_over_and_comes_back(rig: Rig) -> None:
    """There is room for two replicas in each cluster."""
    first, second, _ = rig.members
    request = await half_of(rig, first)
    overflow = {"affinityName": "secondary", "clusterNames": [second]}
    term = {"affinityName": "primary", "clusterNames": [first], "overflowAffinities": [overflow]}
    placement = {"clusterAffinities": [term], "replicaScheduling": DYNAMIC}

    async def scale(replicas: int) -> None:
        container = {"name": "c", "image": "nginx:1.19.0", "resources": {"requests": {"cpu": request}}}
        template = deployment("web", rig.namespace, replicas=replicas, pod={"containers": [container]})
        await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))

    async def reported(replicas: int) -> None:
        """Healthy, and counted in the clusters' summaries, which members give every ten seconds."""

        async def ready() -> None:
            live = await rig.get("hub", DEPLOYMENTS, "web", rig.namespace)
            assert live is not None and live["status"]["readyReplicas"] == replicas

        await rig.eventually(ready)
        await asyncio.sleep(15)

    await scale(2)
    await rig.divides("web-deployment", {first: 2})
    await reported(2)
    await scale(4)
    await rig.divides("web-deployment", {first: 2, second: 2})
    await reported(4)
    await scale(5)
    await rig.refused("web-deployment", "Unschedulable", "not enough to schedule")
    await scale(2)
    await rig.divides("web-deployment", {first: 2})
    await rig.reaches([first], DEPLOYMENTS, "web", rig.namespace)


async def test_what_is_evicted_from_one_group_appears_in_the_next(rig: Rig) -> None:
    """A cluster fails; the taint manager's part is written directly."""
    first, second = await labelled(rig)
    await propagated(rig)
    await rig.reaches([first], DEPLOYMENTS, "web", rig.namespace)
    await observed(rig, "group1")
    await rig.edit_cluster(first, {"taints": [{"key": "example.io/broken", "effect": "NoExecute"}]})
    task = {"fromCluster": first, "producer": "TaintManager", "reason": "TaintUntolerated", "purgeMode": "Gracefully"}
    evicted = {"spec": {"clusters": None, "gracefulEvictionTasks": [task]}}
    await rig.patch(scheme.RESOURCE_BINDINGS, "web-deployment", evicted, rig.namespace)
    await rig.divides("web-deployment", {second: 3})
    await rig.reaches([second], DEPLOYMENTS, "web", rig.namespace)
    await observed(rig, "group2")
