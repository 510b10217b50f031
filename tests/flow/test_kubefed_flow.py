"""FederatedX to members and back, on embedded servers, with virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.objects import CONFIG_MAPS

from hansa.api import names, scheme
from hansa.api.meta import Resource

pytestmark = pytest.mark.looptime(resolution=2**-20)

FEDERATED_CONFIG_MAPS = Resource("types.kubefed.io", "v1beta1", "federatedconfigmaps", "FederatedConfigMap", True)
FEDERATED_DEPLOYMENTS = Resource("types.kubefed.io", "v1beta1", "federateddeployments", "FederatedDeployment", True)
EXAMPLE = Path(__file__).parents[2] / "examples" / "kubefed-nginx.yaml"
MEMBERS = ("member1", "member2")


def namespace(name="web"):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def federated_namespace(name="web", **placement: Any):
    return {
        "apiVersion": "types.kubefed.io/v1beta1",
        "kind": "FederatedNamespace",
        "metadata": {"name": name, "namespace": name},
        "spec": {"placement": placement or {"clusterSelector": {}}},
    }


def federated(name="settings", clusters=MEMBERS, annotations=None, **spec: Any):
    placement = spec.pop("placement", {"clusters": [{"name": cluster} for cluster in clusters]})
    return {
        "apiVersion": "types.kubefed.io/v1beta1",
        "kind": "FederatedConfigMap",
        "metadata": {"name": name, "namespace": "web", "annotations": annotations or {}},
        "spec": {"template": {"data": {"colour": "blue"}}, "placement": placement, **spec},
    }


def override(cluster, *operations):
    return {"clusterName": cluster, "clusterOverrides": list(operations)}


async def with_web(federation):
    """Two members, and a federated namespace. No fixture: its time would be real."""
    await federation.join(*MEMBERS)
    await federation.settle()
    await federation.apply(namespace(), federated_namespace())
    await federation.settle()
    return federation


async def live(federation, server, name="settings"):
    return await federation.get(server, CONFIG_MAPS, name, "web")


async def status(federation, name="settings"):
    """Reason of the condition, and outcome by cluster."""
    found = await federation.get("hub", FEDERATED_CONFIG_MAPS, name, "web")
    reported = found["status"]
    (condition,) = reported["conditions"]
    outcomes = {entry["name"]: entry.get("status", "") for entry in reported.get("clusters", [])}
    return condition.get("reason", ""), outcomes


async def test_the_seeds_example(kubefed_federation):
    """Other names for the clusters, the same overrides."""
    text = EXAMPLE.read_text().replace("cluster1", "member1").replace("cluster2", "member2")
    await kubefed_federation.join(*MEMBERS)
    await kubefed_federation.settle()
    await kubefed_federation.apply(*(document for document in yaml.safe_load_all(text) if document))
    await kubefed_federation.settle()
    first = await kubefed_federation.get("member1", scheme.DEPLOYMENTS, "nginx", "web")
    second = await kubefed_federation.get("member2", scheme.DEPLOYMENTS, "nginx", "web")
    (container,) = first["spec"]["template"]["spec"]["containers"]
    assert first["spec"]["replicas"] == 5
    assert container["image"] == "nginx:1.17.0-alpine"
    assert container["args"] == ["-q", "-g", "daemon off;"]
    assert "foo" not in first["metadata"].get("annotations", {})
    assert second["spec"]["replicas"] == 3
    assert first["metadata"]["labels"][names.KUBEFED_MANAGED_LABEL] == "true"
    assert not any("karmada.io" in key for key in first["metadata"]["labels"])
    assert not any("karmada.io" in key for key in first["metadata"].get("annotations", {}))
    reported = (await kubefed_federation.get("hub", FEDERATED_DEPLOYMENTS, "nginx", "web"))["status"]
    assert [entry["name"] for entry in reported["clusters"]] == ["member1", "member2"]
    assert reported["conditions"][0]["status"] == "True"


async def test_once_settled_nothing_is_written(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated(overrides=[override("member1", {"path": "/metadata/annotations", "value": {"a": "b"}})]))
    await web.settle()
    # what a member's own controller adds to the annotations is not fought over
    patch = {"metadata": {"annotations": {"member.example.com/seen": "yes"}}}
    await web.clients["member1"].patch(CONFIG_MAPS, "settings", "web", patch)
    await web.settle()
    web.plane.forget_writes()
    await asyncio.sleep(600)
    assert web.plane.writes == []
    found = await live(web, "member1")
    assert found["metadata"]["annotations"] == {"a": "b", "member.example.com/seen": "yes"}


async def test_placement_moves_the_object(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated(clusters=["member1"]))
    await web.settle()
    assert await live(web, "member2") is None
    await web.apply(federated(clusters=["member2"]))
    await web.settle()
    assert await live(web, "member1") is None
    assert (await live(web, "member2"))["data"] == {"colour": "blue"}
    assert await status(web) == ("", {"member2": ""})


async def test_an_empty_list_of_clusters_wins_over_the_selector(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated(placement={"clusters": [], "clusterSelector": {}}))
    await web.settle()
    assert await live(web, "member1") is None
    await web.apply(federated(placement={"clusterSelector": {}}))
    await web.settle()
    assert await live(web, "member1") and await live(web, "member2")


async def test_labels_of_a_member_choose(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated(placement={"clusterSelector": {"matchLabels": {"tier": "gold"}}}))
    await web.settle()
    assert await live(web, "member1") is None
    patch = {"metadata": {"labels": {"tier": "gold"}}}
    await web.hub.patch(scheme.KUBEFED_CLUSTERS, "member1", names.KUBEFED_NAMESPACE, patch)
    await web.settle()
    assert await live(web, "member1") and await live(web, "member2") is None


async def test_without_a_federated_namespace_nothing_is_placed(kubefed_federation):
    await kubefed_federation.join(*MEMBERS)
    await kubefed_federation.apply(namespace(), federated())
    await kubefed_federation.settle()
    assert await live(kubefed_federation, "member1") is None
    assert await status(kubefed_federation) == ("NamespaceNotFederated", {})


async def test_the_namespaces_placement_bounds_what_is_in_it(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    await web.apply(federated_namespace(clusters=[{"name": "member2"}]))
    await web.settle()
    assert await live(web, "member1") is None
    assert await live(web, "member2")
    assert await status(web) == ("", {"member2": ""})


async def test_deletion_takes_the_copies_along(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    await web.hub.delete(FEDERATED_CONFIG_MAPS, "settings", "web")
    await web.settle()
    assert await web.get("hub", FEDERATED_CONFIG_MAPS, "settings", "web") is None
    assert await live(web, "member1") is None and await live(web, "member2") is None


async def test_orphaning_leaves_the_copies_without_the_mark(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated(annotations={names.KUBEFED_ORPHAN_ANNOTATION: "true"}))
    await web.settle()
    await web.hub.delete(FEDERATED_CONFIG_MAPS, "settings", "web")
    await web.settle(seconds=15)
    assert await web.get("hub", FEDERATED_CONFIG_MAPS, "settings", "web") is None
    kept = await live(web, "member1")
    assert kept["data"] == {"colour": "blue"}
    assert names.KUBEFED_MANAGED_LABEL not in kept["metadata"].get("labels", {})


async def test_an_unready_member_holds_deletion_up_and_loses_nothing(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    web.cut("member1")
    await asyncio.sleep(120)
    await web.hub.delete(FEDERATED_CONFIG_MAPS, "settings", "web")
    await asyncio.sleep(120)
    assert await live(web, "member1") is not None
    assert await web.get("hub", FEDERATED_CONFIG_MAPS, "settings", "web") is not None
    web.cut("member1", False)
    await asyncio.sleep(180)
    assert await live(web, "member1") is None
    assert await web.get("hub", FEDERATED_CONFIG_MAPS, "settings", "web") is None


async def test_a_member_that_is_away_is_reported(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    web.cut("member1")
    await asyncio.sleep(120)
    assert await status(web) == ("CheckClusters", {"member1": "ClusterNotReady", "member2": ""})
    assert await live(web, "member1") is not None


async def test_drift_is_put_back(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    await web.clients["member1"].patch(CONFIG_MAPS, "settings", "web", {"data": {"colour": "red"}})
    await web.settle()
    assert (await live(web, "member1"))["data"] == {"colour": "blue"}


async def test_hands_off_when_the_label_says_false(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    patch = {"metadata": {"labels": {names.KUBEFED_MANAGED_LABEL: "false"}}, "data": {"colour": "red"}}
    await web.clients["member1"].patch(CONFIG_MAPS, "settings", "web", patch)
    await web.apply(federated(template={"data": {"colour": "green"}}))
    await web.settle()
    assert (await live(web, "member1"))["data"] == {"colour": "red"}
    assert (await live(web, "member2"))["data"] == {"colour": "green"}
    assert await status(web) == ("CheckClusters", {"member1": "ManagedLabelFalse", "member2": ""})


def foreign():
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "web", "annotations": {"kept": "yes"}},
        "data": {"colour": "red"},
    }


async def test_what_is_there_already_is_adopted(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(foreign(), server="member1")
    await web.apply(federated())
    await web.settle()
    found = await live(web, "member1")
    assert found["data"] == {"colour": "blue"}
    assert found["metadata"]["annotations"] == {"kept": "yes"}


async def test_or_left_alone_where_adoption_is_disabled(kubefed_federation):
    web = await with_web(kubefed_federation)
    config = {
        "apiVersion": "core.kubefed.io/v1beta1",
        "kind": "KubeFedConfig",
        "metadata": {"name": "kubefed", "namespace": names.KUBEFED_NAMESPACE},
        "spec": {"scope": "Cluster", "syncController": {"adoptResources": "Disabled"}},
    }
    await web.apply(config)
    await web.apply(foreign(), server="member1")
    await web.settle()
    await web.apply(federated())
    await web.settle()
    assert (await live(web, "member1"))["data"] == {"colour": "red"}
    assert await status(web) == ("CheckClusters", {"member1": "AlreadyExists", "member2": ""})


async def test_an_override_that_does_not_fit_concerns_one_cluster(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    bad = override("member1", {"op": "remove", "path": "/data/nope"})
    await web.apply(federated(overrides=[bad], template={"data": {"colour": "green"}}))
    await asyncio.sleep(60)
    assert (await live(web, "member1"))["data"] == {"colour": "blue"}
    assert (await live(web, "member2"))["data"] == {"colour": "green"}
    assert await status(web) == ("CheckClusters", {"member1": "ApplyOverridesFailed", "member2": ""})


async def test_a_contradictory_list_of_overrides_concerns_all_and_deletes_nothing(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    twice = [override("member1", {"path": "/data/a", "value": "1"})] * 2
    await web.apply(federated(overrides=twice, template={"data": {"colour": "green"}}))
    await asyncio.sleep(60)
    assert (await live(web, "member1"))["data"] == {"colour": "blue"}
    assert (await live(web, "member2"))["data"] == {"colour": "blue"}


async def test_a_restart_writes_nothing(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    await web.restart()
    await asyncio.sleep(120)
    assert web.plane.writes == []


async def test_a_type_that_is_disabled_leaves_everything_as_it_is(kubefed_federation):
    web = await with_web(kubefed_federation)
    await web.apply(federated())
    await web.settle()
    await web.hub.delete(scheme.FEDERATED_TYPE_CONFIGS, "configmaps", names.KUBEFED_NAMESPACE)
    await web.settle()
    await web.apply(federated(template={"data": {"colour": "green"}}))
    await web.settle()
    assert (await live(web, "member1"))["data"] == {"colour": "blue"}


async def test_a_cluster_that_joined_for_karmada_serves_kubefed(kubefed_federation):
    web = await with_web(kubefed_federation)
    kubefed = await web.get("hub", scheme.KUBEFED_CLUSTERS, "member1", names.KUBEFED_NAMESPACE)
    conditions = {entry["type"]: entry["status"] for entry in kubefed["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert kubefed["status"]["kubernetesVersion"]


async def test_cluster_scoped_kinds_need_no_namespace(kubefed_federation):
    await kubefed_federation.join(*MEMBERS)
    await kubefed_federation.settle()
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    role = {
        "apiVersion": "types.kubefed.io/v1beta1",
        "kind": "FederatedClusterRole",
        "metadata": {"name": "reader"},
        "spec": {"template": {"rules": rules}, "placement": {"clusters": [{"name": "member1"}]}},
    }
    await kubefed_federation.apply(role)
    await kubefed_federation.settle()
    found = await kubefed_federation.get("member1", scheme.CLUSTER_ROLES, "reader")
    assert found["rules"] == rules
    assert await kubefed_federation.get("member2", scheme.CLUSTER_ROLES, "reader") is None
