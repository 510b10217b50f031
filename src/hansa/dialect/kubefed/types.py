"""Federated types: what is federated as what, and the objects that make a hub serve it.

Each type is a FederatedTypeConfig and the CustomResourceDefinition of its federated kind. The configuration of
Namespace is special: its target belongs to the cluster, its federated kind lives in the namespace that it federates.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hansa.api import names
from hansa.api.crd import federated_crd
from hansa.api.meta import Json, Resource

GROUP = "types.kubefed.io"
VERSION = "v1beta1"
NAMESPACES_TYPE = "namespaces"
"""Name of the FederatedTypeConfig without which no namespaced type can work."""


class FederatedType(NamedTuple):
    """One FederatedTypeConfig, read with KubeFed's defaults."""

    name: str
    target: Resource
    federated: Resource
    enabled: bool
    collects_status: bool

    @property
    def federates_namespaces(self) -> bool:
        return self.name == NAMESPACES_TYPE

    @property
    def within_namespace(self) -> bool:
        """Whether placement is bounded by the FederatedNamespace."""
        return self.target.namespaced and not self.federates_namespaces


class NativeType(NamedTuple):
    """A kind that Kubernetes itself serves. `scales`: its schema has an integer `spec.replicas`."""

    target: Resource
    short_names: tuple[str, ...] = ()
    scales: bool = False


class Enablement(NamedTuple):
    """What `enable` writes for one type, in this order."""

    crd: Json
    type_config: Json


def plural_of(kind: str) -> str:
    """The plural that KubeFed gives a kind: `Ingress` → `ingresses`, `NetworkPolicy` → `networkpolicies`."""
    word = kind.lower()
    if word.endswith(("s", "x", "ch", "sh", "z", "o")):
        return word + "es"
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + "s"


def federated_resource(target: Resource, group: str = GROUP, version: str = VERSION) -> Resource:
    """The federated kind of `target`."""
    namespaced = target.namespaced or type_name(target) == NAMESPACES_TYPE
    return Resource(group, version, f"federated{target.plural}", f"Federated{target.kind}", namespaced)


def type_name(target: Resource) -> str:
    """Name of the FederatedTypeConfig: `deployments.apps`, `configmaps`."""
    return target.group_resource


def enablement(
    target: Resource,
    short_names: tuple[str, ...] = (),
    *,
    scales: bool = False,
    namespace: str = names.KUBEFED_NAMESPACE,
) -> Enablement:
    """The objects that federate `target`. `namespace` is that of the KubeFed control plane."""
    return Enablement(federated_crd(target, short_names, scales), type_config(target, namespace=namespace))


def type_config(target: Resource, *, namespace: str = names.KUBEFED_NAMESPACE) -> Json:
    """The FederatedTypeConfig that federates `target`."""
    return {
        "apiVersion": "core.kubefed.io/v1beta1",
        "kind": "FederatedTypeConfig",
        "metadata": {"name": type_name(target), "namespace": namespace},
        "spec": {
            "federatedType": _api_resource(federated_resource(target)),
            "propagation": "Enabled",
            "targetType": _api_resource(target),
        },
    }


def federated_type(config: Json) -> FederatedType:
    """Read a FederatedTypeConfig; what it leaves out follows from its name and kinds."""
    name = str(config.get("metadata", {}).get("name", ""))
    spec = _dict(config.get("spec"))
    plural, _, group = name.partition(".")
    target = _dict(spec.get("targetType"))
    federated = _dict(spec.get("federatedType"))
    kind = str(federated.get("kind") or "")
    return FederatedType(
        name=name,
        target=Resource(
            str(target.get("group") or group),
            str(target.get("version") or ""),
            str(target.get("pluralName") or plural),
            str(target.get("kind") or ""),
            target.get("scope") == "Namespaced",
        ),
        federated=Resource(
            str(federated.get("group") or ""),
            str(federated.get("version") or ""),
            str(federated.get("pluralName") or plural_of(kind)),
            kind,
            federated.get("scope") == "Namespaced" or name == NAMESPACES_TYPE,
        ),
        enabled=spec.get("propagation") == "Enabled",
        collects_status=spec.get("statusCollection") == "Enabled",
    )


def _api_resource(resource: Resource) -> Json:
    described: Json = {
        "kind": resource.kind,
        "pluralName": resource.plural,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "version": resource.version,
    }
    if resource.group:
        described["group"] = resource.group
    return described


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _native(
    group: str, version: str, plural: str, kind: str, *short_names: str, namespaced: bool = True, scales: bool = False
) -> NativeType:
    return NativeType(Resource(group, version, plural, kind, namespaced), short_names, scales)


DEFAULT_TYPES: tuple[NativeType, ...] = (
    _native("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    _native("", "v1", "configmaps", "ConfigMap", "cm"),
    _native("apps", "v1", "deployments", "Deployment", "deploy", scales=True),
    _native("networking.k8s.io", "v1", "ingresses", "Ingress", "ing"),
    _native("batch", "v1", "jobs", "Job"),
    _native("", "v1", "namespaces", "Namespace", "ns", namespaced=False),
    _native("apps", "v1", "replicasets", "ReplicaSet", "rs", scales=True),
    _native("", "v1", "secrets", "Secret"),
    _native("", "v1", "serviceaccounts", "ServiceAccount", "sa"),
    _native("", "v1", "services", "Service", "svc"),
)
"""The types that a KubeFed installation federates from the start."""

NATIVE_TYPES: tuple[NativeType, ...] = (
    *DEFAULT_TYPES,
    _native("", "v1", "endpoints", "Endpoints", "ep"),
    _native("", "v1", "limitranges", "LimitRange", "limits"),
    _native("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc"),
    _native("", "v1", "persistentvolumes", "PersistentVolume", "pv", namespaced=False),
    _native("", "v1", "pods", "Pod", "po"),
    _native("", "v1", "podtemplates", "PodTemplate"),
    _native("", "v1", "replicationcontrollers", "ReplicationController", "rc", scales=True),
    _native("", "v1", "resourcequotas", "ResourceQuota", "quota"),
    _native("apps", "v1", "controllerrevisions", "ControllerRevision"),
    _native("apps", "v1", "daemonsets", "DaemonSet", "ds"),
    _native("apps", "v1", "statefulsets", "StatefulSet", "sts", scales=True),
    _native("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa"),
    _native("batch", "v1", "cronjobs", "CronJob", "cj"),
    _native("coordination.k8s.io", "v1", "leases", "Lease"),
    _native("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    _native("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False),
    _native("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol"),
    _native("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", namespaced=False),
    _native("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb"),
    _native("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    _native("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    _native("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    _native("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", namespaced=False),
    _native("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", namespaced=False),
    _native(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        namespaced=False,
    ),
    _native(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        namespaced=False,
    ),
    _native(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd",
        "crds",
        namespaced=False,
    ),
)
"""Every kind of Kubernetes that makes sense in more than one cluster."""


def enablements(types: tuple[NativeType, ...], *, namespace: str = names.KUBEFED_NAMESPACE) -> list[Enablement]:
    """What to write for each of several types."""
    return [
        enablement(native.target, native.short_names, scales=native.scales, namespace=namespace) for native in types
    ]


def native_type(word: str) -> NativeType | None:
    """The native type that a user means: kind, plural, short name, or plural with group; letter case is ignored."""
    wanted = word.lower()
    for native in NATIVE_TYPES:
        target = native.target
        if wanted in {target.kind.lower(), target.plural, target.group_resource, *native.short_names}:
            return native
    return None
