"""Which rules a kind has. Modules of kinds are imported when one of their kinds is first asked for."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin import fallback
from hansa.apiserver.builtin.rules import KindRules

_MODULES: dict[str, str] = {
    "apps/Deployment": "deployment",
    "apps/ReplicaSet": "replicaset",
    "/ReplicationController": "replicaset",
    "apps/StatefulSet": "statefulset",
    "apps/ControllerRevision": "statefulset",
    "apps/DaemonSet": "daemonset",
    "batch/Job": "job",
    "batch/CronJob": "cronjob",
    "/Pod": "pod",
    "/PodTemplate": "pod",
    "/Service": "service",
    "/ConfigMap": "configuration",
    "/Secret": "configuration",
    "/ServiceAccount": "configuration",
    "/Namespace": "configuration",
    "/Endpoints": "endpoints",
    "discovery.k8s.io/EndpointSlice": "endpoints",
    "/PersistentVolume": "persistentvolumeclaim",
    "/PersistentVolumeClaim": "persistentvolumeclaim",
    "storage.k8s.io/StorageClass": "persistentvolumeclaim",
    "rbac.authorization.k8s.io/Role": "access",
    "rbac.authorization.k8s.io/ClusterRole": "access",
    "rbac.authorization.k8s.io/RoleBinding": "access",
    "rbac.authorization.k8s.io/ClusterRoleBinding": "access",
    "networking.k8s.io/Ingress": "networking",
    "networking.k8s.io/IngressClass": "networking",
    "networking.k8s.io/NetworkPolicy": "networking",
    "policy/PodDisruptionBudget": "disruption",
    "autoscaling/HorizontalPodAutoscaler": "autoscaler",
    "autoscaling/Scale": "autoscaler",
    "/Node": "node",
    "/LimitRange": "limits",
    "/ResourceQuota": "limits",
    "scheduling.k8s.io/PriorityClass": "limits",
    "coordination.k8s.io/Lease": "lease",
    "certificates.k8s.io/CertificateSigningRequest": "certificates",
    "apiextensions.k8s.io/CustomResourceDefinition": "definition",
    "/Event": "event",
    "events.k8s.io/Event": "event",
    "admissionregistration.k8s.io/MutatingWebhookConfiguration": "webhooks",
    "admissionregistration.k8s.io/ValidatingWebhookConfiguration": "webhooks",
}
"""group/Kind -> module beneath this package that has `RULES: dict[GVK, KindRules]`."""


@lru_cache(maxsize=4096)
def rules_for(gvk: GVK) -> KindRules:
    """Rules of a kind; those of every object where it has none of its own."""
    name = _MODULES.get(f"{gvk.group}/{gvk.kind}")
    if name is None:
        return fallback.rules(gvk)
    module = import_module(f"hansa.apiserver.builtin.{name}")
    found: KindRules | None = module.RULES.get(gvk)
    return found or fallback.rules(gvk)


_STORED = {
    GVK("autoscaling", "v1", "HorizontalPodAutoscaler"): GVK("autoscaling", "v2", "HorizontalPodAutoscaler"),
    GVK("events.k8s.io", "v1", "Event"): GVK("", "v1", "Event"),
}


def storage_gvk(gvk: GVK) -> GVK:
    """The version in which the kind is stored; the same for most. Differs in group for events.k8s.io."""
    return _STORED.get(gvk, gvk)


def to_storage(obj: Json) -> Json:
    """A served object in its storage form (the same object where the two are one)."""
    gvk = GVK.of(obj.get("apiVersion", ""), obj.get("kind", ""))
    return obj if gvk not in _STORED else _convert(obj, _STORED[gvk])


def to_version(obj: Json, gvk: GVK) -> Json:
    """A stored object in a served version (the same object where the two are one)."""
    if obj.get("apiVersion") == gvk.api_version:
        return obj
    return _convert(obj, gvk)


def _convert(obj: Json, gvk: GVK) -> Json:
    if gvk.kind == "Event":
        from hansa.apiserver.builtin import event

        return event.convert(obj, gvk)
    from hansa.apiserver.builtin import autoscaler

    return autoscaler.convert(obj, gvk)
