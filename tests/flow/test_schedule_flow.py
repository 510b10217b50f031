"""What surrounds decisions: order, retries, room on its way, estimators, groups, refusals of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from tests.support.federation import Federation, Tap
from tests.support.objects import DEPLOYMENTS, config_map, deployment, metadata, policy, selects

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.api.work import BindingSpec
from hansa.control.context import Options
from hansa.control.place.estimators import EstimateError
from hansa.kube.transport import Answer
from hansa.schedule.capacity import Load

pytestmark = pytest.mark.looptime(resolution=2**-20)
NAMESPACE = "default"
DYNAMIC = {
    "replicaSchedulingType": "Divided",
    "replicaDivisionPreference": "Weighted",
    "weightPreference": {"dynamicWeight": "AvailableReplicas"},
}
ONE_CLUSTER = [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]


async def joined(federation: Federation, **pods: int) -> None:
    """Members with a node for so many pods; its cluster says so."""
    for name, count in pods.items():
        await federation.apply(node(count), server=name)
    await federation.join(*pods)
    await asyncio.sleep(25)
    await federation.settle()


def node(pods: int) -> Json:
    allocatable = {"pods": str(pods), "cpu": "64", "memory": "64Gi"}
    status = {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": status}


async def binding(federation: Federation, name: str = "web") -> Json:
    found = await federation.get("hub", scheme.RESOURCE_BINDINGS, f"{name}-deployment", NAMESPACE)
    assert found is not None
    return found


async def shares(federation: Federation, name: str = "web") -> dict[str, int]:
    targets = (await binding(federation, name))["spec"].get("clusters") or []
    return {target["name"]: target.get("replicas", 0) for target in targets}


async def scheduled(federation: Federation, name: str = "web") -> tuple[str, str, str]:
    conditions = (await binding(federation, name)).get("status", {}).get("conditions") or []
    (found,) = [one for one in conditions if one["type"] == "Scheduled"]
    return found["status"], found["reason"], found["message"]


async def edit(federation: Federation, name: str, patch: Json) -> None:
    await federation.hub.patch(scheme.RESOURCE_BINDINGS, f"{name}-deployment", NAMESPACE, patch)


def dynamic(name: str, replicas: int, **placement: Any) -> list[Json]:
    template = deployment(name, NAMESPACE, replicas=replicas)
    where = {"replicaScheduling": DYNAMIC, **placement}
    return [template, policy(name, NAMESPACE, [selects(template)], placement=where)]


async def test_the_higher_priority_is_scheduled_first(federation: Federation) -> None:
    """There is room for one of two that wait; the one that came later goes first."""
    await joined(federation, member1=4)
    await federation.apply(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata("high"), "value": 1000}
    )
    await federation.plane.stop()
    for name, priority in (("batch", None), ("shop", 1000)):
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": NAMESPACE, "name": name}
        spec: Json = {
            "resource": reference,
            "replicas": 3,
            "replicaRequirements": {},
            "placement": {"replicaScheduling": DYNAMIC},
        }
        if priority is not None:
            spec["schedulePriority"] = {"priority": priority}
        labels = {names.BINDING_MANAGED_BY_LABEL: "test"}
        document = {
            "apiVersion": "work.karmada.io/v1alpha2",
            "kind": "ResourceBinding",
            "metadata": metadata(f"{name}-deployment", NAMESPACE, labels),
            "spec": spec,
        }
        await federation.apply(document)
    await federation.restart()
    await federation.settle()
    assert await shares(federation, "shop") == {"member1": 3}
    assert await shares(federation, "batch") == {}
    assert (await scheduled(federation, "batch"))[:2] == ("False", "Unschedulable")


async def test_room_is_not_given_twice(federation: Federation) -> None:
    """The member's status says nothing of the first workload yet."""
    await joined(federation, member1=4)
    await federation.apply(*dynamic("first", 3), *dynamic("second", 3))
    await federation.settle()
    assert await shares(federation, "first") == {"member1": 3}
    assert (await scheduled(federation, "second"))[1] == "Unschedulable"
    await federation.hub.delete(DEPLOYMENTS, "first", NAMESPACE, propagation="Background")
    await asyncio.sleep(301)
    await federation.settle()
    assert await shares(federation, "second") == {"member1": 3}


async def test_room_is_not_given_twice_by_a_scheduler_that_takes_over(federation: Federation) -> None:
    await joined(federation, member1=4)
    await federation.apply(*dynamic("first", 3))
    await federation.settle()
    await federation.restart()
    await federation.settle()
    await federation.apply(*dynamic("second", 3))
    await federation.settle()
    assert (await scheduled(federation, "second"))[1] == "Unschedulable"
    await asyncio.sleep(301)
    await federation.settle()
    assert await shares(federation, "second") == {"member1": 3}


async def test_what_is_impossible_is_retried_without_haste_and_without_writes(federation: Federation) -> None:
    await joined(federation, member1=4)
    two = [{"spreadByField": "cluster", "minGroups": 2, "maxGroups": 2}]
    template = config_map("settings", NAMESPACE)
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)], placement={"spreadConstraints": two}))
    await federation.settle()
    federation.plane.forget_writes()
    await asyncio.sleep(120)
    assert [write for write in federation.plane.writes if "bindings" in write] == []
    await federation.join("member2")
    await asyncio.sleep(25)
    await federation.settle()
    found = await federation.get("hub", scheme.RESOURCE_BINDINGS, "settings-configmap", NAMESPACE)
    assert found is not None and len(found["spec"]["clusters"]) == 2


async def test_a_divided_workload_moves_when_the_cluster_that_is_wanted_works_again(federation: Federation) -> None:
    """What was broken did not cost the last placement, and what is wanted is not forgotten."""
    await joined(federation, member1=9, member2=9)
    await federation.apply(*dynamic("web", 3, clusterAffinity={"clusterNames": ["member1"]}))
    await federation.settle()
    taint = {"key": names.NOT_READY_TAINT, "effect": "NoExecute"}
    await federation.hub.patch(scheme.CLUSTERS, "member2", None, {"spec": {"taints": [taint]}})
    await federation.settle()
    await federation.apply(*dynamic("web", 3, clusterAffinity={"clusterNames": ["member2"]}))
    await federation.settle()
    assert await shares(federation) == {"member1": 3}
    assert (await scheduled(federation))[:2] == ("False", "NoClusterFit")
    await federation.hub.patch(scheme.CLUSTERS, "member2", None, {"spec": {"taints": None}})
    await federation.settle()
    assert await shares(federation) == {"member2": 3}
    assert (await scheduled(federation))[:2] == ("True", "Success")


async def test_karmadas_way_is_an_option(federation: Federation) -> None:
    """What no cluster fits leaves its clusters, though the one that is wanted is only broken."""
    await joined(federation, member1=9, member2=9)
    await federation.apply(*dynamic("web", 3, clusterAffinity={"clusterNames": ["member1"]}))
    taint = {"key": names.NOT_READY_TAINT, "effect": "NoExecute"}
    await federation.hub.patch(scheme.CLUSTERS, "member2", None, {"spec": {"taints": [taint]}})
    await federation.settle()
    federation.options = Options(no_fit_clears=True)
    await federation.restart()
    await federation.settle()
    await federation.apply(*dynamic("web", 3, clusterAffinity={"clusterNames": ["member2"]}))
    await federation.settle()
    assert await shares(federation) == {}
    assert (await scheduled(federation))[:2] == ("False", "NoClusterFit")
    assert await federation.get("member1", DEPLOYMENTS, "web", NAMESPACE) is None


async def test_attempts_are_counted_by_result_and_by_what_they_were_for(federation: Federation) -> None:
    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"karmada_scheduler_{name}", labels) or 0.0

    def counts() -> dict[str, float]:
        attempts = {
            f"{result} {kind}": value("schedule_attempts_total", result=result, schedule_type=kind)
            for result in ("scheduled", "error")
            for kind in ("ReconcileSchedule", "ScaleSchedule")
        }
        events = ("BindingAdd", "BindingUpdate", "ClusterChanged", "ScheduleAttemptFailure")
        return attempts | {event: value("queue_incoming_bindings_total", event=event) for event in events}

    def grown(since: dict[str, float]) -> dict[str, float]:
        return {name: count - since[name] for name, count in counts().items() if count != since[name]}

    await joined(federation, member1=4)
    begun = counts()
    await federation.apply(*dynamic("web", 2))
    await federation.settle()
    assert grown(begun) == {"scheduled ReconcileSchedule": 1, "BindingAdd": 1}
    begun = counts()
    await federation.apply(deployment("web", NAMESPACE, replicas=3))
    await federation.settle()
    found = grown(begun)
    assert found.pop("BindingUpdate") >= 1
    assert found == {"scheduled ScaleSchedule": 1}
    begun, full = counts(), value("pending_bindings", queue="unschedulable")
    await federation.apply(deployment("web", NAMESPACE, replicas=30))
    await federation.settle()
    found = grown(begun)
    assert found.pop("BindingUpdate") >= 1
    assert found == {"error ScaleSchedule": 1, "ScheduleAttemptFailure": 1}
    assert value("pending_bindings", queue="unschedulable") == full + 1
    seconds = "e2e_scheduling_duration_seconds_count"
    assert value(seconds, result="error", schedule_type="ScaleSchedule") >= 1
    begun = counts()
    await federation.hub.patch(scheme.CLUSTERS, "member1", None, {"metadata": {"labels": {"tier": "gold"}}})
    await federation.settle()
    assert grown(begun)["ClusterChanged"] == 1


# -- estimators -------------------------------------------------------------------------------------------------------


@dataclass
class Stub:
    """Says what it is told to say; what it was asked is kept."""

    answers: Mapping[str, int]
    name: str = "stub"
    broken: bool = False
    asked: list[tuple[str, Sequence[str], Mapping[str, Load]]] = field(
        default_factory=list[tuple[str, Sequence[str], Mapping[str, Load]]]
    )

    async def room(self, spec: BindingSpec, clusters: Sequence[str], assumed: Mapping[str, Load]) -> Mapping[str, int]:
        self.asked.append((spec.resource.name, clusters, assumed))
        await asyncio.sleep(0.1)
        if self.broken:
            raise EstimateError("member1 does not answer")
        return {name: self.answers.get(name, -1) for name in clusters}


async def test_of_several_answers_the_least_counts(federation: Federation) -> None:
    await joined(federation, member1=20, member2=20)
    federation.estimators.append(Stub({"member1": 2, "member2": 6}))
    federation.estimators.append(Stub({"member1": 5, "member2": -1}))
    await federation.apply(*dynamic("web", 8))
    await federation.settle()
    assert await shares(federation) == {"member1": 2, "member2": 6}
    await federation.apply(deployment("web", NAMESPACE, replicas=40))
    await federation.settle()
    assert (await scheduled(federation))[:2] == ("False", "Unschedulable")
    assert await shares(federation) == {"member1": 2, "member2": 6}


async def test_an_estimator_that_fails_is_not_heard(federation: Federation) -> None:
    await joined(federation, member1=20, member2=20)
    federation.estimators.append(Stub({"member1": 0, "member2": 0}, broken=True))
    await federation.apply(*dynamic("web", 8))
    await federation.settle()
    assert await shares(federation) == {"member1": 4, "member2": 4}


async def test_estimators_hear_what_is_on_its_way_and_are_asked_only_about_clusters_that_fit(
    federation: Federation,
) -> None:
    await joined(federation, member1=20, member2=20)
    stub = Stub({"member1": 20})
    federation.estimators.append(stub)
    only = {"clusterNames": ["member1"]}
    await federation.apply(*dynamic("a", 2, clusterAffinity=only), *dynamic("b", 3, clusterAffinity=only))
    await federation.settle()
    assert {name: clusters for name, clusters, _ in stub.asked} == {"a": ["member1"], "b": ["member1"]}
    first, second = (assumed for _, _, assumed in stub.asked[:2])
    assert not first and [count for _, count in second["member1"]] in ([2], [3])


async def test_components_need_room_for_a_whole_set(federation: Federation) -> None:
    """Karmada's estimator_test: the condition says `no enough resource`."""
    await joined(federation, member1=20)
    federation.estimators.append(Stub({"member1": 0}))
    await federation.apply(*dynamic("web", 1, spreadConstraints=ONE_CLUSTER))
    await federation.settle()
    parts = [{"name": "jobmanager", "replicas": 1}, {"name": "taskmanager", "replicas": 1}]
    await edit(federation, "web", {"spec": {"components": parts, "replicas": 0, "clusters": None}})
    await federation.settle()
    status, reason, message = await scheduled(federation)
    assert (status, reason) == ("False", "SchedulerError") and "no enough resource" in message


async def test_sets_of_components_on_their_way_take_room(federation: Federation) -> None:
    """Karmada's estimator_test: six sets of 150m find room in one CPU, a seventh does not, nor does a Deployment."""
    await joined(federation, member1=100)
    one_cpu = {"status": {"allocatable": {"pods": "100", "cpu": "1", "memory": "64Gi"}}}
    await federation.clients["member1"].patch(scheme.NODES, "n1", None, one_cpu, subresource="status")
    await asyncio.sleep(25)
    where = {"replicaScheduling": DYNAMIC, "spreadConstraints": ONE_CLUSTER}
    parts = [
        {"name": name, "replicas": 1, "replicaRequirements": {"resourceRequest": {"cpu": cpu}}}
        for name, cpu in (("jobmanager", "50m"), ("taskmanager", "100m"))
    ]

    async def decided(name: str, **spec: Any) -> str:
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": NAMESPACE, "name": name}
        labels = {names.BINDING_MANAGED_BY_LABEL: "test"}
        document = {
            "apiVersion": "work.karmada.io/v1alpha2",
            "kind": "ResourceBinding",
            "metadata": metadata(f"{name}-deployment", NAMESPACE, labels),
            "spec": {"resource": reference, "placement": where, **spec},
        }
        await federation.apply(document)
        await federation.settle()
        return (await scheduled(federation, name))[1]

    said = [await decided(f"job{number}", components=parts) for number in range(7)]
    assert said == ["Success"] * 6 + ["SchedulerError"]
    assert "no enough resource" in (await scheduled(federation, "job6"))[2]
    request = {"resourceRequest": {"cpu": "200m"}}
    assert await decided("web", replicas=1, replicaRequirements=request) == "SchedulerError"
    assert "no enough resource" in (await scheduled(federation, "web"))[2]


# -- the hub says no --------------------------------------------------------------------------------------------------


@dataclass
class Quota(Tap):
    """Refuses placements as the webhook of FederatedResourceQuotas does."""

    exhausted: bool = True

    def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
        if not self.exhausted or method != "PATCH" or not path.endswith("/web-deployment") or b'"clusters"' not in body:
            return None
        message = "FederatedResourceQuota(default/q) exceeded for resource cpu: requested sum 3, limit 1."
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "QuotaExceeded"}
        return Answer(403, {}, msgspec.json.encode({**status, "message": message}))


async def test_an_exhausted_quota_is_told_and_tried_again(federation: Federation) -> None:
    await joined(federation, member1=9)
    quota = Quota()
    federation.tap = federation.plane.wire.tap = quota
    group = {names.BINDING_MANAGED_BY_LABEL: "test"}
    template, own = dynamic("web", 3)
    suspended = {"spec": {"suspension": {"scheduling": True}}}
    quota.exhausted = False
    await federation.apply(template, own)
    await federation.settle()
    await edit(federation, "web", suspended)
    await edit(federation, "web", {"metadata": {"labels": group}, "spec": {"clusters": None}})
    quota.exhausted = True
    await edit(federation, "web", {"spec": {"suspension": None}})
    await federation.settle()
    status, reason, message = await scheduled(federation)
    assert (status, reason) == ("False", "QuotaExceeded") and "exceeded for resource cpu" in message
    quota.exhausted = False
    await asyncio.sleep(15)
    await federation.settle()
    assert await shares(federation) == {"member1": 3}
    assert (await scheduled(federation))[:2] == ("True", "Success")


# -- groups -----------------------------------------------------------------------------------------------------------


def grouped(name: str, labels: Mapping[str, str], **affinity: str) -> list[Json]:
    sides = {side: {"groupByLabelKey": key} for side, key in affinity.items()}
    template = deployment(name, NAMESPACE, replicas=1, labels=labels)
    where = {"spreadConstraints": ONE_CLUSTER, "workloadAffinity": sides}
    return [template, policy(name, NAMESPACE, [selects(template)], placement=where)]


async def test_a_workload_that_found_no_place_beside_others_gets_it_when_they_leave(federation: Federation) -> None:
    await joined(federation, member1=9)
    for name in ("a", "b"):
        await federation.apply(*grouped(name, {"app": "db"}, antiAffinity="app"))
    await federation.settle()
    states = {name: (await scheduled(federation, name))[1] for name in ("a", "b")}
    assert sorted(states.values()) == ["NoClusterFit", "Success"]
    (winner,) = [name for name, reason in states.items() if reason == "Success"]
    (loser,) = {"a", "b"} - {winner}
    await federation.hub.delete(DEPLOYMENTS, winner, NAMESPACE, propagation="Background")
    await federation.settle()
    assert await shares(federation, loser) == {"member1": 1}


async def test_of_workloads_that_come_at_once_none_overlooks_another(federation: Federation) -> None:
    await joined(federation, member1=9, member2=9, member3=9)
    objects = [one for number in range(3) for one in grouped(f"w{number}", {"app": "db"}, antiAffinity="app")]
    await asyncio.gather(*(federation.apply(one) for one in objects))
    await federation.settle()
    used = [await shares(federation, f"w{number}") for number in range(3)]
    assert sorted(name for one in used for name in one) == ["member1", "member2", "member3"]
