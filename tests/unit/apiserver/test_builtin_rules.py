"""Parts of the rules that single objects do not show: versions, the shape of values, cells, speed of nothing."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin import WriteContext, rules_for, storage_gvk, to_storage, to_version
from hansa.apiserver.builtin.cells import human_duration
from hansa.apiserver.builtin.cronjob import schedule_fault
from hansa.apiserver.builtin.pod_defaults import pull_policy
from hansa.apiserver.builtin.pod_table import summary
from hansa.apiserver.builtin.shape import ShapeError, shaper
from hansa.apiserver.message import UserInfo

NOW = datetime(2026, 1, 2, tzinfo=UTC)
V1 = GVK("autoscaling", "v1", "HorizontalPodAutoscaler")
V2 = GVK("autoscaling", "v2", "HorizontalPodAutoscaler")


def scaler(**spec: Any) -> Json:
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "d"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"}, **spec},
    }


def test_autoscalers_are_stored_as_v2_and_read_as_both() -> None:
    assert storage_gvk(V1) == V2
    stored = to_storage(scaler(targetCPUUtilizationPercentage=70))
    assert stored["apiVersion"] == "autoscaling/v2"
    assert stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 5}},
    }
    stored["spec"]["metrics"].append(memory)
    stored["spec"]["behavior"] = {"scaleUp": {"selectPolicy": "Max"}}
    read = to_version(stored, V1)
    assert read["spec"]["targetCPUUtilizationPercentage"] == 70
    assert set(read["metadata"]["annotations"]) == {
        "autoscaling.alpha.kubernetes.io/metrics",
        "autoscaling.alpha.kubernetes.io/behavior",
    }
    again = to_storage(read)
    assert again["spec"] == stored["spec"]
    assert "annotations" not in again["metadata"]
    assert to_version(stored, V2) is stored


def test_old_autoscalers_are_checked_as_new_ones() -> None:
    rules = rules_for(V1)
    obj = scaler(maxReplicas=0)
    rules.default(obj)
    rules.prepare_create(obj, WriteContext(NOW, UserInfo("a")))
    assert [error.detail for error in rules.validate_create(obj)] == [
        "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        "spec.maxReplicas: Required value",
    ]


def test_events_are_one_kind_under_two_names() -> None:
    new = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "d"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "d"},
        "note": "hello",
        "reportingController": "c",
        "deprecatedCount": 2,
    }
    stored = to_storage(new)
    assert stored["apiVersion"] == "v1"
    assert (stored["message"], stored["count"], stored["reportingComponent"]) == ("hello", 2, "c")
    assert to_version(stored, GVK("events.k8s.io", "v1", "Event")) == new
    fields = rules_for(GVK("", "v1", "Event")).selectable_fields(stored)
    assert (fields["involvedObject.name"], fields["source"]) == ("p", "c")


def test_unknown_kinds_have_the_rules_of_all() -> None:
    rules = rules_for(GVK("example.com", "v1", "Thing"))
    obj: Json = {"metadata": {"name": "UP", "finalizers": ["x"]}, "spec": {"a": None}}
    rules.default(obj)
    assert obj["spec"] == {"a": None}
    assert [error.field for error in rules.validate_create(obj)] == ["metadata.name"]
    assert [column.name for column in rules.columns] == ["Name", "Created At"]


def test_reading_twice_changes_nothing() -> None:
    rules = rules_for(GVK("apps", "v1", "Deployment"))
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    obj: Json = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    rules.default(obj)
    once = copy.deepcopy(obj)
    rules.default(obj)
    assert obj == once


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"replicas": "x"},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"replicas": 1.5},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"replicas": 1 << 40},
            f"json: cannot unmarshal number {1 << 40} into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ({"paused": 1}, "json: cannot unmarshal number into Go struct field DeploymentSpec.spec.paused of type bool"),
        (
            {"template": []},
            "json: cannot unmarshal array into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec",
        ),
    ],
)
def test_values_of_the_wrong_type(value: Json, text: str) -> None:
    shape = shaper(GVK("apps", "v1", "Deployment"))
    assert shape is not None
    with pytest.raises(ShapeError) as error:
        shape({"metadata": {"name": "d"}, "spec": value})
    assert str(error.value) == text


def test_fields_that_the_kind_does_not_have_vanish() -> None:
    shape = shaper(GVK("", "v1", "ConfigMap"))
    assert shape is not None
    obj: Json = {"metadata": {"name": "c", "foo": 1}, "data": {"a": "b"}, "spec": {}, "binaryData": {}}
    shape(obj)
    assert obj == {"metadata": {"name": "c"}, "data": {"a": "b"}}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("reg.io:5000/a/b", "Always"),
        ("reg.io:5000/a/b:1", "IfNotPresent"),
        ("a@sha256:" + "0" * 64, "IfNotPresent"),
        ("a:latest@sha256:" + "0" * 64, "Always"),
        ("Not An Image", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 120, "3h2m"),
        (9 * 3600 + 120, "9h"),
        (49 * 3600, "2d1h"),
        (200 * 3600, "8d"),
        (3 * 365 * 86400 + 5 * 86400, "3y5d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            },
            "CrashLoopBackOff",
        ),
        (
            {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 3}}}]},
            "ExitCode:3",
        ),
        ({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]}, "Init:0/1"),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}],
            },
            "Init:Error",
        ),
    ],
)
def test_the_status_of_a_pod_at_a_glance(status: Json, shown: str) -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]},
        "status": status,
    }
    assert summary(pod).reason == shown


def test_a_pod_that_goes_is_terminating() -> None:
    pod: Json = {"metadata": {"deletionTimestamp": "x"}, "spec": {}, "status": {"phase": "Running"}}
    assert summary(pod).reason == "Terminating"


@pytest.mark.parametrize("schedule", ["* * * * *", "*/5 0-3 1,2 jan-mar sun", "@daily", "@every 1h30m", "0 0 ? * 5/1"])
def test_good_schedules(schedule: str) -> None:
    assert schedule_fault(schedule) is None


def test_graceful_deletion_of_pods() -> None:
    graceful = rules_for(GVK("", "v1", "Pod")).graceful
    assert graceful is not None
    running: Json = {"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30}, "status": {"phase": "Running"}}
    assert graceful(running, None) == 30
    assert graceful(running, 0) == 0
    assert graceful({**running, "status": {"phase": "Failed"}}, None) == 0
    assert graceful({**running, "spec": {}}, 5) == 0
