"""What Kubernetes' kinds mean, case by case, as Karmada's built-in interpreter has it."""

from __future__ import annotations

from typing import Any

import pytest

from hansa.api import names
from hansa.interpret.native import native
from hansa.interpret.native.prune import prune
from hansa.interpret.question import Aggregate, Health, MemberStatus, Needs, Reflect, Replicas, Retain, Revise


def obj(api_version: str, kind: str, **members: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "default", **members.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **members}


def ask(question: Any) -> Any:
    found = native(question)
    return None if found is None else found.value


POD = {
    "containers": [
        {"name": "a", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}},
        {"name": "b", "resources": {"limits": {"cpu": "200m"}}},
    ],
    "initContainers": [{"name": "i", "resources": {"requests": {"cpu": "1", "memory": "1Mi"}}}],
    "overhead": {"cpu": "10m"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
}


@pytest.mark.parametrize(
    ("template", "replicas"),
    [
        (obj("apps/v1", "Deployment", spec={"replicas": 3, "template": {"spec": {}}}), 3),
        (obj("apps/v1", "Deployment", spec={}), 0),
        (obj("apps/v1", "StatefulSet", spec={"replicas": 2}), 2),
        (obj("batch/v1", "Job", spec={"parallelism": 5}), 5),
        (obj("batch/v1", "Job", spec={"parallelism": 5, "completions": 3}), 3),
        (obj("v1", "Pod", spec={}), 1),
    ],
)
def test_replicas(template: dict[str, Any], replicas: int) -> None:
    assert ask(Replicas(template)) == Needs(replicas, None)


def test_requirements() -> None:
    needs = ask(Replicas(obj("apps/v1", "Deployment", spec={"replicas": 1, "template": {"spec": POD}})))
    assert needs.requirements == {
        "nodeClaim": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
        "resourceRequest": {"cpu": "1010m", "memory": "64Mi"},
    }


def test_a_priority_class_is_told_beside_other_needs() -> None:
    def needs(pod: dict[str, Any]) -> Any:
        return ask(Replicas(obj("v1", "Pod", spec=pod))).requirements

    assert needs({"priorityClassName": "high"}) is None
    assert needs({"priorityClassName": "high", "nodeSelector": {"disk": "ssd"}}) == {
        "nodeClaim": {"nodeSelector": {"disk": "ssd"}},
        "priorityClassName": "high",
    }


def test_kinds_without_replicas_have_no_answer() -> None:
    assert native(Replicas(obj("apps/v1", "DaemonSet", spec={}))) is None
    assert native(Replicas(obj("apps/v1beta1", "Deployment", spec={"replicas": 1}))) is None


def test_revise_only_what_is_there() -> None:
    deployment = obj("apps/v1", "Deployment", spec={"replicas": 3})
    assert ask(Revise(deployment, 7))["spec"]["replicas"] == 7
    assert deployment["spec"]["replicas"] == 3
    assert "replicas" not in ask(Revise(obj("apps/v1", "Deployment", spec={}), 7))["spec"]
    assert ask(Revise(obj("batch/v1", "Job", spec={"parallelism": 1}), 4))["spec"]["parallelism"] == 4


RETAINED = [
    (
        "v1",
        "Service",
        {"spec": {"ports": []}},
        {"spec": {"clusterIP": "10.0.0.1", "healthCheckNodePort": 30000}},
        {"spec": {"ports": [], "clusterIP": "10.0.0.1", "healthCheckNodePort": 30000}},
    ),
    ("v1", "PersistentVolumeClaim", {"spec": {}}, {"spec": {"volumeName": "pv1"}}, {"spec": {"volumeName": "pv1"}}),
    (
        "v1",
        "PersistentVolume",
        {"spec": {}},
        {"spec": {"claimRef": {"name": "c"}}},
        {"spec": {"claimRef": {"name": "c"}}},
    ),
    (
        "v1",
        "Secret",
        {"type": "kubernetes.io/service-account-token", "data": None},
        {"data": {"token": "eA=="}},
        {"type": "kubernetes.io/service-account-token", "data": {"token": "eA=="}},
    ),
    (
        "v1",
        "Secret",
        {"type": "Opaque", "data": {"a": "YQ=="}},
        {"data": {"b": "Yg=="}},
        {"type": "Opaque", "data": {"a": "YQ=="}},
    ),
    (
        "v1",
        "ServiceAccount",
        {"secrets": [{"name": "a"}]},
        {"secrets": [{"name": "b"}, {"name": "a"}]},
        {"secrets": [{"name": "a"}, {"name": "b"}], "imagePullSecrets": None},
    ),
    (
        "batch/v1",
        "Job",
        {"spec": {"template": {"metadata": {}}}},
        {"spec": {"selector": {"matchLabels": {"u": "1"}}, "template": {"metadata": {"labels": {"u": "1"}}}}},
        {"spec": {"selector": {"matchLabels": {"u": "1"}}, "template": {"metadata": {"labels": {"u": "1"}}}}},
    ),
    (
        "v1",
        "Pod",
        {"spec": {"containers": [{"name": "a"}]}},
        {
            "spec": {
                "nodeName": "n",
                "serviceAccountName": "s",
                "containers": [{"name": "a", "volumeMounts": [{"name": "t"}]}],
            }
        },
        {
            "spec": {
                "nodeName": "n",
                "serviceAccountName": "s",
                "containers": [{"name": "a", "volumeMounts": [{"name": "t"}]}],
            }
        },
    ),
]


@pytest.mark.parametrize(("api_version", "kind", "wanted", "live", "expected"), RETAINED)
def test_retain(api_version: str, kind: str, wanted: Any, live: Any, expected: Any) -> None:
    found = ask(Retain(obj(api_version, kind, **wanted), obj(api_version, kind, **live)))
    assert {name: value for name, value in found.items() if name not in ("apiVersion", "kind", "metadata")} == expected


def test_retain_replicas_by_label() -> None:
    live = obj("apps/v1", "Deployment", spec={"replicas": 9})
    plain = obj("apps/v1", "Deployment", spec={"replicas": 1})
    assert ask(Retain(plain, live))["spec"]["replicas"] == 1
    labelled = obj(
        "apps/v1", "Deployment", spec={"replicas": 1}, metadata={"labels": {names.RETAIN_REPLICAS_LABEL: "true"}}
    )
    assert ask(Retain(labelled, live))["spec"]["replicas"] == 9


def test_reflect() -> None:
    annotations = {names.TEMPLATE_GENERATION_ANNOTATION: "4"}
    live = obj(
        "apps/v1",
        "Deployment",
        metadata={"generation": 2, "annotations": annotations},
        status={"replicas": 3, "readyReplicas": 0, "observedGeneration": 2, "conditions": [{}]},
    )
    assert ask(Reflect(live)) == {
        "generation": 2,
        "resourceTemplateGeneration": 4,
        "replicas": 3,
        "observedGeneration": 2,
    }
    assert ask(Reflect(obj("apps/v1", "Deployment"))) is None
    assert ask(Reflect(obj("v1", "Service", spec={"type": "ClusterIP"}, status={"loadBalancer": {}}))) is None
    assert ask(Reflect(obj("x.test/v1", "Thing", status={"any": 1}))) == {"any": 1}
    assert ask(Reflect(obj("v1", "ConfigMap"))) is None


@pytest.mark.parametrize(
    ("live", "healthy"),
    [
        (
            obj(
                "apps/v1",
                "Deployment",
                metadata={"generation": 1},
                spec={"replicas": 2},
                status={"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 2},
            ),
            True,
        ),
        (
            obj(
                "apps/v1",
                "Deployment",
                metadata={"generation": 2},
                spec={"replicas": 2},
                status={"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 2},
            ),
            False,
        ),
        (
            obj(
                "apps/v1",
                "Deployment",
                metadata={"generation": 1},
                spec={"replicas": 2},
                status={"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 1},
            ),
            False,
        ),
        (obj("v1", "Service", spec={"type": "ClusterIP"}), True),
        (obj("v1", "Service", spec={"type": "LoadBalancer"}), False),
        (
            obj(
                "v1",
                "Service",
                spec={"type": "LoadBalancer"},
                status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}},
            ),
            True,
        ),
        (obj("v1", "PersistentVolumeClaim", status={"phase": "Pending"}), False),
        (obj("v1", "Pod", status={"phase": "Succeeded"}), True),
        (obj("v1", "Pod", status={"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}), False),
        (obj("policy/v1", "PodDisruptionBudget", status={"currentHealthy": 1, "desiredHealthy": 2}), False),
    ],
)
def test_health(live: dict[str, Any], healthy: bool) -> None:
    assert ask(Health(live)) is healthy


def items(*statuses: Any) -> list[MemberStatus]:
    return [MemberStatus(f"m{index}", status) for index, status in enumerate(statuses, 1)]


def test_aggregate_deployments() -> None:
    template = obj(
        "apps/v1", "Deployment", metadata={"generation": 3}, status={"observedGeneration": 2, "conditions": [1]}
    )
    caught_up = {"generation": 1, "observedGeneration": 1, "resourceTemplateGeneration": 3}
    found = ask(
        Aggregate(template, items({"replicas": 2, "readyReplicas": 2, **caught_up}, {"replicas": 1, **caught_up}))
    )
    assert found == {"replicas": 3, "readyReplicas": 2, "observedGeneration": 3, "conditions": [1]}
    behind = {**caught_up, "resourceTemplateGeneration": 2}
    assert ask(Aggregate(template, items({**caught_up}, behind)))["observedGeneration"] == 2
    assert ask(Aggregate(template, items(caught_up, None)))["observedGeneration"] == 2


def test_aggregate_load_balancers() -> None:
    template = obj("v1", "Service", spec={"type": "LoadBalancer"})
    found = ask(
        Aggregate(
            template,
            items(
                {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "b.test"}]}},
                {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}, {"hostname": "a.test"}]}},
            ),
        )
    )
    assert found == {
        "loadBalancer": {
            "ingress": [{"hostname": "a.test"}, {"hostname": "b.test"}, {"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}]
        }
    }
    assert ask(Aggregate(obj("v1", "Service", spec={"type": "ClusterIP"}), items({}))) is None


def condition(type_: str) -> dict[str, str]:
    return {"type": type_, "status": "True"}


def test_aggregate_jobs() -> None:
    template = obj("batch/v1", "Job")
    done = {"succeeded": 1, "conditions": [condition("Complete")], "startTime": "2026-01-01T00:00:00Z"}
    half = ask(Aggregate(template, items(done, {"active": 1})))
    assert (half["succeeded"], half["active"], half.get("conditions"), half.get("startTime")) == (1, 1, None, None)
    whole = ask(Aggregate(template, items(done, {**done, "startTime": "2025-01-01T00:00:00Z"})))
    assert [entry["type"] for entry in whole["conditions"]] == ["Complete"]
    assert whole["startTime"] == "2025-01-01T00:00:00Z"
    failed = ask(Aggregate(template, items(done, {"failed": 1, "conditions": [condition("Failed")]})))
    assert failed["conditions"][0]["message"] == "Job executed failed in member clusters m2"
    finished = obj("batch/v1", "Job", status={"conditions": [condition("Complete")]})
    assert ask(Aggregate(finished, items(done))) is None


def test_aggregate_phases() -> None:
    assert ask(Aggregate(obj("v1", "Pod"), items({"phase": "Running"}, None)))["phase"] == "Pending"
    assert ask(Aggregate(obj("v1", "Pod"), items())) is None
    claim = obj("v1", "PersistentVolumeClaim")
    assert ask(Aggregate(claim, items({"phase": "Bound"}, {"phase": "Pending"}))) == {"phase": "Pending"}
    assert ask(Aggregate(claim, items({"phase": "Lost"}, {"phase": "Pending"}))) == {"phase": "Lost"}
    budget = ask(Aggregate(obj("policy/v1", "PodDisruptionBudget"), items({"disruptedPods": {"p": "t"}})))
    assert budget["disruptedPods"] == {"m1/p": "t"}
    assert native(Aggregate(obj("v1", "ConfigMap"), items({}))) is None


SERVER_OWNED = {
    "creationTimestamp": "t",
    "generation": 2,
    "managedFields": [],
    "resourceVersion": "1",
    "selfLink": "/",
    "uid": "u",
    "ownerReferences": [],
    "finalizers": ["f"],
    "deletionTimestamp": "t",
    "deletionGracePeriodSeconds": 1,
}
PRUNED = [
    (obj("v1", "ConfigMap", metadata=SERVER_OWNED, status={}), obj("v1", "ConfigMap")),
    (
        obj("apps/v1", "Deployment", metadata={"annotations": {"deployment.kubernetes.io/revision": "1", "a": "b"}}),
        obj("apps/v1", "Deployment", metadata={"annotations": {"a": "b"}}),
    ),
    (
        obj(
            "v1", "Service", spec={"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"nodePort": 30001}]}
        ),
        obj("v1", "Service", spec={"ports": [{"nodePort": 30001}]}),
    ),
    (
        obj("v1", "Service", spec={"clusterIP": "None", "clusterIPs": ["None"]}),
        obj("v1", "Service", spec={"clusterIP": "None", "clusterIPs": ["None"]}),
    ),
    (
        obj("v1", "ServiceAccount", secrets=[{"name": "x-token-abc"}, {"name": "other"}]),
        obj("v1", "ServiceAccount", secrets=[{"name": "other"}]),
    ),
    (
        obj(
            "batch/v1",
            "Job",
            spec={
                "ttlSecondsAfterFinished": 5,
                "selector": {"matchLabels": {"controller-uid": "u", "a": "b"}},
                "template": {"metadata": {"labels": {"job-name": "x", "a": "b"}}},
            },
        ),
        obj(
            "batch/v1",
            "Job",
            spec={"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}},
        ),
    ),
    (
        obj("batch/v1", "Job", spec={"manualSelector": True, "selector": {"matchLabels": {"controller-uid": "u"}}}),
        obj("batch/v1", "Job", spec={"manualSelector": True, "selector": {"matchLabels": {"controller-uid": "u"}}}),
    ),
    (
        obj(
            "v1",
            "Secret",
            type="kubernetes.io/service-account-token",
            data={"token": "x"},
            metadata={"annotations": {"kubernetes.io/service-account.uid": "u"}},
        ),
        obj("v1", "Secret", type="kubernetes.io/service-account-token", data=None, metadata={"annotations": {}}),
    ),
    (
        obj("v1", "PersistentVolumeClaim", metadata={"annotations": {"volume.kubernetes.io/selected-node": "n"}}),
        obj("v1", "PersistentVolumeClaim", metadata={"annotations": {}}),
    ),
]


@pytest.mark.parametrize(("template", "expected"), PRUNED)
def test_prune(template: dict[str, Any], expected: dict[str, Any]) -> None:
    assert prune(template) == expected
    assert prune(expected) == expected
