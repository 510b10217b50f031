"""Every rule of Karmada's admission for policies, overrides, bindings and Works, asked through the hub itself.

On real servers the webhooks answer over HTTPS. Rules that the definitions' schema has are asked in the same way.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import config_map, metadata, policy, selects
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.kube.errors import ApiError

SELECTOR = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c"}
DIVIDED = {"replicaSchedulingType": "Divided"}
TERM = {"affinityName": "a", "clusterNames": ["member1"]}
CLUSTER = {"spreadByField": "cluster"}
POINTER = 'JSON pointer must be empty or start with a "/"'


def by_capacity(*overflows: Json, **term: Any) -> Json:
    """A placement where replicas may go beyond a term."""
    return {
        "clusterAffinities": [{**TERM, "overflowAffinities": list(overflows), **term}],
        "replicaScheduling": {**DIVIDED, "replicaDivisionPreference": "Aggregated"},
    }


def field_selector(key: str, operator: str) -> Json:
    return {"fieldSelector": {"matchExpressions": [{"key": key, "operator": operator, "values": ["x"]}]}}


def failover(**application: Any) -> Json:
    conditions = {"decisionConditions": {"tolerationSeconds": 1}}
    return {"propagateDeps": True, "failover": {"application": {**conditions, **application}}}


SPECS: list[tuple[str, Json, str]] = [
    ("no selectors", {"resourceSelectors": []}, "spec.resourceSelectors"),
    (
        "selector of another namespace",
        {"resourceSelectors": [{**SELECTOR, "namespace": "elsewhere"}]},
        'spec.resourceSelectors[0].namespace: Invalid value: "elsewhere": namespace of resource selector must be the'
        " same as the namespace of the policy",
    ),
    (
        "preemption without names",
        {"preemption": "Always", "resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap"}]},
        "spec.resourceSelectors[0].name",
    ),
    ("unknown preemption", {"preemption": "Sometimes"}, "spec.preemption: Unsupported value"),
    ("unknown conflict resolution", {"conflictResolution": "Merge"}, "spec.conflictResolution: Unsupported value"),
    ("unknown activation", {"activationPreference": "Eager"}, "spec.activationPreference: Unsupported value"),
    (
        "suspended everywhere and somewhere",
        {"suspension": {"dispatching": True, "dispatchingOnClusters": {"clusterNames": ["member1"]}}},
        "spec.suspension: Invalid value",
    ),
    (
        "priority class of another source",
        {"schedulePriority": {"priorityClassSource": "PodPriorityClass", "priorityClassName": "p"}},
        "spec.schedulePriority.priorityClassSource: Unsupported value",
    ),
    ("failover without dependencies", {"failover": failover()["failover"]}, "spec.propagateDeps: Invalid value"),
    (
        "negative toleration",
        failover(decisionConditions={"tolerationSeconds": -1}),
        "spec.failover.application.decisionConditions.tolerationSeconds: Invalid value: -1",
    ),
    (
        "no grace at all",
        failover(purgeMode="Gracefully", gracePeriodSeconds=0),
        "spec.failover.application.gracePeriodSeconds: Invalid value: 0",
    ),
    (
        "grace without need",
        failover(purgeMode="Directly", gracePeriodSeconds=5),
        "spec.failover.application.gracePeriodSeconds: Invalid value: 5",
    ),
    ("unknown purge mode", failover(purgeMode="Slowly"), "spec.failover.application.purgeMode: Unsupported value"),
    (
        "a cluster is never left for good",
        {"failover": {"cluster": {"purgeMode": "Never"}}},
        "spec.failover.cluster.purgeMode: Unsupported value",
    ),
    (
        "a label that is none",
        failover(statePreservation={"rules": [{"aliasLabelName": "a b", "jsonPath": "{.replicas}"}]}),
        "spec.failover.application.statePreservation.rules[0].aliasLabelName: Invalid value",
    ),
    (
        "a path that is none",
        {"failover": {"cluster": {"statePreservation": {"rules": [{"aliasLabelName": "a", "jsonPath": "{.x[}"}]}}}},
        "spec.failover.cluster.statePreservation.rules[0].jsonPath: Invalid value",
    ),
]

PLACEMENTS: list[tuple[str, Json, str]] = [
    (
        "affinity and affinities",
        {"clusterAffinity": {"clusterNames": ["member1"]}, "clusterAffinities": [TERM]},
        "spec.placement.clusterAffinity: Invalid value",
    ),
    ("term without name", {"clusterAffinities": [{"affinityName": ""}]}, "spec.placement.clusterAffinities[0]"),
    ("term with a long name", {"clusterAffinities": [{"affinityName": "a" * 33}]}, "clusterAffinities[0].affinityName"),
    ("term with a bad name", {"clusterAffinities": [{"affinityName": "a b"}]}, "clusterAffinities[0].affinityName"),
    ("two terms of a name", {"clusterAffinities": [TERM, TERM]}, "spec.placement.clusterAffinities[1]: Invalid value"),
    (
        "overflow of what is not divided by capacity",
        {"clusterAffinities": [{**TERM, "overflowAffinities": [{"affinityName": "b"}]}]},
        "spec.placement.clusterAffinities[0].overflowAffinities: Invalid value",
    ),
    (
        "overflow of everything",
        by_capacity({"affinityName": "b"}, clusterNames=[]),
        "spec.placement.clusterAffinities[0].overflowAffinities: Invalid value",
    ),
    (
        "overflow with the name of its term",
        by_capacity({"affinityName": "a"}),
        "spec.placement.clusterAffinities[0].overflowAffinities[0]: Invalid value",
    ),
    (
        "two overflows of a name",
        by_capacity({"affinityName": "b"}, {"affinityName": "b"}),
        "spec.placement.clusterAffinities[0].overflowAffinities[1]: Invalid value",
    ),
    (
        "field selector of an unknown key",
        {"clusterAffinity": field_selector("planet", "In")},
        'unsupported key "planet", must be provider, region, or zone',
    ),
    (
        "field selector with another operator",
        {"clusterAffinity": field_selector("zone", "Exists")},
        'unsupported operator "Exists", must be In or NotIn',
    ),
    (
        "toleration with a comparison",
        {"clusterTolerations": [{"key": "a", "operator": "Lt", "value": "1"}]},
        'spec.placement.clusterTolerations[0].operator: Unsupported value: "Lt"',
    ),
    (
        "spread by field and label",
        {"spreadConstraints": [{**CLUSTER, "spreadByLabel": "x"}]},
        "spec.placement.spreadConstraints[0]: Invalid value",
    ),
    ("spread by an unknown field", {"spreadConstraints": [{"spreadByField": "planet"}]}, "spreadByField"),
    ("negative minimum", {"spreadConstraints": [{**CLUSTER, "minGroups": -1}]}, "spreadConstraints[0]: Invalid value"),
    ("negative maximum", {"spreadConstraints": [{**CLUSTER, "maxGroups": -1}]}, "spreadConstraints[0]: Invalid value"),
    (
        "maximum below the minimum",
        {"spreadConstraints": [{**CLUSTER, "minGroups": 2, "maxGroups": 1}]},
        "spec.placement.spreadConstraints[0]: Invalid value",
    ),
    (
        "the same field twice",
        {"spreadConstraints": [CLUSTER, CLUSTER]},
        "spec.placement.spreadConstraints[1]: Invalid value",
    ),
    (
        "regions without clusters",
        {"spreadConstraints": [{"spreadByField": "region"}]},
        "spec.placement.spreadConstraints: Invalid value",
    ),
    (
        "weight of nothing",
        {
            "replicaScheduling": {
                **DIVIDED,
                "weightPreference": {"staticWeightList": [{"targetCluster": {}, "weight": 0}]},
            }
        },
        "staticWeightList[0].weight",
    ),
    (
        "weight of clusters by an unknown key",
        {
            "replicaScheduling": {
                **DIVIDED,
                "weightPreference": {
                    "staticWeightList": [{"targetCluster": field_selector("planet", "In"), "weight": 1}]
                },
            }
        },
        'unsupported key "planet"',
    ),
    (
        "groups by no label",
        {"workloadAffinity": {"affinity": {"groupByLabelKey": "a b"}}},
        "spec.placement.workloadAffinity.affinity.groupByLabelKey: Invalid value",
    ),
    (
        "together and apart by one label",
        {"workloadAffinity": {"affinity": {"groupByLabelKey": "a"}, "antiAffinity": {"groupByLabelKey": "a"}}},
        "spec.placement.workloadAffinity.antiAffinity.groupByLabelKey: Invalid value",
    ),
]
REFUSED = [*SPECS, *((case, {"placement": placement}, message) for case, placement, message in PLACEMENTS)]


async def refused(rig: Rig, document: Json, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        await rig.apply(document)
    assert message in str(caught.value)
    assert caught.value.code == 422, caught.value


@pytest.mark.parametrize("cluster_wide", [False, True], ids=["PropagationPolicy", "ClusterPropagationPolicy"])
async def test_a_policy_that_cannot_be_carried_out_is_refused(rig: Rig, cluster_wide: bool) -> None:
    for case, spec, message in REFUSED:
        if cluster_wide and case == "selector of another namespace":
            continue
        document = policy(rig.name("p"), None if cluster_wide else rig.namespace, [SELECTOR])
        document["spec"] |= spec
        try:
            await refused(rig, document, message)
        except BaseException as error:
            raise AssertionError(case) from error


async def test_what_a_policy_leaves_open_is_filled_in(rig: Rig) -> None:
    imported = {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport"}
    placement = {
        "spreadConstraints": [{"maxGroups": 2}],
        "replicaScheduling": {"replicaSchedulingType": "Divided"},
    }
    application = {"application": {"decisionConditions": {"tolerationSeconds": 1}}}
    document = policy("p", rig.namespace, [imported], placement=placement, failover=application)
    document["metadata"]["labels"] = {names.POLICY_ID_LABEL: "forged"}
    await rig.apply(document)
    stored = await rig.get("hub", scheme.PROPAGATION_POLICIES, "p", rig.namespace)
    assert stored is not None
    spec = stored["spec"]
    assert spec["resourceSelectors"][0]["namespace"] == rig.namespace
    assert spec["propagateDeps"] is True
    assert spec["placement"]["spreadConstraints"] == [{"maxGroups": 2, "minGroups": 1, "spreadByField": "cluster"}]
    assert spec["placement"]["replicaScheduling"]["replicaDivisionPreference"] == "Weighted"
    assert spec["failover"]["application"]["gracePeriodSeconds"] == 600
    assert spec["failover"]["application"]["purgeMode"] == "Gracefully"
    assert (spec["priority"], spec["preemption"], spec["conflictResolution"]) == (0, "Never", "Abort")
    assert spec["schedulerName"] == "default-scheduler"
    assert stored["metadata"]["labels"][names.POLICY_ID_LABEL] != "forged"
    assert stored["metadata"]["finalizers"] == [names.POLICY_FINALIZER]


@pytest.mark.parametrize("cluster_wide", [False, True], ids=["PropagationPolicy", "ClusterPropagationPolicy"])
async def test_scheduler_and_identity_of_a_policy_stay(rig: Rig, cluster_wide: bool) -> None:
    resource = scheme.CLUSTER_PROPAGATION_POLICIES if cluster_wide else scheme.PROPAGATION_POLICIES
    label = names.CLUSTER_POLICY_ID_LABEL if cluster_wide else names.POLICY_ID_LABEL
    namespace, name = None if cluster_wide else rig.namespace, rig.name("p")
    await rig.apply(policy(name, namespace, [SELECTOR]))
    attempts: list[tuple[Json, str]] = [
        ({"spec": {"schedulerName": "another"}}, "the schedulerName should not be updated"),
        ({"metadata": {"labels": {label: "forged"}}}, "is immutable, it can only be set by the system during creation"),
        ({"metadata": {"labels": {label: None}}}, "is immutable, it can only be set by the system during creation"),
    ]
    for patch, message in attempts:
        with pytest.raises(ApiError, match=message):
            await rig.patch(resource, name, patch, namespace)


def rules(**overriders: Any) -> Json:
    return {"overrideRules": [{"overriders": overriders}]}


def field(**overrider: Any) -> Json:
    return rules(fieldOverrider=[{"fieldPath": "/data/a", **overrider}])


REPLACE = {"subPath": "/a", "operator": "replace", "value": 1}
IMAGE = {"component": "Tag", "operator": "replace", "value": "1"}
OVERRIDES: list[tuple[str, Json, str]] = [
    (
        "old and new form",
        {**rules(), "targetCluster": {"clusterNames": ["member1"]}},
        "overrideRules and targetCluster can't co-exist",
    ),
    (
        "old and new form of overriders",
        {**rules(), "overriders": {"plaintext": [{"path": "/a", "operator": "remove"}]}},
        "overrideRules and overriders can't co-exist",
    ),
    (
        "selector of another namespace",
        {**rules(), "resourceSelectors": [{**SELECTOR, "namespace": "elsewhere"}]},
        "namespace of resource selector must be the same as the namespace of the policy",
    ),
    (
        "target by an unknown key",
        {"overrideRules": [{"targetCluster": field_selector("planet", "In"), "overriders": {}}]},
        'spec.overrideRules[0].targetCluster.fieldSelector: Invalid value: "planet": unsupported key "planet"',
    ),
    (
        "target with another operator",
        {"overrideRules": [{"targetCluster": field_selector("zone", "Gt"), "overriders": {}}]},
        'unsupported operator "Gt", must be In or NotIn',
    ),
    (
        "annotation with a bad key",
        rules(annotationsOverrider=[{"operator": "add", "value": {"a b": "c"}}]),
        "spec.overrideRules[0].overriders.annotationsOverrider[0].value: Invalid value",
    ),
    (
        "label with a bad key",
        rules(labelsOverrider=[{"operator": "add", "value": {"a b": "c"}}]),
        "spec.overrideRules[0].overriders.labelsOverrider[0].value: Invalid value",
    ),
    (
        "label with a bad value",
        rules(labelsOverrider=[{"operator": "add", "value": {"a": "b c"}}]),
        "spec.overrideRules[0].overriders.labelsOverrider[0].value: Invalid value",
    ),
    (
        "image by a path without slash",
        rules(imageOverrider=[{**IMAGE, "predicate": {"path": "spec/image"}}]),
        f'imageOverrider[0].predicate.path: Invalid value: "spec/image": {POINTER}',
    ),
    ("field in both syntaxes", field(json=[REPLACE], yaml=[REPLACE]), "FieldOverrider has both YAML and JSON set"),
    ("field without syntax", field(), "FieldOverrider must have either JSON or YAML set"),
    ("field by a path without slash", field(fieldPath="data/a", json=[REPLACE]), "fieldOverrider[0].fieldPath"),
    ("sub-path without slash", field(yaml=[{**REPLACE, "subPath": "a"}]), "fieldOverrider[0].yaml[0].subPath"),
    (
        "addition of nothing",
        field(json=[{"subPath": "/a", "operator": "add"}]),
        "fieldOverrider[0].json[0].value: Invalid value: null: value is required for add or replace operation",
    ),
    (
        "removal of something",
        field(yaml=[{**REPLACE, "operator": "remove"}]),
        "value is not allowed for remove operation",
    ),
]


@pytest.mark.parametrize("cluster_wide", [False, True], ids=["OverridePolicy", "ClusterOverridePolicy"])
async def test_overrides_that_cannot_be_applied_are_refused(rig: Rig, cluster_wide: bool) -> None:
    for case, spec, message in OVERRIDES:
        if cluster_wide and case == "selector of another namespace":
            continue
        document = {
            "apiVersion": "policy.karmada.io/v1alpha1",
            "kind": "ClusterOverridePolicy" if cluster_wide else "OverridePolicy",
            "metadata": metadata(rig.name("o"), None if cluster_wide else rig.namespace),
            "spec": spec,
        }
        try:
            await refused(rig, document, message)
        except BaseException as error:
            raise AssertionError(case) from error


async def test_the_namespace_of_an_override_policy_is_filled_in(rig: Rig) -> None:
    document = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": metadata("o", rig.namespace),
        "spec": {**rules(), "resourceSelectors": [SELECTOR]},
    }
    await rig.apply(document)
    stored = await rig.get("hub", scheme.OVERRIDE_POLICIES, "o", rig.namespace)
    assert stored is not None
    assert stored["spec"]["resourceSelectors"] == [{**SELECTOR, "namespace": rig.namespace}]


def binding(rig: Rig, **spec: Any) -> Json:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": rig.namespace, "name": "c"}
    return {
        "apiVersion": "work.karmada.io/v1alpha2",
        "kind": "ResourceBinding",
        "metadata": metadata("b", rig.namespace),
        "spec": {"resource": reference, **spec},
    }


async def test_a_binding_has_an_id_and_is_checked(rig: Rig) -> None:
    component = {"name": "a", "replicas": 1}
    await refused(rig, binding(rig, components=[component, component]), "spec.components[1].name: Duplicate value")
    await refused(rig, binding(rig, components=[{**component, "name": ""}]), "spec.components[0].name: Required value")
    annotated = binding(rig)
    annotated["metadata"]["annotations"] = {names.DEPENDENCIES_ANNOTATION: "{"}
    await refused(rig, annotated, "must be JSON")
    await rig.apply(binding(rig))
    stored = await rig.get("hub", scheme.RESOURCE_BINDINGS, "b", rig.namespace)
    assert stored is not None
    assert stored["metadata"]["labels"][names.BINDING_ID_LABEL]


async def test_a_work_has_an_id_and_its_manifests_are_normalised(rig: Rig) -> None:
    manifest = config_map("c", rig.namespace)
    manifest["metadata"] |= {"uid": "u", "resourceVersion": "1", "annotations": {"a": "b"}}
    work = {
        "apiVersion": "work.karmada.io/v1alpha1",
        "kind": "Work",
        "metadata": metadata(rig.name("w"), "karmada-es-member1"),
        "spec": {"workload": {"manifests": [manifest]}, "suspendDispatching": True},
    }
    await rig.apply(work)
    try:
        stored = await rig.get("hub", scheme.WORKS, rig.name("w"), "karmada-es-member1")
        assert stored is not None
        identity = stored["metadata"]["labels"][names.WORK_ID_LABEL]
        (found,) = stored["spec"]["workload"]["manifests"]
        assert "uid" not in found["metadata"]
        assert found["metadata"]["labels"] == {names.WORK_ID_LABEL: identity}
        assert found["metadata"]["annotations"][names.MANAGED_LABELS_ANNOTATION] == names.WORK_ID_LABEL
    finally:
        await rig.delete(scheme.WORKS, rig.name("w"), "karmada-es-member1")


async def test_what_is_good_is_let_through(rig: Rig) -> None:
    """Beside the refusals: the same fields with values that can be carried out."""
    placement = {
        **by_capacity({"affinityName": "b", "clusterNames": ["member2"]}),
        "clusterTolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}],
        "spreadConstraints": [{**CLUSTER, "maxGroups": 2}, {"spreadByField": "region", "maxGroups": 1}],
        "workloadAffinity": {"affinity": {"groupByLabelKey": "a"}, "antiAffinity": {"groupByLabelKey": "b"}},
    }
    kept = {"rules": [{"aliasLabelName": "a", "jsonPath": "{.replicas}"}]}
    spec: Json = {
        **failover(purgeMode="Never", statePreservation=kept),
        "preemption": "Always",
        "suspension": {"dispatchingOnClusters": {"clusterNames": ["member1"]}},
    }
    await rig.apply(policy("p", rig.namespace, [selects(config_map("c", rig.namespace))], placement=placement, **spec))
