"""ClusterPropagationPolicies: the same as those of a namespace, for objects in and outside of namespaces."""

from __future__ import annotations

import pytest
from tests.support.objects import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    DEPLOYMENTS,
    crd,
    deployment,
    metadata,
    policy,
    selects,
)
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.meta import Json, Resource
from hansa.base.names import work_name

CPPS = scheme.CLUSTER_PROPAGATION_POLICIES
MARKS = {names.CLUSTER_POLICY_ID_LABEL, names.CLUSTER_POLICY_NAME_ANNOTATION}


def cluster_role(name: str, *verbs: str) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(name),
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs or ("get",))}],
    }


def here(rig: Rig, template: Json) -> Json:
    """A selector for an object of this scenario's namespace."""
    return {**selects(template), "namespace": rig.namespace}


def marks(obj: Json | None) -> set[str]:
    assert obj is not None
    return MARKS & ({*obj["metadata"].get("labels", {})} | {*obj["metadata"].get("annotations", {})})


async def policy_in_member(rig: Rig, resource: Resource, name: str, namespace: str | None, wanted: str) -> None:
    async def told() -> None:
        live = await rig.get("member1", resource, name, namespace)
        assert live is not None
        assert live["metadata"]["annotations"][names.CLUSTER_POLICY_NAME_ANNOTATION] == wanted

    await rig.eventually(told)


async def test_a_definition_is_propagated_and_removed(rig: Rig) -> None:
    group = f"{rig.name('sea')}.example.io"
    definition = crd(group, "Boat", "boats")
    await rig.apply(definition, policy(rig.name("p"), None, [selects(definition)], clusters=["member1", "member2"]))
    name = f"boats.{group}"
    await rig.reaches(["member1", "member2"], scheme.CRDS, name)
    await rig.delete(scheme.CRDS, name)
    await rig.reaches([], scheme.CRDS, name)


async def test_a_cluster_role_follows_its_template(rig: Rig) -> None:
    name = rig.name("system:test:reader")
    template = cluster_role(name)
    await rig.apply(template, policy(rig.name("p"), None, [selects(template)]))
    await rig.reaches(rig.members, CLUSTER_ROLES, name)
    await rig.apply(cluster_role(name, "get", "list"))

    async def followed() -> None:
        for member in rig.members:
            live = await rig.get(member, CLUSTER_ROLES, name)
            assert live is not None and live["rules"][0]["verbs"] == ["get", "list"]

    await rig.eventually(followed)
    await rig.delete(CLUSTER_ROLES, name)
    await rig.reaches([], CLUSTER_ROLES, name)


async def test_a_cluster_role_binding_follows_its_template(rig: Rig) -> None:
    name = rig.name("system:test.readers")
    subject = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
    template = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata(name),
        "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
    }
    await rig.apply(template, policy(rig.name("p"), None, [selects(template)]))
    await rig.reaches(rig.members, CLUSTER_ROLE_BINDINGS, name)
    await rig.patch(CLUSTER_ROLE_BINDINGS, name, {"subjects": [{**subject, "name": "joe"}]})

    async def followed() -> None:
        for member in rig.members:
            live = await rig.get(member, CLUSTER_ROLE_BINDINGS, name)
            assert live is not None and live["subjects"][0]["name"] == "joe"

    await rig.eventually(followed)
    await rig.delete(CLUSTER_ROLE_BINDINGS, name)
    await rig.reaches([], CLUSTER_ROLE_BINDINGS, name)


async def test_a_deployment_follows_its_template(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy(rig.name("p"), None, [here(rig, template)]))
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)
    await rig.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, rig.namespace)

    async def followed() -> None:
        for member in rig.members:
            live = await rig.get(member, DEPLOYMENTS, "web", rig.namespace)
            assert live is not None and live["spec"]["replicas"] == 5

    await rig.eventually(followed)
    await rig.delete(DEPLOYMENTS, "web", rig.namespace)
    await rig.reaches([], DEPLOYMENTS, "web", rig.namespace)


async def test_a_policy_with_a_name_too_long_for_a_label_works(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    name = rig.name("a-policy-" + "x" * 80)
    await rig.apply(template, policy(name, None, [here(rig, template)]))
    await policy_in_member(rig, DEPLOYMENTS, "web", rig.namespace, name)


@pytest.mark.parametrize("scope", ["namespace", "cluster"])
async def test_an_edit_of_selectors_takes_one_in_and_lets_another_go(rig: Rig, scope: str) -> None:
    if scope == "namespace":
        namespace, resource = rig.namespace, DEPLOYMENTS
        one, two = deployment("one", rig.namespace), deployment("two", rig.namespace)
        selectors = [here(rig, one), here(rig, two)]
    else:
        namespace, resource = None, CLUSTER_ROLES
        one, two = cluster_role(rig.name("one")), cluster_role(rig.name("two"))
        selectors = [selects(one), selects(two)]
    name, other = one["metadata"]["name"], two["metadata"]["name"]
    await rig.apply(one, two, policy(rig.name("p"), None, selectors[:1], clusters=["member1"]))
    await rig.reaches(["member1"], resource, name, namespace)
    await rig.patch(CPPS, rig.name("p"), {"spec": {"resourceSelectors": selectors[1:], "placement": None}})
    await rig.reaches(rig.members, resource, other, namespace)

    async def released() -> None:
        assert not marks(await rig.get("hub", resource, name, namespace))

    await rig.eventually(released)
    assert await rig.where(resource, name, namespace) == ["member1"]


async def test_the_closest_match_wins_and_hands_over_when_it_goes(rig: Rig) -> None:
    kind = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": rig.namespace}
    by_name, by_label, by_kind = (rig.name(stem) for stem in ("by-name", "by-label", "by-kind"))
    await rig.apply(
        policy(by_name, None, [{**kind, "name": "web"}]),
        policy(by_label, None, [{**kind, "labelSelector": {"matchLabels": {"tier": "front"}}}]),
        policy(by_kind, None, [kind]),
        deployment("web", rig.namespace, labels={"tier": "front"}),
    )
    await policy_in_member(rig, DEPLOYMENTS, "web", rig.namespace, by_name)
    await rig.delete(CPPS, by_name)
    await policy_in_member(rig, DEPLOYMENTS, "web", rig.namespace, by_label)
    await rig.delete(CPPS, by_label)
    await policy_in_member(rig, DEPLOYMENTS, "web", rig.namespace, by_kind)


async def test_a_higher_priority_wins_over_a_closer_match(rig: Rig) -> None:
    kind = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": rig.namespace}
    await rig.apply(
        policy(rig.name("close"), None, [{**kind, "name": "web"}], priority=1),
        policy(rig.name("high"), None, [{**kind, "labelSelector": {"matchLabels": {"a": "b"}}}], priority=2),
        deployment("web", rig.namespace, labels={"a": "b"}),
    )
    await policy_in_member(rig, DEPLOYMENTS, "web", rig.namespace, rig.name("high"))


@pytest.mark.parametrize("scope", ["namespace", "cluster"])
async def test_a_deleted_policy_leaves_no_marks_and_takes_nothing_away(rig: Rig, scope: str) -> None:
    if scope == "namespace":
        template, namespace, resource = deployment("web", rig.namespace), rig.namespace, DEPLOYMENTS
        bindings, binding, selector = scheme.RESOURCE_BINDINGS, "web-deployment", here(rig, template)
    else:
        template, namespace, resource = cluster_role(rig.name("web")), None, CLUSTER_ROLES
        bindings, selector = scheme.CLUSTER_RESOURCE_BINDINGS, selects(template)
        binding = rig.name("web") + "-clusterrole"
    name = template["metadata"]["name"]
    await rig.apply(template, policy(rig.name("p"), None, [selector], clusters=["member1"]))
    await rig.reaches(["member1"], resource, name, namespace)
    await rig.delete(CPPS, rig.name("p"))

    async def unmarked() -> None:
        assert await rig.get("hub", CPPS, rig.name("p")) is None
        assert not marks(await rig.get("hub", resource, name, namespace))
        assert not marks(await rig.get("hub", bindings, binding, namespace))

    await rig.eventually(unmarked)
    assert await rig.where(resource, name, namespace) == ["member1"]


async def test_a_new_policy_claims_what_a_deleted_one_had_and_moves_it(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy(rig.name("one"), None, [here(rig, template)], clusters=["member1"]))
    await rig.reaches(["member1"], DEPLOYMENTS, "web", rig.namespace)
    await rig.delete(CPPS, rig.name("one"))
    await rig.apply(policy(rig.name("two"), None, [here(rig, template)], clusters=["member2"]))
    await rig.reaches(["member2"], DEPLOYMENTS, "web", rig.namespace)


async def test_while_dispatching_is_suspended_a_cluster_role_stays_as_it_is(rig: Rig) -> None:
    name = rig.name("system:suspended")
    template = cluster_role(name)
    await rig.apply(template, policy(rig.name("p"), None, [selects(template)], clusters=["member1"]))
    await rig.reaches(["member1"], CLUSTER_ROLES, name)
    await rig.patch(CPPS, rig.name("p"), {"spec": {"suspension": {"dispatching": True}}})
    work = work_name("", name, "ClusterRole")
    assert ":" not in work

    async def suspended() -> None:
        live = await rig.get("hub", scheme.WORKS, work, "karmada-es-member1")
        assert live is not None and live["spec"]["suspendDispatching"] is True
        (condition,) = [one for one in live["status"]["conditions"] if one["type"] == "Dispatching"]
        assert condition["status"] == "False"

    await rig.eventually(suspended)
    await rig.apply(cluster_role(name, "get", "list"))

    async def verbs(*wanted: str) -> None:
        live = await rig.get("member1", CLUSTER_ROLES, name)
        assert live is not None and live["rules"][0]["verbs"] == list(wanted)

    await rig.holds(lambda: verbs("get"), seconds=3)
    await rig.patch(CPPS, rig.name("p"), {"spec": {"suspension": None}})
    await rig.eventually(lambda: verbs("get", "list"))
