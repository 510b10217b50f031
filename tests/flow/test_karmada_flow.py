"""From a template and a policy to members and back, on embedded servers, with virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.objects import CONFIG_MAPS

from hansa.api import names, scheme

# a power of two: sums of such times are exact, so no timer ends a rounding error early and spins
pytestmark = pytest.mark.looptime(resolution=2**-20)


EXAMPLE = Path(__file__).parents[2] / "examples" / "karmada-nginx.yaml"


def example() -> list[dict[str, Any]]:
    documents = [entry for entry in yaml.safe_load_all(EXAMPLE.read_text()) if entry]
    for entry in documents:
        entry["metadata"].setdefault("namespace", "default")
    return documents


async def test_example_reaches_its_member(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    await federation.apply(*example())
    await federation.settle()
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "nginx-deployment", "default")
    assert binding is not None
    assert [target["name"] for target in binding["spec"]["clusters"]] == ["member1"]
    assert binding["spec"]["clusters"][0]["replicas"] == 2
    conditions = {entry["type"]: entry["status"] for entry in binding["status"]["conditions"]}
    assert conditions == {"Scheduled": "True", "FullyApplied": "True"}
    live = await federation.get("member1", scheme.DEPLOYMENTS, "nginx", "default")
    assert live is not None
    assert live["metadata"]["annotations"]["foo"] == "bar"
    assert live["metadata"]["labels"][names.MANAGED_LABEL] == "true"
    assert await federation.get("member2", scheme.DEPLOYMENTS, "nginx", "default") is None


def config_map(name: str = "settings", namespace: str = "default", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "data": data or {"colour": "blue"},
    }


def policy(
    name: str = "everywhere", namespace: str = "default", kind: str = "ConfigMap", **spec: Any
) -> dict[str, Any]:
    api_version = spec.pop("apiVersion", "v1")
    selectors = spec.pop("selectors", [{"apiVersion": api_version, "kind": kind}])
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"resourceSelectors": selectors, **spec},
    }


def to(*clusters: str) -> dict[str, Any]:
    return {"clusterAffinity": {"clusterNames": list(clusters)}}


async def settings(federation, server: str) -> dict[str, Any] | None:
    return await federation.get(server, CONFIG_MAPS, "settings", "default")


async def test_works_carry_what_karmada_says(federation) -> None:
    await federation.join("member1")
    await federation.settle()
    await federation.apply(policy(placement=to("member1")), config_map())
    await federation.settle()
    template = await settings(federation, "hub")
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "settings-configmap", "default")
    live = await settings(federation, "member1")
    assert template is not None and binding is not None and live is not None
    works = [work for work in await federation.works("member1") if work["metadata"]["name"].startswith("settings-")]
    assert len(works) == 1
    work = works[0]
    binding_id = binding["metadata"]["labels"][names.BINDING_ID_LABEL]
    assert work["metadata"]["finalizers"] == [names.EXECUTION_FINALIZER]
    assert work["metadata"]["labels"][names.BINDING_ID_LABEL] == binding_id
    assert work["metadata"]["annotations"] == {
        names.BINDING_NAMESPACE_ANNOTATION: "default",
        names.BINDING_NAME_ANNOTATION: "settings-configmap",
        names.CONFLICT_RESOLUTION_ANNOTATION: "abort",
    }
    assert work["spec"]["suspendDispatching"] is False
    assert work["spec"]["preserveResourcesOnDeletion"] is False
    conditions = {entry["type"]: (entry["status"], entry["reason"]) for entry in work["status"]["conditions"]}
    assert conditions == {"Applied": ("True", "AppliedSuccessful"), "Dispatching": ("True", "Dispatching")}
    assert work["status"]["manifestStatuses"][0]["health"] == "Healthy"
    labels, annotations = live["metadata"]["labels"], live["metadata"]["annotations"]
    policy_id = template["metadata"]["labels"][names.POLICY_ID_LABEL]
    assert labels == {
        "app": "settings",
        names.POLICY_ID_LABEL: policy_id,
        names.BINDING_ID_LABEL: binding_id,
        names.MANAGED_LABEL: "true",
        names.WORK_ID_LABEL: work["metadata"]["labels"][names.WORK_ID_LABEL],
    }
    assert annotations[names.WORK_NAME_ANNOTATION] == work["metadata"]["name"]
    assert annotations[names.TEMPLATE_UID_ANNOTATION] == template["metadata"]["uid"]
    assert annotations[names.MANAGED_LABELS_ANNOTATION] == ",".join(sorted(labels))
    assert annotations[names.MANAGED_ANNOTATIONS_ANNOTATION] == ",".join(sorted(annotations))
    assert binding["metadata"]["ownerReferences"][0]["uid"] == template["metadata"]["uid"]
    assert binding["status"]["aggregatedStatus"] == [{"clusterName": "member1", "applied": True, "health": "Healthy"}]


async def test_life_of_an_object(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    await federation.apply(config_map(), policy(placement=to("member1", "member2")))
    await federation.settle()
    for member in ("member1", "member2"):
        assert (await settings(federation, member))["data"] == {"colour": "blue"}
    # a change of the template follows
    await federation.apply(config_map(colour="green"))
    await federation.settle()
    assert (await settings(federation, "member2"))["data"] == {"colour": "green"}
    # drift is repaired, a deleted object comes back
    member = federation.clients["member1"]
    await member.patch(CONFIG_MAPS, "settings", "default", {"data": {"colour": "red", "extra": "x"}})
    await federation.clients["member2"].delete(CONFIG_MAPS, "settings", "default")
    await federation.settle()
    assert (await settings(federation, "member1"))["data"] == {"colour": "green"}
    assert (await settings(federation, "member2"))["data"] == {"colour": "green"}
    # the policy goes: claims go, the binding stays, members keep what they have
    await federation.hub.delete(scheme.PROPAGATION_POLICIES, "everywhere", "default")
    await federation.settle()
    assert await federation.get("hub", scheme.PROPAGATION_POLICIES, "everywhere", "default") is None
    template = await settings(federation, "hub")
    assert names.POLICY_ID_LABEL not in template["metadata"]["labels"]
    assert names.POLICY_NAME_ANNOTATION not in (template["metadata"].get("annotations") or {})
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "settings-configmap", "default")
    assert names.POLICY_ID_LABEL not in binding["metadata"]["labels"]
    assert len(binding["spec"]["clusters"]) == 2
    assert await settings(federation, "member1") is not None
    # the template goes: members are cleaned
    await federation.hub.delete(CONFIG_MAPS, "settings", "default")
    await federation.settle()
    assert await settings(federation, "member1") is None
    assert await settings(federation, "member2") is None
    assert await federation.get("hub", scheme.RESOURCE_BINDINGS, "settings-configmap", "default") is None
    left = [w for w in await federation.works("member1") if w["metadata"]["name"].startswith("settings")]
    assert left == []


async def test_restart_writes_nothing(federation) -> None:
    await federation.join("member1", "member2")
    await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    await federation.apply(*example(), config_map(), policy(placement=to("member1", "member2")))
    await federation.apply(config_map("other", "shop"), policy("lazy", "shop", activationPreference="Lazy"))
    await federation.settle()
    await federation.restart()
    await federation.settle(15.0)
    assert federation.plane.writes == []


async def test_what_is_not_ours_is_left_alone(federation) -> None:
    await federation.join("member1")
    await federation.settle()
    await federation.apply(config_map(colour="theirs"), server="member1")
    await federation.apply(config_map(), policy(placement=to("member1")))
    await federation.settle()
    live = await settings(federation, "member1")
    assert live["data"] == {"colour": "theirs"}
    assert names.MANAGED_LABEL not in live["metadata"]["labels"]
    works = [work for work in await federation.works("member1") if work["metadata"]["name"].startswith("settings-")]
    applied = next(entry for entry in works[0]["status"]["conditions"] if entry["type"] == "Applied")
    assert (applied["status"], applied["reason"]) == ("False", "AppliedFailed")
    assert "Karmada will not manage this resource" in applied["message"]
    # deleting the template does not delete it either
    await federation.hub.delete(CONFIG_MAPS, "settings", "default")
    await federation.settle()
    assert (await settings(federation, "member1"))["data"] == {"colour": "theirs"}


async def test_overwrite_takes_over(federation) -> None:
    await federation.join("member1")
    await federation.settle()
    await federation.apply(config_map(colour="theirs"), server="member1")
    await federation.apply(config_map(), policy(placement=to("member1"), conflictResolution="Overwrite"))
    await federation.settle()
    live = await settings(federation, "member1")
    assert live["data"] == {"colour": "blue"}
    assert live["metadata"]["labels"][names.MANAGED_LABEL] == "true"


async def test_unreachable_member_deletes_nothing(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    await federation.apply(config_map(), policy(placement=to("member1", "member2")))
    await federation.settle()
    federation.cut("member1")
    await federation.settle(60.0)
    cluster = await federation.get("hub", scheme.CLUSTERS, "member1")
    ready = next(entry for entry in cluster["status"]["conditions"] if entry["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ClusterNotReachable")
    assert cluster["spec"]["taints"][0]["key"] == names.NOT_READY_TAINT
    # the placement stands, and the object stays
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "settings-configmap", "default")
    assert [target["name"] for target in binding["spec"]["clusters"]] == ["member1", "member2"]
    assert await settings(federation, "member1") is not None
    # what is wanted meanwhile happens when the member is back
    await federation.hub.delete(CONFIG_MAPS, "settings", "default")
    await federation.settle(30.0)
    assert await settings(federation, "member1") is not None
    assert await settings(federation, "member2") is None
    federation.cut("member1", False)
    await federation.settle(60.0)
    assert await settings(federation, "member1") is None
    cluster = await federation.get("hub", scheme.CLUSTERS, "member1")
    assert not cluster["spec"].get("taints")


async def test_static_weights_and_edits_of_placement(federation) -> None:
    await federation.join("member1", "member2", "member3")
    await federation.settle()
    template, _, _ = example()
    template["spec"]["replicas"] = 6
    weights = [
        {"targetCluster": {"clusterNames": ["member1"]}, "weight": 1},
        {"targetCluster": {"clusterNames": ["member2"]}, "weight": 2},
    ]
    divided = {
        "replicaScheduling": {
            "replicaSchedulingType": "Divided",
            "replicaDivisionPreference": "Weighted",
            "weightPreference": {"staticWeightList": weights},
        }
    }
    await federation.apply(template, policy("web", kind="Deployment", apiVersion="apps/v1", placement=divided))
    await federation.settle()

    async def replicas() -> list[int | None]:
        found = [
            await federation.get(name, scheme.DEPLOYMENTS, "nginx", "default")
            for name in ("member1", "member2", "member3")
        ]
        return [live["spec"]["replicas"] if live else None for live in found]

    assert await replicas() == [2, 4, None]
    template["spec"]["replicas"] = 3
    await federation.apply(template)
    await federation.settle()
    assert await replicas() == [1, 2, None]
    # an edit is somebody's will: what no longer qualifies goes
    await federation.apply(policy("web", kind="Deployment", apiVersion="apps/v1", placement=to("member3")))
    await federation.settle()
    assert await replicas() == [None, None, 3]


async def test_suspension_and_preservation(federation) -> None:
    await federation.join("member1")
    await federation.settle()
    await federation.apply(config_map(), policy(placement=to("member1"), suspension={"dispatching": True}))
    await federation.settle()
    assert await settings(federation, "member1") is None
    works = [work for work in await federation.works("member1") if work["metadata"]["name"].startswith("settings-")]
    assert works[0]["spec"]["suspendDispatching"] is True
    dispatching = next(entry for entry in works[0]["status"]["conditions"] if entry["type"] == "Dispatching")
    assert (dispatching["status"], dispatching["reason"]) == ("False", "SuspendDispatching")
    await federation.apply(policy(placement=to("member1"), preserveResourcesOnDeletion=True))
    await federation.settle()
    assert await settings(federation, "member1") is not None
    await federation.hub.delete(CONFIG_MAPS, "settings", "default")
    await federation.settle()
    live = await settings(federation, "member1")
    assert live["data"] == {"colour": "blue"}
    assert live["metadata"]["labels"] == {"app": "settings"}
    assert names.WORK_NAME_ANNOTATION not in live["metadata"]["annotations"]


async def test_overrides_follow_their_policy(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    override = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": "paint", "namespace": "default"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "settings"}],
            "overrideRules": [
                {
                    "targetCluster": {"clusterNames": ["member2"]},
                    "overriders": {"plaintext": [{"path": "/data/colour", "operator": "replace", "value": "pink"}]},
                }
            ],
        },
    }
    await federation.apply(config_map(), policy(placement=to("member1", "member2")), override)
    await federation.settle()
    assert (await settings(federation, "member1"))["data"] == {"colour": "blue"}
    assert (await settings(federation, "member2"))["data"] == {"colour": "pink"}
    await federation.hub.delete(scheme.OVERRIDE_POLICIES, "paint", "default")
    await federation.settle()
    assert (await settings(federation, "member2"))["data"] == {"colour": "blue"}
    works = [work for work in await federation.works("member2") if work["metadata"]["name"].startswith("settings-")]
    assert names.APPLIED_OVERRIDES_ANNOTATION not in works[0]["metadata"]["annotations"]


async def test_namespaces_follow_and_members_leave(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    await federation.settle()
    assert await federation.get("member1", scheme.NAMESPACES, "shop") is not None
    await federation.join("member3")
    await federation.settle()
    assert await federation.get("member3", scheme.NAMESPACES, "shop") is not None
    await federation.apply(config_map(namespace="shop"), policy(namespace="shop"))
    await federation.settle()
    assert await federation.get("member3", CONFIG_MAPS, "settings", "shop") is not None
    # a member leaves: what it was given goes with it, its own stays
    await federation.apply(config_map("own"), server="member3")
    await federation.hub.delete(scheme.CLUSTERS, "member3")
    await federation.settle(30.0)
    assert await federation.get("hub", scheme.CLUSTERS, "member3") is None
    assert await federation.get("hub", scheme.NAMESPACES, "karmada-es-member3") is None
    assert await federation.get("member3", CONFIG_MAPS, "settings", "shop") is None
    assert await federation.get("member3", CONFIG_MAPS, "own", "default") is not None
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "settings-configmap", "shop")
    assert [target["name"] for target in binding["spec"]["clusters"]] == ["member1", "member2"]
    # the namespace ends on the hub: members follow
    await federation.hub.delete(scheme.NAMESPACES, "shop")
    await federation.settle(30.0)
    assert await federation.get("hub", scheme.NAMESPACES, "shop") is None
    assert await federation.get("member1", scheme.NAMESPACES, "shop") is None


async def test_a_cluster_is_gone_as_soon_as_nothing_is_left_there(federation) -> None:
    """It waits for its Works, then for the binding that still means it; nobody looks at it every so often."""
    await federation.join("member1", "member2")
    await federation.apply(config_map(), policy(placement=to("member1", "member2")))
    await federation.settle()
    assert await settings(federation, "member1") is not None
    await federation.hub.delete(scheme.CLUSTERS, "member1")
    await asyncio.sleep(5)
    assert await federation.get("hub", scheme.CLUSTERS, "member1") is None
    assert await settings(federation, "member1") is None
