"""Placements that cannot be: condition and Event say why and what to do; what ran stays, or goes as it is wanted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.federation import Federation
from tests.support.objects import config_map, deployment, policy, selects

from hansa.api import scheme
from hansa.api.meta import Json
from hansa.kube.errors import Invalid

pytestmark = pytest.mark.looptime(resolution=2**-20)
NAMESPACE = "default"
RUNNING = {"clusterAffinity": {"clusterNames": ["member1"]}}


def spread(field: str, least: int, most: int) -> Json:
    return {"spreadByField": field, "minGroups": least, "maxGroups": most}


def aggregated(*constraints: Json) -> Json:
    strategy = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}
    return {"replicaScheduling": strategy, "spreadConstraints": list(constraints)}


async def placed(federation: Federation, placement: Json) -> None:
    template = deployment("web", NAMESPACE)
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)], placement=placement))
    await federation.settle()


async def verdict(federation: Federation) -> tuple[list[str], str, str]:
    """(clusters, reason, message) of the binding; the newest Event on the template says the same."""
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", NAMESPACE)
    assert binding is not None
    (said,) = [one for one in binding["status"]["conditions"] if one["type"] == "Scheduled"]
    assert said["status"] == "False"
    events = [item.json() for item in (await federation.hub.list(scheme.EVENTS, NAMESPACE)).items]
    told = [e for e in events if e["reason"] == "ScheduleBindingFailed" and e["involvedObject"]["kind"] == "Deployment"]
    newest = max(told, key=lambda event: int(event["metadata"]["resourceVersion"]))
    assert newest["message"] == said["message"] and newest["type"] == "Warning"
    return [target["name"] for target in binding["spec"].get("clusters") or []], said["reason"], said["message"]


WILL: list[tuple[Json, str]] = [
    (
        {"clusterAffinity": {"clusterNames": ["member1"], "exclude": ["member1"]}},
        "placement.clusterAffinity excludes every cluster that it names: remove them from exclude.",
    ),
    (
        {"clusterAffinity": {"clusterNames": ["membre1"]}},
        "placement.clusterAffinity.clusterNames: no cluster is named membre1: correct the name, or join the cluster.",
    ),
    (
        {"clusterAffinities": [{"affinityName": "a", "clusterNames": ["nobody"]}]},
        "placement.clusterAffinities[0].clusterNames: no cluster is named nobody: correct the name, or join",
    ),
    ({"clusterAffinity": {"labelSelector": {"matchLabels": {"gpu": "yes"}}}}, "2 cluster(s) did not match"),
    (aggregated(spread("zone", 1, 1), spread("cluster", 1, 1)), "2 cluster(s) did not have zones property."),
]


@pytest.mark.parametrize(("placement", "advice"), WILL)
async def test_where_nothing_qualifies_any_more_the_template_leaves(
    federation: Federation, placement: Json, advice: str
) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    await placed(federation, RUNNING)
    await placed(federation, placement)
    clusters, reason, message = await verdict(federation)
    assert (clusters, reason) == ([], "NoClusterFit")
    assert message.startswith("0/2 clusters are available: ") and advice in message
    await placed(federation, RUNNING)
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", NAMESPACE)
    assert binding is not None and [target["name"] for target in binding["spec"]["clusters"]] == ["member1"]


IMPOSSIBLE: list[tuple[Json, str, str]] = [
    (
        {"spreadConstraints": [spread("cluster", 5, 5)]},
        "failed to select clusters: the number of feasible clusters is less than spreadConstraint.MinGroups",
        "placement.spreadConstraints[0] asks for 5 or more by cluster. Lower minGroups, or let more clusters qualify.",
    ),
    (
        aggregated(spread("cluster", 1, 0)),
        "failed to select clusters: no enough resource when selecting 0 clusters",
        "placement.spreadConstraints[0].maxGroups is 0, which selects no cluster: set it to 1 or more.",
    ),
    (
        aggregated(spread("cluster", 1, 1)),
        "failed to select clusters: no enough resource when selecting 1 clusters",
        "Lower the replicas or their requests, or let more clusters qualify.",
    ),
]


@pytest.mark.parametrize(("placement", "why", "advice"), IMPOSSIBLE)
async def test_what_cannot_be_chosen_leaves_the_last_placement(
    federation: Federation, placement: Json, why: str, advice: str
) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    await placed(federation, {"clusterAffinity": {"clusterNames": ["member1"]}})
    more: dict[str, Any] = {"clusterAffinity": None} | placement
    template = deployment("web", NAMESPACE, replicas=9)
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)], placement=more))
    await federation.settle()
    clusters, reason, message = await verdict(federation)
    assert (clusters, reason) == (["member1"], "SchedulerError")
    assert message == f"{why} {advice}"


async def test_too_little_room_leaves_the_last_placement(federation: Federation) -> None:
    await federation.join("member1")
    await federation.settle()
    await placed(federation, RUNNING)
    await placed(federation, aggregated() | {"clusterTolerations": [{"operator": "Exists"}]})
    template = deployment("web", NAMESPACE, replicas=9)
    await federation.apply(template)
    await federation.settle()
    clusters, reason, message = await verdict(federation)
    assert (clusters, reason) == (["member1"], "Unschedulable")
    assert message.endswith(
        "not enough to schedule. Lower the replicas or their requests, or let more clusters qualify."
    )


async def test_a_kind_that_no_cluster_serves_is_named(federation: Federation) -> None:
    await federation.join("member1")
    await federation.settle()
    template = deployment("web", NAMESPACE)
    await federation.hub.patch(scheme.CLUSTERS, "member1", None, {"spec": {"syncMode": "Pull"}})
    await federation.settle()
    status = {"status": {"apiEnablements": [{"groupVersion": "v1", "resources": []}]}}
    await federation.hub.patch(scheme.CLUSTERS, "member1", None, status, subresource="status")
    await federation.settle()
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)]))
    await federation.settle()
    _, reason, message = await verdict(federation)
    assert reason == "NoClusterFit"
    assert message.endswith("No cluster serves Deployment of apps/v1: install its CustomResourceDefinition there."), (
        message
    )


async def test_a_weight_of_zero_is_refused_by_the_hub(federation: Federation) -> None:
    rules = [{"targetCluster": {"clusterNames": ["member1"]}, "weight": 0}]
    strategy = {"replicaSchedulingType": "Divided", "weightPreference": {"staticWeightList": rules}}
    template = config_map("settings", NAMESPACE)
    with pytest.raises(Invalid) as caught:
        await federation.apply(policy("p", NAMESPACE, [selects(template)], placement={"replicaScheduling": strategy}))
    assert "weightPreference.staticWeightList[0].weight" in str(caught.value)
    assert "should be greater than or equal to 1" in str(caught.value)


async def test_an_unknown_cluster_beside_a_known_one_costs_nothing(federation: Federation) -> None:
    await federation.join("member1")
    await federation.settle()
    await placed(federation, {"clusterAffinity": {"clusterNames": ["member1", "elsewhere"]}})
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", NAMESPACE)
    assert binding is not None and [target["name"] for target in binding["spec"]["clusters"]] == ["member1"]
