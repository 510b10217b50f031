"""How many clusters, and how many replicas in each."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import DEPLOYMENTS, JOBS, crd, deployment, metadata, pod_template, policy, selects
from tests.support.rig import LOCATION, MEMBERS, Rig

from hansa.api import scheme
from hansa.api.meta import Json, Resource

CHINA = {"labelSelector": {"matchLabels": {"location": LOCATION["location"]}}}
DIVIDED = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted"}


def spread(count: int) -> dict[str, Any]:
    constraint = {"spreadByField": "cluster", "minGroups": count, "maxGroups": count}
    return {"clusterAffinity": CHINA, "spreadConstraints": [constraint]}


def job(name: str, namespace: str, **spec: Any) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(name, namespace),
        "spec": {"template": pod_template(name, restartPolicy="Never"), "backoffLimit": 4, **spec},
    }


def weighted() -> Json:
    """Weights 1, 2, 3, … in the order of the members."""
    rules = [{"targetCluster": {"clusterNames": [name]}, "weight": i + 1} for i, name in enumerate(MEMBERS)]
    return {**DIVIDED, "weightPreference": {"staticWeightList": rules}}


async def held_by(rig: Rig, resource: Resource, name: str, namespace: str | None) -> list[Json]:
    """The objects in the members that the binding names; in no other member is one."""
    kind = resource.kind.lower()
    targets = [target["name"] for target in (await rig.binding(f"{name}-{kind}"))["spec"]["clusters"]]
    await rig.reaches(targets, resource, name, namespace)
    found = [await rig.get(target, resource, name, namespace) for target in targets]
    return [one for one in found if one is not None]


async def goes_to(rig: Rig, name: str, count: int) -> None:
    async def scheduled() -> None:
        binding = await rig.binding(name)
        assert rig.scheduled(binding)[0] == "True" and len(binding["spec"]["clusters"]) == count

    await rig.eventually(scheduled)


@pytest.mark.parametrize("count", [1, 2])
async def test_a_deployment_goes_to_exactly_so_many_clusters(rig: Rig, count: int) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=spread(count)))
    await goes_to(rig, "web-deployment", count)
    live = await held_by(rig, DEPLOYMENTS, "web", rig.namespace)
    assert [one["spec"]["replicas"] for one in live] == [3] * count


@pytest.mark.parametrize("count", [1, 2])
async def test_a_definition_goes_to_exactly_so_many_clusters(rig: Rig, count: int) -> None:
    group = f"{rig.name('g')}.io"
    template = crd(group, "Gadget", "gadgets")
    await rig.apply(template, policy(rig.name("p"), None, [selects(template)], placement=spread(count)))
    await goes_to(rig, f"gadgets.{group}-customresourcedefinition", count)
    assert len(await held_by(rig, scheme.CRDS, f"gadgets.{group}", None)) == count


@pytest.mark.parametrize("count", [1, 2])
async def test_a_job_goes_to_exactly_so_many_clusters(rig: Rig, count: int) -> None:
    template = job("task", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=spread(count)))
    await goes_to(rig, "task-job", count)
    assert len(await held_by(rig, JOBS, "task", rig.namespace)) == count


async def test_without_weights_all_clusters_get_the_same(rig: Rig) -> None:
    placement = {"clusterAffinity": {"clusterNames": rig.members}, "replicaScheduling": DIVIDED}
    for each in (2, 3):
        template = deployment("web", rig.namespace, replicas=each * len(rig.members))
        await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
        await rig.divides("web-deployment", dict.fromkeys(rig.members, each))
    await replicas_become(rig, dict.fromkeys(rig.members, 3))


async def replicas_become(rig: Rig, wanted: dict[str, int]) -> None:
    async def so() -> None:
        live = {name: await rig.get(name, DEPLOYMENTS, "web", rig.namespace) for name in wanted}
        assert {name: one["spec"]["replicas"] for name, one in live.items() if one is not None} == wanted

    await rig.eventually(so)


async def test_weights_divide_a_deployment(rig: Rig) -> None:
    weights = {name: index + 1 for index, name in enumerate(MEMBERS)}
    placement = {"clusterAffinity": {"clusterNames": rig.members}, "replicaScheduling": weighted()}
    for times in (1, 2):
        template = deployment("web", rig.namespace, replicas=times * sum(weights.values()))
        await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
        wanted = {name: times * weight for name, weight in weights.items()}
        await rig.divides("web-deployment", wanted)
        await replicas_become(rig, wanted)


async def test_weights_divide_a_jobs_parallelism(rig: Rig) -> None:
    weights = {name: index + 1 for index, name in enumerate(MEMBERS)}
    total = sum(weights.values())
    template = job("task", rig.namespace, parallelism=total, completions=total)
    placement = {"clusterAffinity": {"clusterNames": rig.members}, "replicaScheduling": weighted()}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))

    async def divided() -> None:
        for name, weight in weights.items():
            live = await rig.get(name, JOBS, "task", rig.namespace)
            assert live is not None and live["spec"]["parallelism"] == weight

    await rig.eventually(divided)


async def test_duplicated_replicas_follow_the_template(rig: Rig) -> None:
    placement = {"clusterAffinity": CHINA, "replicaScheduling": {"replicaSchedulingType": "Duplicated"}}
    for replicas in (2, 1):
        template = deployment("web", rig.namespace, replicas=replicas)
        await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
        await replicas_become(rig, dict.fromkeys(rig.members, replicas))
