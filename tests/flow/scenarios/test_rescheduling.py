"""Clusters come, go, and change their labels: what follows them at once, and what moves only its replicas."""

from __future__ import annotations

import pytest
from tests.support.objects import CLUSTER_ROLES, DEPLOYMENTS, deployment, metadata, policy, selects
from tests.support.rig import Rig

from hansa.api.meta import Json

DIVIDED = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted"}


def role(name: str) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(name),
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }


async def test_duplicated_objects_reach_a_cluster_that_joins_and_leave_one_that_goes(rig: Rig) -> None:
    *others, last = rig.members
    await rig.leave(last)
    template, reader = deployment("web", rig.namespace), role(rig.name("reader"))
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await rig.apply(reader, policy(rig.name("p"), None, [selects(reader)]))
    await rig.divides("web-deployment", dict.fromkeys(others, 3))
    await rig.return_(last)
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)
    await rig.reaches(rig.members, CLUSTER_ROLES, rig.name("reader"))
    await rig.leave(last)
    await rig.divides("web-deployment", dict.fromkeys(others, 3))
    await rig.divides(f"{rig.name('reader')}-clusterrole", dict.fromkeys(others, 0))


async def test_a_divided_workload_moves_its_replicas_to_the_clusters_that_remain(rig: Rig) -> None:
    *others, last = rig.members
    template = deployment("web", rig.namespace, replicas=6)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement={"replicaScheduling": DIVIDED}))
    await rig.divides("web-deployment", dict.fromkeys(rig.members, 2))
    await rig.leave(last)
    await rig.divides("web-deployment", dict.fromkeys(others, 3))


@pytest.mark.parametrize("cluster_wide", [False, True])
async def test_duplicated_objects_follow_a_label(rig: Rig, cluster_wide: bool) -> None:
    first, *others = rig.members
    for name in rig.members:
        await rig.label_cluster(name, {"tier": rig.namespace})
    template = deployment("web", rig.namespace)
    name, namespace = (rig.name("p"), None) if cluster_wide else ("p", rig.namespace)
    selector = {**selects(template), "namespace": rig.namespace}
    affinity = {"labelSelector": {"matchLabels": {"tier": rig.namespace}}}
    await rig.apply(template, policy(name, namespace, [selector], placement={"clusterAffinity": affinity}))
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)
    await rig.label_cluster(first, {"tier": None})
    await rig.reaches(others, DEPLOYMENTS, "web", rig.namespace)
    await rig.label_cluster(first, {"tier": rig.namespace})
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)


async def test_a_divided_workload_stays_whatever_the_labels(rig: Rig) -> None:
    first = rig.members[0]
    await rig.label_cluster(first, {"tier": rig.namespace})
    template = deployment("web", rig.namespace, replicas=2)
    affinity = {"labelSelector": {"matchLabels": {"tier": rig.namespace}}}
    placement = {"clusterAffinity": affinity, "replicaScheduling": DIVIDED}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
    await rig.divides("web-deployment", {first: 2})
    await rig.label_cluster(first, {"tier": None})
    await rig.label_cluster(rig.members[1], {"tier": rig.namespace})

    async def stays() -> None:
        targets = (await rig.binding("web-deployment"))["spec"]["clusters"]
        assert [target["name"] for target in targets] == [first]

    await rig.holds(stays)
