"""Objects that scenarios are made of. Extra keywords go into the spec, as they are."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from hansa.api import scheme
from hansa.api.meta import Json, Resource

CONFIG_MAPS = scheme.CONFIGMAPS
SERVICES = scheme.SERVICES
PODS = scheme.PODS
SERVICE_ACCOUNTS = scheme.SERVICE_ACCOUNTS
CLAIMS = scheme.PERSISTENT_VOLUME_CLAIMS
DEPLOYMENTS = scheme.DEPLOYMENTS
STATEFUL_SETS = scheme.STATEFUL_SETS
DAEMON_SETS = scheme.DAEMON_SETS
JOBS = scheme.JOBS
ROLES = scheme.ROLES
ROLE_BINDINGS = scheme.ROLE_BINDINGS
CLUSTER_ROLES = scheme.CLUSTER_ROLES
CLUSTER_ROLE_BINDINGS = scheme.CLUSTER_ROLE_BINDINGS
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress", True)
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True)

IMAGE = "nginx:1.19.0"


def metadata(
    name: str,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Json:
    found: Json = {"name": name}
    if namespace is not None:
        found["namespace"] = namespace
    if labels:
        found["labels"] = dict(labels)
    if annotations:
        found["annotations"] = dict(annotations)
    return found


def pod_template(app: str, image: str = IMAGE, **spec: Any) -> Json:
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "containers": [{"name": "nginx", "image": image, "resources": {"limits": {"cpu": "10m"}}}],
            "terminationGracePeriodSeconds": 0,
            **spec,
        },
    }


def deployment(
    name: str,
    namespace: str,
    *,
    replicas: int = 3,
    image: str = IMAGE,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    pod: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """`pod` is merged into the spec of its pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, namespace, labels, annotations),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, image, **(pod or {})),
            **spec,
        },
    }


def config_map(
    name: str,
    namespace: str,
    data: Mapping[str, str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(name, namespace, labels, annotations),
        "data": dict(data or {"user": "karmada"}),
    }


def secret(name: str, namespace: str, data: Mapping[str, str] | None = None) -> Json:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in (data or {"user": "karmada"}).items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(name, namespace), "data": encoded}


def service(name: str, namespace: str, *, kind: str = "ClusterIP", port: int = 80, app: str = "nginx") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace),
        "spec": {
            "type": kind,
            "selector": {"app": app},
            "ports": [{"name": "web", "protocol": "TCP", "port": port, "targetPort": 8080}],
        },
    }


def crd(group: str, kind: str, plural: str, *, scope: str = "Namespaced") -> Json:
    """Anything goes into its objects; they have a status subresource."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": "v1alpha1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    },
                }
            ],
        },
    }


def selects(obj: Json) -> Json:
    """A resource selector for exactly that object."""
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"]}


def policy(
    name: str,
    namespace: str | None,
    selectors: Sequence[Json],
    *,
    clusters: Sequence[str] | None = None,
    placement: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A PropagationPolicy, or without a namespace a ClusterPropagationPolicy."""
    where = dict(placement or {})
    if clusters is not None:
        where["clusterAffinity"] = {"clusterNames": list(clusters)}
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy" if namespace is not None else "ClusterPropagationPolicy",
        "metadata": metadata(name, namespace),
        "spec": {"resourceSelectors": list(selectors), "placement": where, **spec},
    }


def override_policy(
    name: str, namespace: str | None, selectors: Sequence[Json] | None, rules: Sequence[Json], **spec: Any
) -> Json:
    """An OverridePolicy, or without a namespace a ClusterOverridePolicy. None of selectors selects everything."""
    selected = {} if selectors is None else {"resourceSelectors": list(selectors)}
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy" if namespace is not None else "ClusterOverridePolicy",
        "metadata": metadata(name, namespace),
        "spec": {**selected, "overrideRules": list(rules), **spec},
    }
