"""PropagationPolicies: what they select reaches its members, follows, and goes again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SERVICES,
    config_map,
    crd,
    deployment,
    metadata,
    pod_template,
    policy,
    selects,
    service,
)
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.meta import Json, Resource
from hansa.kube.client import PatchKind

DISPATCHED = "Work is being dispatched to member clusters."
SUSPENDED = "Work dispatching is in a suspended state."


async def works_of(rig: Rig, binding: str) -> list[Json]:
    live = await rig.get("hub", scheme.RESOURCE_BINDINGS, binding, rig.namespace)
    assert live is not None
    label = f"{names.BINDING_ID_LABEL}={live['metadata']['labels'][names.BINDING_ID_LABEL]}"
    return [
        work
        for member in rig.members
        for work in await rig.list("hub", scheme.WORKS, f"karmada-es-{member}", labels=label)
    ]


async def changes_follow(
    rig: Rig, resource: Resource, template: Json, patch: Json | list[Any], kind: PatchKind, *path: str | int
) -> None:
    """Create, edit, delete: everywhere what the template says. `path` leads to what is edited."""

    def at(obj: Any) -> Any:
        for step in path:
            obj = obj[step]
        return obj

    name = template["metadata"]["name"]
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await rig.reaches(rig.members, resource, name, rig.namespace)
    edited = await rig.patch(resource, name, patch, rig.namespace, kind=kind)

    async def followed() -> None:
        for member in rig.members:
            live = await rig.get(member, resource, name, rig.namespace)
            assert live is not None and at(live) == at(edited)

    await rig.eventually(followed)
    await rig.delete(resource, name, rig.namespace)
    await rig.reaches([], resource, name, rig.namespace)


# -- kinds ------------------------------------------------------------------------------------------------------------


async def test_a_deployment_follows_its_template_everywhere(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await changes_follow(rig, DEPLOYMENTS, template, {"spec": {"replicas": 5}}, PatchKind.MERGE, "spec", "replicas")


async def test_a_service_follows_its_template_everywhere(rig: Rig) -> None:
    template = service("web", rig.namespace)
    patch = [{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]
    await changes_follow(rig, SERVICES, template, patch, PatchKind.JSON, "spec", "ports", 0, "port")


async def test_a_pod_follows_its_template_everywhere(rig: Rig) -> None:
    body = pod_template("lone")["spec"]
    template = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata("lone", rig.namespace), "spec": body}
    patch = [{"op": "replace", "path": "/spec/containers/0/image", "value": "nginx:1.27"}]
    await changes_follow(rig, PODS, template, patch, PatchKind.JSON, "spec", "containers", 0, "image")


async def test_a_job_follows_its_template_everywhere(rig: Rig) -> None:
    pod = pod_template("task", restartPolicy="Never")
    template = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata("task", rig.namespace),
        "spec": {"backoffLimit": 4, "template": pod},
    }
    await changes_follow(rig, JOBS, template, {"spec": {"backoffLimit": 5}}, PatchKind.MERGE, "spec", "backoffLimit")


async def test_a_divided_job_divides_its_completions(rig: Rig) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata("pi", rig.namespace),
        "spec": {
            "parallelism": 3,
            "completions": 9,
            "suspend": True,
            "template": pod_template("pi", restartPolicy="Never"),
        },
    }
    weights = [
        {"targetCluster": {"clusterNames": ["member1"]}, "weight": 1},
        {"targetCluster": {"clusterNames": ["member2"]}, "weight": 2},
    ]
    division = {
        "replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Weighted",
        "weightPreference": {"staticWeightList": weights},
    }
    placement = {"clusterAffinity": {"clusterNames": ["member1", "member2"]}, "replicaScheduling": division}
    await rig.apply(job, policy("p", rig.namespace, [selects(job)], placement=placement))

    async def divided() -> None:
        found: list[tuple[int, int]] = []
        for member in ("member1", "member2"):
            live = await rig.get(member, JOBS, "pi", rig.namespace)
            assert live is not None
            found.append((live["spec"]["parallelism"], live["spec"]["completions"]))
        assert found == [(1, 3), (2, 6)]

    await rig.eventually(divided)


async def test_a_role_with_a_colon_in_its_name_follows_its_template_everywhere(rig: Rig) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    template = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata("system:test:reader", rig.namespace),
        "rules": [rule],
    }
    patch = {"rules": [{**rule, "verbs": ["get", "list"]}]}
    await changes_follow(rig, ROLES, template, patch, PatchKind.MERGE, "rules")


async def test_a_role_binding_with_a_dot_in_its_name_follows_its_template_everywhere(rig: Rig) -> None:
    subject = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
    template = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata("system:test.readers", rig.namespace),
        "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
    }
    patch = {"subjects": [subject, {**subject, "name": "joe"}]}
    await changes_follow(rig, ROLE_BINDINGS, template, patch, PatchKind.MERGE, "subjects")


async def test_a_custom_resource_follows_its_template_once_its_kind_is_there(rig: Rig) -> None:
    plural = rig.name("boats")
    group = f"{rig.name('sea')}.example.io"
    definition = crd(group, "Boat", plural)
    selector = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "name": f"{plural}.{group}",
    }
    await rig.apply(definition, policy(rig.name("kind"), None, [selector]))
    await rig.reaches(rig.members, scheme.CRDS, f"{plural}.{group}")
    boats = Resource(group, "v1alpha1", plural, "Boat", True)
    template = {
        "apiVersion": f"{group}/v1alpha1",
        "kind": "Boat",
        "metadata": metadata("ketch", rig.namespace),
        "spec": {"sails": 3},
    }
    await changes_follow(rig, boats, template, {"spec": {"sails": 4}}, PatchKind.MERGE, "spec", "sails")


# -- events -----------------------------------------------------------------------------------------------------------


async def test_events_tell_what_happened_to_template_binding_and_work(rig: Rig) -> None:
    template = deployment("web", rig.namespace, replicas=1)
    await rig.apply(template, policy("web", rig.namespace, [selects(template)], clusters=["member1"]))
    for reason in ("ApplyPolicySucceed", "GetReplicasSucceed"):
        await rig.event(reason, "web", rig.namespace, kind="Deployment")
    for reason in ("ScheduleBindingSucceed", "SyncWorkSucceed", "AggregateStatusSucceed"):
        await rig.event(reason, "web", rig.namespace, kind="Deployment")
        await rig.event(reason, "web-deployment", rig.namespace, kind="ResourceBinding")
    (work,) = await works_of(rig, "web-deployment")
    for reason in ("SyncSucceed", "ReflectStatusSucceed", "InterpretHealthSucceed", "WorkDispatching"):
        await rig.event(reason, work["metadata"]["name"], "karmada-es-member1", kind="Work")
    dispatching = await rig.event("WorkDispatching", work["metadata"]["name"], "karmada-es-member1")
    assert dispatching["message"] == DISPATCHED
    assert dispatching["source"]["component"] == "execution-controller"


# -- policies of any name ---------------------------------------------------------------------------------------------


async def test_a_policy_with_a_name_too_long_for_a_label_works(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    name = "a-policy-" + "x" * 80
    await rig.apply(template, policy(name, rig.namespace, [selects(template)]))
    await rig.reaches(rig.members, CONFIG_MAPS, "web", rig.namespace)
    live = await rig.get("hub", CONFIG_MAPS, "web", rig.namespace)
    assert live is not None and live["metadata"]["annotations"][names.POLICY_NAME_ANNOTATION] == name


# -- priority ---------------------------------------------------------------------------------------------------------


async def policy_in_member(rig: Rig, resource: Resource, name: str, wanted: str) -> None:
    async def told() -> None:
        live = await rig.get("member1", resource, name, rig.namespace)
        assert live is not None and live["metadata"]["annotations"][names.POLICY_NAME_ANNOTATION] == wanted

    await rig.eventually(told)


async def test_the_closest_match_wins_and_hands_over_when_it_goes(rig: Rig) -> None:
    kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
    await rig.apply(
        policy("by-name", rig.namespace, [{**kind, "name": "web"}]),
        policy("by-label", rig.namespace, [{**kind, "labelSelector": {"matchLabels": {"tier": "front"}}}]),
        policy("by-kind", rig.namespace, [kind]),
        deployment("web", rig.namespace, labels={"tier": "front"}),
    )
    await policy_in_member(rig, DEPLOYMENTS, "web", "by-name")
    await rig.delete(scheme.PROPAGATION_POLICIES, "by-name", rig.namespace)
    await policy_in_member(rig, DEPLOYMENTS, "web", "by-label")
    await rig.delete(scheme.PROPAGATION_POLICIES, "by-label", rig.namespace)
    await policy_in_member(rig, DEPLOYMENTS, "web", "by-kind")


async def test_a_higher_priority_wins_over_a_closer_match(rig: Rig) -> None:
    kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
    label = {**kind, "labelSelector": {"matchLabels": {"tier": "front"}}}
    await rig.apply(
        policy("close", rig.namespace, [{**kind, "name": "web"}], priority=1),
        policy("high", rig.namespace, [label], priority=2),
        deployment("web", rig.namespace, labels={"tier": "front"}),
    )
    await policy_in_member(rig, DEPLOYMENTS, "web", "high")


async def test_of_one_priority_the_closer_match_wins(rig: Rig) -> None:
    kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
    label = {**kind, "labelSelector": {"matchLabels": {"tier": "front"}}}
    await rig.apply(
        policy("a-loose", rig.namespace, [label], priority=1),
        policy("close", rig.namespace, [{**kind, "name": "web"}], priority=1),
        deployment("web", rig.namespace, labels={"tier": "front"}),
    )
    await policy_in_member(rig, DEPLOYMENTS, "web", "close")


# -- edits of policies ------------------------------------------------------------------------------------------------


async def test_a_newly_selected_template_is_propagated(rig: Rig) -> None:
    one, two = deployment("one", rig.namespace), deployment("two", rig.namespace)
    await rig.apply(one, two, policy("p", rig.namespace, [selects(one)], clusters=["member1"]))
    await rig.reaches(["member1"], DEPLOYMENTS, "one", rig.namespace)
    await rig.patch(
        scheme.PROPAGATION_POLICIES, "p", {"spec": {"resourceSelectors": [selects(one), selects(two)]}}, rig.namespace
    )
    await rig.reaches(["member1"], DEPLOYMENTS, "two", rig.namespace)


async def test_a_template_that_is_selected_no_longer_loses_its_marks_and_stays(rig: Rig) -> None:
    one, two = deployment("one", rig.namespace), deployment("two", rig.namespace)
    await rig.apply(one, two, policy("p", rig.namespace, [selects(one)], clusters=["member1"]))
    await rig.reaches(["member1"], DEPLOYMENTS, "one", rig.namespace)
    change = {"spec": {"resourceSelectors": [selects(two)], "placement": None}}
    await rig.patch(scheme.PROPAGATION_POLICIES, "p", change, rig.namespace)
    await rig.reaches(rig.members, DEPLOYMENTS, "two", rig.namespace)

    async def released() -> None:
        live = await rig.get("hub", DEPLOYMENTS, "one", rig.namespace)
        assert live is not None
        assert names.POLICY_ID_LABEL not in live["metadata"].get("labels", {})
        assert names.POLICY_NAME_ANNOTATION not in live["metadata"].get("annotations", {})

    await rig.eventually(released)
    assert await rig.where(DEPLOYMENTS, "one", rig.namespace) == ["member1"]


async def test_a_binding_is_found_by_the_id_of_its_policy(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)
    live = await rig.get("hub", scheme.PROPAGATION_POLICIES, "p", rig.namespace)
    assert live is not None
    identity = live["metadata"]["labels"][names.POLICY_ID_LABEL]
    found = await rig.list("hub", scheme.RESOURCE_BINDINGS, rig.namespace, labels=f"{names.POLICY_ID_LABEL}={identity}")
    assert [binding["metadata"]["name"] for binding in found] == ["web-deployment"]


async def test_an_edit_of_propagate_deps_is_seen_in_the_binding(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], propagateDeps=False))
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)
    patch = [{"op": "replace", "path": "/spec/propagateDeps", "value": True}]
    await rig.patch(scheme.PROPAGATION_POLICIES, "p", patch, rig.namespace, kind=PatchKind.JSON)

    async def seen() -> None:
        binding = await rig.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", rig.namespace)
        assert binding is not None and binding["spec"]["propagateDeps"] is True

    await rig.eventually(seen)


async def test_an_edit_of_the_placement_moves_the_workload(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], clusters=["member1"]))
    await rig.reaches(["member1"], DEPLOYMENTS, "web", rig.namespace)
    where = {"clusterAffinity": {"clusterNames": ["member2"]}}
    await rig.patch(scheme.PROPAGATION_POLICIES, "p", {"spec": {"placement": where}}, rig.namespace)
    await rig.reaches(["member2"], DEPLOYMENTS, "web", rig.namespace)


# -- the end of policies ----------------------------------------------------------------------------------------------


async def test_a_deleted_policy_leaves_no_marks_and_takes_nothing_away(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], clusters=["member1"]))
    await rig.reaches(["member1"], DEPLOYMENTS, "web", rig.namespace)
    await rig.delete(scheme.PROPAGATION_POLICIES, "p", rig.namespace)

    async def unmarked() -> None:
        assert await rig.get("hub", scheme.PROPAGATION_POLICIES, "p", rig.namespace) is None
        for resource, name in ((DEPLOYMENTS, "web"), (scheme.RESOURCE_BINDINGS, "web-deployment")):
            live = await rig.get("hub", resource, name, rig.namespace)
            assert live is not None
            assert names.POLICY_ID_LABEL not in live["metadata"].get("labels", {})
            annotations = live["metadata"].get("annotations", {})
            assert not {names.POLICY_NAME_ANNOTATION, names.POLICY_NAMESPACE_ANNOTATION} & set(annotations)

    await rig.eventually(unmarked)
    assert await rig.where(DEPLOYMENTS, "web", rig.namespace) == ["member1"]


@pytest.mark.parametrize("how", ["selector", "deletion"])
async def test_unbound_and_bound_by_another_policy_a_config_map_moves(rig: Rig, how: str) -> None:
    template = config_map("settings", rig.namespace)
    await rig.apply(template, policy("one", rig.namespace, [selects(template)], clusters=["member1"]))
    await rig.reaches(["member1"], CONFIG_MAPS, "settings", rig.namespace)
    if how == "deletion":
        await rig.delete(scheme.PROPAGATION_POLICIES, "one", rig.namespace)
    else:
        other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "another"}
        change = {"spec": {"resourceSelectors": [other]}}
        await rig.patch(scheme.PROPAGATION_POLICIES, "one", change, rig.namespace)

    async def unbound() -> None:
        live = await rig.get("hub", CONFIG_MAPS, "settings", rig.namespace)
        assert live is not None and names.POLICY_ID_LABEL not in live["metadata"].get("labels", {})

    await rig.eventually(unbound)
    await rig.apply(policy("two", rig.namespace, [selects(template)], clusters=["member2"]))
    await rig.reaches(["member2"], CONFIG_MAPS, "settings", rig.namespace)


# -- suspension -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resumed", [{"dispatching": None}, None], ids=["empty", "removed"])
async def test_while_dispatching_is_suspended_edits_wait(rig: Rig, resumed: Json | None) -> None:
    template = deployment("web", rig.namespace, replicas=1)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], clusters=["member1"]))
    await rig.reaches(["member1"], DEPLOYMENTS, "web", rig.namespace)
    suspend = {"spec": {"suspension": {"dispatching": True}}}
    await rig.patch(scheme.PROPAGATION_POLICIES, "p", suspend, rig.namespace)

    async def suspended() -> None:
        binding = await rig.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", rig.namespace)
        assert binding is not None and binding["spec"]["suspension"] == {"dispatching": True}
        (work,) = await works_of(rig, "web-deployment")
        assert work["spec"]["suspendDispatching"] is True
        (condition,) = [one for one in work["status"]["conditions"] if one["type"] == "Dispatching"]
        assert (condition["status"], condition["reason"], condition["message"]) == (
            "False",
            "SuspendDispatching",
            SUSPENDED,
        )

    await rig.eventually(suspended)
    (work,) = await works_of(rig, "web-deployment")

    async def told() -> None:
        found = await rig.events(work["metadata"]["name"], "karmada-es-member1")
        assert SUSPENDED in [event["message"] for event in found if event["reason"] == "WorkDispatching"]

    await rig.eventually(told)
    await rig.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 4}}, rig.namespace)

    async def replicas(wanted: int) -> None:
        live = await rig.get("member1", DEPLOYMENTS, "web", rig.namespace)
        assert live is not None and live["spec"]["replicas"] == wanted

    await rig.holds(lambda: replicas(1), seconds=3)
    await rig.patch(scheme.PROPAGATION_POLICIES, "p", {"spec": {"suspension": resumed}}, rig.namespace)
    await rig.eventually(lambda: replicas(4))


async def test_dispatching_may_be_suspended_for_single_clusters(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    suspension = {"dispatchingOnClusters": {"clusterNames": ["member2"]}}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], suspension=suspension))
    await rig.reaches(["member1", "member3"], CONFIG_MAPS, "web", rig.namespace)
    await rig.patch(scheme.PROPAGATION_POLICIES, "p", {"spec": {"suspension": None}}, rig.namespace)
    await rig.reaches(rig.members, CONFIG_MAPS, "web", rig.namespace)


# -- what comes later -------------------------------------------------------------------------------------------------


async def test_a_template_waits_for_the_overrides_that_its_policy_depends_on(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], dependentOverrides=["later"]))

    async def nowhere() -> None:
        assert await rig.where(CONFIG_MAPS, "web", rig.namespace) == []

    await rig.holds(nowhere, seconds=2)
    rule = {"overriders": {"labelsOverrider": [{"operator": "add", "value": {"overridden": "yes"}}]}}
    override = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": metadata("later", rig.namespace),
        "spec": {"resourceSelectors": [selects(template)], "overrideRules": [rule]},
    }
    await rig.apply(override)
    await rig.reaches(rig.members, CONFIG_MAPS, "web", rig.namespace)
    live = await rig.get("member1", CONFIG_MAPS, "web", rig.namespace)
    assert live is not None and live["metadata"]["labels"]["overridden"] == "yes"
