"""Policies that come, change and compete; how many writes it takes; cluster-scoped objects; the way back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.federation import Tap
from tests.support.objects import CLUSTER_ROLES, CONFIG_MAPS

from hansa.api import names, scheme
from hansa.api.meta import Resource
from hansa.kube.errors import Unreachable

# a power of two: sums of such times are exact, so no timer ends a rounding error early and spins
pytestmark = pytest.mark.looptime(resolution=2**-20)

BY_LABEL = {"labelSelector": {"matchLabels": {"go": "yes"}}}


def config_map(name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


def policy(name: str, *clusters: str, selector: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    selectors = [{"apiVersion": "v1", "kind": "ConfigMap", **(BY_LABEL if selector is None else selector)}]
    placement = {"clusterAffinity": {"clusterNames": list(clusters)}} if clusters else {}
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"resourceSelectors": selectors, "placement": placement, **spec},
    }


async def where(
    federation, name: str, resource: Resource = CONFIG_MAPS, namespace: str | None = "default"
) -> list[str]:
    servers = ("member1", "member2", "member3")
    return [server for server in servers if await federation.get(server, resource, name, namespace) is not None]


@pytest.mark.parametrize("policies_first", [True, False])
async def test_selectors_by_name_with_and_without_namespace_and_beside_others(federation, policies_first: bool) -> None:
    """A name is looked up, a kind is looked through; both find the same."""
    await federation.join("member1")
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}

    def wide(name: str, *selectors: dict[str, Any]) -> dict[str, Any]:
        document = policy(name, "member1")
        document["kind"], document["metadata"] = "ClusterPropagationPolicy", {"name": name}
        document["spec"]["resourceSelectors"] = list(selectors)
        return document

    own = policy("own", "member1", selector={"name": "own"})
    own["spec"]["resourceSelectors"].append({**kind, **BY_LABEL})
    policies = [
        own,
        wide("named", {**kind, "name": "anywhere"}, {**role, "name": "reader"}),
        wide("placed", {**kind, "name": "here", "namespace": "default"}),
    ]
    templates = [config_map(name) for name in ("own", "anywhere", "here", "nobodys")] + [
        config_map("by-label", go="yes")
    ]
    templates.append({**role, "metadata": {"name": "reader"}, "rules": []})
    for objs in (policies, templates) if policies_first else (templates, policies):
        await federation.apply(*objs)
        await federation.settle()
    found = [name for name in ("own", "anywhere", "here", "nobodys", "by-label") if await where(federation, name)]
    assert found == ["own", "anywhere", "here", "by-label"]
    assert await where(federation, "reader", CLUSTER_ROLES, None) == ["member1"]


async def test_writes_are_counted(federation) -> None:
    await federation.join("member1", "member2", "member3")
    await federation.apply(policy("p"))
    await federation.settle()
    federation.plane.forget_writes()
    await federation.apply(config_map("c", go="yes"))
    await federation.settle()
    assert await where(federation, "c") == ["member1", "member2", "member3"]
    forward = [write for write in federation.plane.writes if not write.endswith("/status")]
    statuses = [write for write in federation.plane.writes if write.endswith("/status")]
    # claim, binding, three Works, three members
    assert len(forward) == 8, forward
    # three Works, and the binding's: its scheduling and what they report
    assert len(statuses) == 4, statuses


async def test_the_closest_policy_wins_and_hands_over(federation) -> None:
    await federation.join("member1", "member2", "member3")
    await federation.settle()
    await federation.apply(
        policy("by-kind", "member1", selector={}),
        policy("by-label", "member2"),
        policy("by-name", "member3", selector={"name": "c"}),
        config_map("c", go="yes"),
    )
    await federation.settle()
    assert await where(federation, "c") == ["member3"]
    await federation.hub.delete(scheme.PROPAGATION_POLICIES, "by-name", "default")
    await federation.settle()
    assert await where(federation, "c") == ["member2"]
    await federation.hub.delete(scheme.PROPAGATION_POLICIES, "by-label", "default")
    await federation.settle()
    assert await where(federation, "c") == ["member1"]
    live = await federation.get("member1", CONFIG_MAPS, "c", "default")
    assert live["metadata"]["annotations"][names.POLICY_NAME_ANNOTATION] == "by-kind"


async def test_an_edit_of_selectors_lets_go(federation) -> None:
    await federation.join("member1")
    await federation.apply(policy("p", selector={"name": "c"}), config_map("c"), config_map("d"))
    await federation.settle()
    assert (await where(federation, "c"), await where(federation, "d")) == (["member1"], [])
    await federation.apply(policy("p", selector={"name": "d"}))
    await federation.settle()
    template = await federation.get("hub", CONFIG_MAPS, "c", "default")
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "c-configmap", "default")
    assert names.POLICY_ID_LABEL not in (template["metadata"].get("labels") or {})
    assert names.POLICY_ID_LABEL not in binding["metadata"]["labels"]
    # what was propagated stays until its template goes
    assert (await where(federation, "c"), await where(federation, "d")) == (["member1"], ["member1"])


async def test_lazy_policies_wait_for_the_user(federation) -> None:
    await federation.join("member1", "member2")
    await federation.apply(config_map("early", go="yes"))
    await federation.settle()
    lazy = policy("p", "member1", activationPreference="Lazy")
    await federation.apply(lazy)
    await federation.settle()
    assert await where(federation, "early") == []
    template = await federation.get("hub", CONFIG_MAPS, "early", "default")
    assert names.POLICY_ID_LABEL in template["metadata"]["labels"]
    await federation.restart()
    await federation.settle()
    assert await where(federation, "early") == []
    await federation.hub.patch(CONFIG_MAPS, "early", "default", {"data": {"a": "c"}})
    await federation.apply(config_map("late", go="yes"))
    await federation.settle()
    assert (await where(federation, "early"), await where(federation, "late")) == (["member1"], ["member1"])
    await federation.apply(policy("p", "member2", activationPreference="Lazy"))
    await federation.settle()
    assert await where(federation, "late") == ["member1"]
    await federation.hub.patch(CONFIG_MAPS, "late", "default", {"data": {"a": "c"}})
    await federation.settle()
    assert await where(federation, "late") == ["member2"]


async def test_an_edit_right_before_the_turn_to_laziness_does_not_take_that_along(federation) -> None:
    """Found by a random history: the first edit was heard when the policy was lazy, and acted on its new clusters."""
    await federation.join("member1", "member2")
    await federation.settle()
    await federation.apply(policy("p", "member1"), config_map("c", go="yes"))
    await federation.settle()
    for spec in (
        {"placement": {"clusterAffinity": {"clusterNames": ["member1", "member2"]}}},
        {"placement": {"clusterAffinity": {"clusterNames": ["member2"]}}, "activationPreference": "Lazy"},
    ):
        await federation.hub.patch(scheme.PROPAGATION_POLICIES, "p", "default", {"spec": spec})
        await asyncio.sleep(0)
    await federation.settle()
    assert "member1" in await where(federation, "c")
    await federation.apply(config_map("c", go="yes", edited="yes"))
    await federation.settle()
    assert await where(federation, "c") == ["member2"]


class AnswersLost(Tap):
    """The answers to the first writes of claims do not come back."""

    def __init__(self, times: int) -> None:
        self.left = times

    def after(self, server: str, method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/configmaps/c") and self.left:
            self.left -= 1
            raise Unreachable(server, "lost after the server acted")


async def test_a_claim_whose_answer_was_lost_is_no_edit_of_a_user(federation) -> None:
    """Found by a random history: the retry came when its reason had been seen to, and counted as a user's."""
    await federation.join("member1")
    await federation.apply(config_map("c", go="yes"))
    await federation.settle()
    federation.plane.wire.tap = tap = AnswersLost(1)
    await federation.apply(policy("p", "member1", activationPreference="Lazy"))
    await federation.settle(30.0)
    assert tap.left == 0
    assert await where(federation, "c") == []


async def test_cluster_scoped_objects(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:tom"},
        "rules": [],
    }
    wide = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "ClusterPropagationPolicy",
        "metadata": {"name": "roles"},
        "spec": {
            "resourceSelectors": [{"apiVersion": role["apiVersion"], "kind": "ClusterRole", "name": "system:tom"}],
            "placement": {"clusterAffinity": {"exclude": ["member2"]}},
        },
    }
    await federation.apply(role, wide)
    await federation.settle()
    assert await where(federation, "system:tom", scheme.CLUSTER_ROLES, None) == ["member1"]
    binding = await federation.get("hub", scheme.CLUSTER_RESOURCE_BINDINGS, "system.tom-clusterrole")
    live = await federation.get("member1", scheme.CLUSTER_ROLES, "system:tom")
    identity = binding["metadata"]["labels"][names.CLUSTER_BINDING_ID_LABEL]
    assert live["metadata"]["labels"][names.CLUSTER_BINDING_ID_LABEL] == identity
    await federation.hub.delete(scheme.CLUSTER_ROLES, "system:tom")
    await federation.settle()
    assert await where(federation, "system:tom", scheme.CLUSTER_ROLES, None) == []


async def test_labels_of_clusters_are_followed(federation) -> None:
    await federation.join("member1", labels={"tier": "gold"})
    await federation.join("member2")
    await federation.settle()
    gold = policy("p")
    gold["spec"]["placement"] = {"clusterAffinity": {"labelSelector": {"matchLabels": {"tier": "gold"}}}}
    await federation.apply(gold, config_map("c", go="yes"))
    await federation.settle()
    assert await where(federation, "c") == ["member1"]
    await federation.hub.patch(scheme.CLUSTERS, "member2", None, {"metadata": {"labels": {"tier": "gold"}}})
    await federation.settle()
    assert await where(federation, "c") == ["member1", "member2"]
    await federation.hub.patch(scheme.CLUSTERS, "member1", None, {"metadata": {"labels": {"tier": None}}})
    await federation.settle()
    assert await where(federation, "c") == ["member2"]


async def test_what_a_user_lets_go_of_goes_while_another_cluster_is_down(federation) -> None:
    """Found by a random history: a cluster that nobody wants any more counted as a failure because it was not ready."""
    await federation.join("member1", "member2", labels={"tier": "gold"})
    await federation.settle()
    gold = policy("p")
    gold["spec"]["placement"] = {"clusterAffinity": {"labelSelector": {"matchLabels": {"tier": "gold"}}}}
    await federation.apply(gold, config_map("c", go="yes"))
    await federation.settle()
    federation.cut("member2")
    await federation.settle(60.0)
    for name in ("member1", "member2"):
        await federation.hub.patch(scheme.CLUSTERS, name, None, {"metadata": {"labels": {"tier": None}}})
    await federation.settle()
    assert await where(federation, "c") == ["member2"], "which cannot be reached"
    federation.cut("member2", False)
    await federation.settle(60.0)
    assert await where(federation, "c") == []
    # what is said of the clusters is true of all of them, so that a restart has nothing to correct
    await federation.restart()
    federation.plane.forget_writes()
    await federation.settle()
    assert federation.plane.writes == []


async def test_status_comes_back(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    template = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            },
        },
    }
    everywhere = policy("p", selector={"apiVersion": "apps/v1", "kind": "Deployment"})
    await federation.apply(template, everywhere)
    await federation.settle()
    assert await where(federation, "web", scheme.DEPLOYMENTS) == ["member1", "member2"]
    for name in ("member1", "member2"):
        live = await federation.get(name, scheme.DEPLOYMENTS, "web", "default")
        counters = {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
        status = {"status": {**counters, "observedGeneration": live["metadata"]["generation"]}}
        await federation.clients[name].patch(scheme.DEPLOYMENTS, "web", "default", status, subresource="status")
    await federation.settle()
    hub = await federation.get("hub", scheme.DEPLOYMENTS, "web", "default")
    assert hub["status"]["readyReplicas"] == 4
    assert hub["status"]["observedGeneration"] == hub["metadata"]["generation"]
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", "default")
    assert [entry["health"] for entry in binding["status"]["aggregatedStatus"]] == ["Healthy", "Healthy"]
    # the template's version has moved with its status; a new process takes that for no change
    assert binding["spec"]["resource"]["resourceVersion"] != hub["metadata"]["resourceVersion"]
    await federation.restart()
    await federation.settle(15.0)
    assert federation.plane.writes == []


async def test_events_say_what_happened(federation) -> None:
    await federation.join("member1")
    await federation.settle()
    await federation.apply(policy("p", "member1"), config_map("c", go="yes"))
    await federation.settle(10.0)
    about: dict[str, set[str]] = {}
    for event in (await federation.hub.list(scheme.EVENTS)).items:
        document = event.json()
        about.setdefault(document["involvedObject"]["kind"], set()).add(document["reason"])
    assert {"ApplyPolicySucceed", "ScheduleBindingSucceed", "SyncWorkSucceed", "SyncSucceed"} <= about["ConfigMap"]
    assert {"ScheduleBindingSucceed", "SyncWorkSucceed", "AggregateStatusSucceed"} <= about["ResourceBinding"]
    assert {"SyncSucceed", "WorkDispatching", "ReflectStatusSucceed", "InterpretHealthSucceed"} <= about["Work"]


async def test_a_federated_namespace_is_let_go(federation) -> None:
    from hansa.dialect.kubefed import types

    for enablement in types.enablements(types.NATIVE_TYPES):
        if enablement.crd["spec"]["names"]["kind"] == "FederatedNamespace":
            await federation.apply(enablement.crd)
    await federation.join("member1")
    await federation.restart()
    await federation.settle()
    await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}})
    await federation.settle()
    live = await federation.get("member1", scheme.NAMESPACES, "web")
    assert live["metadata"]["labels"][names.MANAGED_LABEL] == "true"
    await federation.apply(
        {
            "apiVersion": "types.kubefed.io/v1beta1",
            "kind": "FederatedNamespace",
            "metadata": {"name": "web", "namespace": "web"},
            "spec": {"placement": {"clusters": []}},
        }
    )
    await federation.settle()
    live = await federation.get("member1", scheme.NAMESPACES, "web")
    assert live is not None and not live["metadata"].get("deletionTimestamp")
    assert names.MANAGED_LABEL not in live["metadata"]["labels"]
    assert [work for work in await federation.works("member1") if work["metadata"]["name"].startswith("web-")] == []


async def test_a_policy_that_comes_later_claims_nothing_of_the_control_plane_itself(federation) -> None:
    """The other way round, template after policy, is the detector's."""
    await federation.join("member1")
    for namespace in ("karmada-cluster", "default"):
        document = config_map("c", go="yes")
        document["metadata"]["namespace"] = namespace
        await federation.apply(document)
    await federation.settle()
    wide = policy("wide", "member1")
    wide["kind"] = "ClusterPropagationPolicy"
    del wide["metadata"]["namespace"]
    await federation.apply(wide)
    await federation.settle()
    bindings = (await federation.hub.list(scheme.RESOURCE_BINDINGS)).items
    assert {item.meta.namespace for item in bindings} == {"default"}
