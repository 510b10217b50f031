"""Defaults and checks of policies."""

from __future__ import annotations

from typing import Any

import pytest

from hansa.admit import overrides, propagation, work
from hansa.api import names


def policy(**spec: Any) -> dict[str, Any]:
    selectors = [{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "default"}]
    return {
        "kind": "PropagationPolicy",
        "metadata": {"name": "p", "namespace": "default", "labels": {names.POLICY_ID_LABEL: "id"}},
        "spec": {"resourceSelectors": selectors, **spec},
    }


def faults(document: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [error.detail for error in propagation.check(document, old)]


def test_defaults() -> None:
    filled = propagation.default(
        policy(
            resourceSelectors=[{"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport"}],
            placement={
                "spreadConstraints": [{"maxGroups": 2}, {"spreadByLabel": "x"}],
                "replicaScheduling": {"replicaSchedulingType": "Divided"},
            },
            failover={"application": {"purgeMode": "Gracefully"}},
        )
    )["spec"]
    assert filled["resourceSelectors"][0]["namespace"] == "default"
    assert filled["propagateDeps"] is True
    assert filled["placement"]["spreadConstraints"] == [
        {"maxGroups": 2, "spreadByField": "cluster", "minGroups": 1},
        {"spreadByLabel": "x", "minGroups": 1},
    ]
    assert filled["placement"]["replicaScheduling"]["replicaDivisionPreference"] == "Weighted"
    assert filled["failover"]["application"]["gracePeriodSeconds"] == 600
    once = propagation.default(policy(placement={"clusterAffinity": {}}))
    assert propagation.default(once) is once


def test_identity() -> None:
    named = propagation.identity(policy(), "new")
    assert named["metadata"]["labels"][names.POLICY_ID_LABEL] == "new"
    assert named["metadata"]["finalizers"] == [names.POLICY_FINALIZER]


def test_a_good_policy_has_no_faults() -> None:
    assert faults(propagation.default(policy(placement={"spreadConstraints": [{"maxGroups": 2}]}))) == []


def test_selector_of_another_namespace() -> None:
    bad = policy(resourceSelectors=[{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "x"}])
    assert faults(bad) == [
        'spec.resourceSelectors[0].namespace: Invalid value: "x": namespace of resource selector must be the same as'
        " the namespace of the policy"
    ]


def test_updates() -> None:
    old = policy(schedulerName="default-scheduler")
    assert "the schedulerName should not be updated" in faults(policy(schedulerName="other"), old)[0]
    other = policy(schedulerName="default-scheduler")
    other["metadata"]["labels"][names.POLICY_ID_LABEL] = "forged"
    assert "it can only be set by the system during creation" in faults(other, old)[0]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"preemption": "Always"}, "spec.resourceSelectors[0].name"),
        ({"suspension": {"dispatching": True, "dispatchingOnClusters": {"clusterNames": ["m"]}}}, "spec.suspension"),
        ({"failover": {"application": {"purgeMode": "Never"}}}, "spec.propagateDeps"),
        (
            {"propagateDeps": True, "failover": {"application": {"purgeMode": "Never", "gracePeriodSeconds": 1}}},
            "spec.failover.application.gracePeriodSeconds",
        ),
    ],
)
def test_faults_of_the_spec(spec: dict[str, Any], field: str) -> None:
    assert [error.field for error in propagation.check(policy(**spec))] == [field]


@pytest.mark.parametrize(
    ("placement", "field"),
    [
        ({"clusterAffinity": {}, "clusterAffinities": [{"affinityName": "a"}]}, "clusterAffinity"),
        ({"clusterAffinities": [{"affinityName": "a"}, {"affinityName": "a"}]}, "clusterAffinities[1]"),
        ({"clusterAffinities": [{"affinityName": "a" * 33}]}, "clusterAffinities[0].affinityName"),
        ({"clusterTolerations": [{"operator": "Gt"}]}, "clusterTolerations[0].operator"),
        ({"spreadConstraints": [{"spreadByField": "region"}]}, "spreadConstraints"),
        (
            {"spreadConstraints": [{"spreadByField": "cluster"}, {"spreadByField": "cluster"}]},
            "spreadConstraints[1]",
        ),
        ({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 3, "maxGroups": 2}]}, "spreadConstraints[0]"),
        (
            {"clusterAffinity": {"fieldSelector": {"matchExpressions": [{"key": "size", "operator": "In"}]}}},
            "clusterAffinity.fieldSelector",
        ),
        (
            {"workloadAffinity": {"affinity": {"groupByLabelKey": "a"}, "antiAffinity": {"groupByLabelKey": "a"}}},
            "workloadAffinity.antiAffinity.groupByLabelKey",
        ),
    ],
)
def test_faults_of_the_placement(placement: dict[str, Any], field: str) -> None:
    assert [error.field for error in propagation.check(policy(placement=placement))] == [f"spec.placement.{field}"]


def override(**overriders: Any) -> dict[str, Any]:
    rules = [{"overriders": overriders}]
    return {"kind": "OverridePolicy", "metadata": {"namespace": "default"}, "spec": {"overrideRules": rules}}


@pytest.mark.parametrize(
    ("overriders", "message"),
    [
        ({"fieldOverrider": [{"fieldPath": "/a"}]}, "FieldOverrider must have either JSON or YAML set"),
        (
            {"fieldOverrider": [{"fieldPath": "/a", "json": [{"subPath": "b", "operator": "remove"}]}]},
            'JSON pointer must be empty or start with a "/"',
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/a", "yaml": [{"subPath": "/b", "operator": "add"}]}]},
            "value is required for add or replace operation",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/a", "yaml": [{"subPath": "/b", "operator": "remove", "value": 1}]}]},
            "value is not allowed for remove operation",
        ),
        ({"imageOverrider": [{"predicate": {"path": "x"}}]}, 'JSON pointer must be empty or start with a "/"'),
        ({"labelsOverrider": [{"operator": "add", "value": {"a b": "c"}}]}, "name part must consist of"),
    ],
)
def test_faults_of_overrides(overriders: dict[str, Any], message: str) -> None:
    errors = overrides.check(override(**overriders))
    assert len(errors) == 1
    assert message in errors[0].detail


def test_the_old_form_of_overrides_stands_alone() -> None:
    both = override()
    both["spec"] |= {"targetCluster": {}, "overriders": {"plaintext": [{}]}}
    assert [error.field for error in overrides.check(both)] == ["spec.targetCluster", "spec.overriders"]
    filled = overrides.default({**override(), "spec": {"resourceSelectors": [{"kind": "X"}]}})
    assert filled["spec"]["resourceSelectors"] == [{"kind": "X", "namespace": "default"}]


def test_bindings_and_works() -> None:
    binding = {"kind": "ResourceBinding", "metadata": {}, "spec": {}}
    assert work.identified(binding, "id")["metadata"]["labels"] == {names.BINDING_ID_LABEL: "id"}
    kept = {"kind": "Work", "metadata": {"labels": {names.WORK_ID_LABEL: "old"}}}
    assert work.identified(kept, "id") is kept
    components = [{"name": "a"}, {"name": "a"}, {}]
    errors = work.check_binding({**binding, "spec": {"components": components}})
    assert [error.field for error in errors] == ["spec.components[1].name", "spec.components[2].name"]
    broken = {**binding, "metadata": {"annotations": {names.DEPENDENCIES_ANNOTATION: "{"}}}
    assert len(work.check_binding(broken)) == 1
