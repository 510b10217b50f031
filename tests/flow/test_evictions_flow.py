"""Evictions: what runs in a cluster that is left stays until its replacement is healthy, or somebody says otherwise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.federation import Federation
from tests.support.objects import DEPLOYMENTS, deployment, policy, selects

from hansa.api import scheme
from hansa.api.meta import Json

pytestmark = pytest.mark.looptime(resolution=2**-20)
NAMESPACE = "default"
TAINT = {"key": "broken", "effect": "NoSchedule"}


async def running_in(federation: Federation, *clusters: str) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    template = deployment("web", NAMESPACE)
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)], clusters=clusters))
    await federation.settle()
    assert await where(federation) == list(clusters)


async def where(federation: Federation) -> list[str]:
    members = ("member1", "member2")
    return [name for name in members if await federation.get(name, DEPLOYMENTS, "web", NAMESPACE) is not None]


async def binding(federation: Federation) -> Json:
    found = await federation.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", NAMESPACE)
    assert found is not None
    return found


async def evict(federation: Federation, cluster: str, **task: Any) -> None:
    """What a taint manager does: the cluster is tainted, its target goes, a task says why."""
    patch = {"spec": {"taints": [TAINT]}}
    await federation.hub.patch(scheme.CLUSTERS, cluster, None, patch)
    targets = [target for target in (await binding(federation))["spec"]["clusters"] if target["name"] != cluster]
    given = {"fromCluster": cluster, "producer": "TaintManager", "reason": "TaintUntolerated", **task}
    patch = {"spec": {"clusters": targets, "gracefulEvictionTasks": [given]}}
    await federation.hub.patch(scheme.RESOURCE_BINDINGS, "web-deployment", NAMESPACE, patch)
    await federation.settle()


async def becomes_healthy(federation: Federation, cluster: str) -> None:
    live = await federation.get(cluster, DEPLOYMENTS, "web", NAMESPACE)
    assert live is not None
    ready = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 3)
    status = {"status": {"observedGeneration": live["metadata"]["generation"], **ready}}
    await federation.clients[cluster].patch(DEPLOYMENTS, "web", NAMESPACE, status, subresource="status")
    await federation.settle()


async def events(federation: Federation) -> list[tuple[str, str]]:
    found = (await federation.hub.list(scheme.EVENTS, NAMESPACE)).items
    documents = [event.json() for event in found]
    return [
        (document["involvedObject"]["kind"], document["message"])
        for document in documents
        if document["reason"] == "EvictWorkloadFromClusterSucceed"
    ]


async def test_gracefully_the_old_copy_goes_when_the_new_one_is_healthy(federation: Federation) -> None:
    await running_in(federation, "member1", "member2")
    await evict(federation, "member1", purgeMode="Gracefully")
    (task,) = (await binding(federation))["spec"]["gracefulEvictionTasks"]
    assert task["creationTimestamp"]
    await asyncio.sleep(3600)
    assert await where(federation) == ["member1", "member2"]
    await becomes_healthy(federation, "member2")
    assert await where(federation) == ["member2"]
    assert "gracefulEvictionTasks" not in (await binding(federation))["spec"]
    told = "Evict from cluster member1 succeed."
    assert sorted(await events(federation)) == [("Deployment", told), ("ResourceBinding", told)]


async def test_what_is_being_left_is_not_changed_any_more(federation: Federation) -> None:
    await running_in(federation, "member1", "member2")
    await evict(federation, "member1", purgeMode="Gracefully")
    await federation.hub.patch(DEPLOYMENTS, "web", NAMESPACE, {"spec": {"minReadySeconds": 7}})
    await federation.settle()
    seen = {name: await federation.get(name, DEPLOYMENTS, "web", NAMESPACE) for name in ("member1", "member2")}
    assert {name: (live or {})["spec"].get("minReadySeconds") for name, live in seen.items()} == {
        "member1": None,
        "member2": 7,
    }


async def test_without_another_place_it_stays(federation: Federation) -> None:
    """Karmada lets it go as soon as nothing is left to be unhealthy; safety rule 2 forbids that."""
    await running_in(federation, "member1")
    await evict(federation, "member1", purgeMode="Gracefully")
    await asyncio.sleep(3600)
    assert await where(federation) == ["member1"]


async def test_a_grace_period_is_somebodys_word(federation: Federation) -> None:
    await running_in(federation, "member1", "member2")
    await evict(federation, "member1", purgeMode="Gracefully", gracePeriodSeconds=60)
    assert await where(federation) == ["member1", "member2"]
    await asyncio.sleep(70)
    await federation.settle()
    assert await where(federation) == ["member2"]


async def test_directly_it_goes_at_once_and_before_anything_new_comes(federation: Federation) -> None:
    await running_in(federation, "member1", "member2")
    await evict(federation, "member1", purgeMode="Directly")
    assert await where(federation) == ["member2"]


async def test_never_means_until_somebody_clears_it(federation: Federation) -> None:
    await running_in(federation, "member1", "member2")
    await evict(federation, "member1", purgeMode="Never", suppressDeletion=True)
    await becomes_healthy(federation, "member2")
    await asyncio.sleep(3600)
    assert await where(federation) == ["member1", "member2"]
    (task,) = (await binding(federation))["spec"]["gracefulEvictionTasks"]
    patch = {"spec": {"gracefulEvictionTasks": [{**task, "suppressDeletion": False}]}}
    await federation.hub.patch(scheme.RESOURCE_BINDINGS, "web-deployment", NAMESPACE, patch)
    await federation.settle()
    assert await where(federation) == ["member2"]
