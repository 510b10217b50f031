"""What each kind depends on, as Karmada's native interpreter finds it."""

from __future__ import annotations

from typing import Any

import pytest

from hansa.interpret.error import InterpretError
from hansa.interpret.native import native
from hansa.interpret.question import Dependencies

META = {"name": "x", "namespace": "ns"}
VOLUMES = [
    {"configMap": {"name": "cm-volume"}},
    {"secret": {"secretName": "s-volume"}},
    {"azureFile": {"secretName": "s-azure"}},
    {"cephfs": {"secretRef": {"name": "s-cephfs"}}},
    {"cinder": {"secretRef": {"name": "s-cinder"}}},
    {"flexVolume": {"secretRef": {"name": "s-flex"}}},
    {"rbd": {"secretRef": {"name": "s-rbd"}}},
    {"scaleIO": {"secretRef": {"name": "s-scaleio"}}},
    {"iscsi": {"secretRef": {"name": "s-iscsi"}}},
    {"storageos": {"secretRef": {"name": "s-storageos"}}},
    {"csi": {"nodePublishSecretRef": {"name": "s-csi"}}},
    {"projected": {"sources": [{"configMap": {"name": "cm-projected"}}, {"secret": {"name": "s-projected"}}]}},
    {"persistentVolumeClaim": {"claimName": "data"}},
    {"emptyDir": {}},
]
CONTAINER = {
    "envFrom": [{"configMapRef": {"name": "cm-from"}}, {"secretRef": {"name": "s-from"}}],
    "env": [
        {"name": "a", "valueFrom": {"configMapKeyRef": {"name": "cm-key", "key": "k"}}},
        {"name": "b", "valueFrom": {"secretKeyRef": {"name": "s-key", "key": "k"}}},
        {"name": "c", "value": "plain"},
        {"name": "d", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
}
POD = {
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "s-pull"}, {"name": "s-key"}],
    "volumes": VOLUMES,
    "containers": [CONTAINER],
    "initContainers": [{"envFrom": [{"configMapRef": {"name": "cm-init"}}]}],
    "ephemeralContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "s-ephemeral"}}}]}],
}
NAMES = {
    "ConfigMap": ["cm-from", "cm-init", "cm-key", "cm-projected", "cm-volume"],
    "PersistentVolumeClaim": ["data"],
    "Secret": sorted(
        f"s-{stem}"
        for stem in (
            *("azure", "cephfs", "cinder", "csi", "ephemeral", "flex", "from", "iscsi", "key", "projected", "pull"),
            *("rbd", "scaleio", "storageos", "volume"),
        )
    ),
    "ServiceAccount": ["robot"],
}
EVERYTHING = [
    {"apiVersion": "v1", "kind": kind, "namespace": "ns", "name": name}
    for kind in sorted(NAMES)
    for name in NAMES[kind]
]


def dependencies(api_version: str, kind: str, spec: Any) -> Any:
    answer = native(Dependencies({"apiVersion": api_version, "kind": kind, "metadata": META, "spec": spec}))
    return answer.value if answer is not None else None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("api_version", "kind", "spec"),
    [
        *(
            ("apps/v1", kind, {"template": {"spec": POD}})
            for kind in ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet")
        ),
        ("batch/v1", "Job", {"template": {"spec": POD}}),
        ("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": {"spec": POD}}}}),
        ("v1", "Pod", POD),
    ],
)
def test_all_that_a_pod_refers_to_once_and_in_order(api_version: str, kind: str, spec: Any) -> None:
    assert dependencies(api_version, kind, spec) == EVERYTHING


def test_a_stateful_sets_own_claims_are_no_dependencies() -> None:
    spec = {"template": {"spec": POD}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    found = dependencies("apps/v1", "StatefulSet", spec)
    assert found == [entry for entry in EVERYTHING if entry["kind"] != "PersistentVolumeClaim"]


@pytest.mark.parametrize("name", ["default", "", None])
def test_the_default_account_is_no_dependency(name: str | None) -> None:
    assert dependencies("v1", "Pod", {"serviceAccountName": name}) == []


def test_an_ingress_depends_on_its_certificates() -> None:
    found = dependencies("networking.k8s.io/v1", "Ingress", {"tls": [{"secretName": "b"}, {"secretName": "a"}]})
    assert [entry["name"] for entry in found] == ["a", "b"]
    with pytest.raises(InterpretError, match=r"spec\.tls\[0\]\.secretName is empty"):
        dependencies("networking.k8s.io/v1", "Ingress", {"tls": [{"hosts": ["x"]}]})


def test_a_service_import_depends_on_the_derived_service_and_its_slices() -> None:
    assert dependencies("multicluster.x-k8s.io/v1alpha1", "ServiceImport", {}) == [
        {"apiVersion": "v1", "kind": "Service", "namespace": "ns", "name": "derived-x"},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "namespace": "ns",
            "labelSelector": {"matchLabels": {"kubernetes.io/service-name": "derived-x"}},
        },
    ]


def test_other_kinds_have_no_such_meaning() -> None:
    assert dependencies("v1", "ConfigMap", {}) is None
