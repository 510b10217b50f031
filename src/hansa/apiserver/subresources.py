"""Subresources with a body of their own: scale, binding of pods, finalize of namespaces, tokens of ServiceAccounts."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver import faults
from hansa.apiserver.context import Call
from hansa.base.field import FieldError, invalid
from hansa.base.jsonpath import find
from hansa.base.selector import SelectorError, labels_of

_WITH_OWN_KIND = frozenset({"scale", "token", "eviction", "binding"})


class _Expression:
    def __init__(self, expression: Json) -> None:
        self.key: str = expression.get("key", "")
        self.operator: str = expression.get("operator", "")
        self.values: list[str] = expression.get("values") or []


def kind_of(call: Call) -> GVK:
    """The kind of the object in the body."""
    name = call.target.subresource
    sub = call.served.subresources.get(name)
    return sub.gvk if sub is not None and name in _WITH_OWN_KIND else call.gvk


def scale_of(call: Call, obj: Json) -> Json:
    """The autoscaling/v1 Scale of a workload, or of a custom resource by the paths of its definition."""
    meta = obj["metadata"]
    replicas, current, selector = _scale_values(call, obj)
    status: Json = {"replicas": current}
    if selector:
        status["selector"] = selector
    kept = {
        key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta
    }
    spec: Json = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept, "spec": spec, "status": status}


def set_scale(call: Call, obj: Json, scale: Json) -> Json:
    """The object with the replicas of a Scale."""
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    errors: list[FieldError] = []
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise faults.bad_request("spec.replicas must be an integer")
    if replicas < 0:
        errors.append(invalid("spec.replicas", replicas, "must be greater than or equal to 0"))
    if errors:
        gvk = GVK("autoscaling", "v1", "Scale")
        raise faults.invalid(gvk, call.target.name, errors)
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version and version != obj["metadata"]["resourceVersion"]:
        raise faults.modified(call.served.resource, call.target.name)
    _set_path(obj, _paths(call)[0], replicas)
    return obj


def _paths(call: Call) -> tuple[str, str, str]:
    custom = call.served.custom
    if custom is None:
        return (".spec.replicas", ".status.replicas", "")
    if custom.scale is None:
        raise faults.no_such_resource()
    scale = custom.scale
    return (scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", ""))


def _scale_values(call: Call, obj: Json) -> tuple[int, int, str]:
    spec_path, status_path, selector_path = _paths(call)

    def first(path: str) -> Any:
        found = find(path, obj) if path else []
        return found[0] if found else None

    if call.served.custom is not None:
        return first(spec_path) or 0, first(status_path) or 0, first(selector_path) or ""
    selector = (obj.get("spec") or {}).get("selector") or {}
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        text = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    else:
        try:
            expressions = [_Expression(e) for e in selector.get("matchExpressions") or ()]
            text = str(labels_of(selector.get("matchLabels"), expressions))
        except SelectorError:
            text = ""
    return first(spec_path) or 0, first(status_path) or 0, text


def _set_path(obj: Json, path: str, value: Any) -> None:
    *parents, last = [part for part in path.split(".") if part]
    node = obj
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = value


def bind_pod(pod: Json, binding: Json) -> Json:
    """The pod on the node that a Binding names (pods/binding)."""
    node = (binding.get("target") or {}).get("name", "")
    spec = pod["spec"]
    if spec.get("nodeName"):
        text = f'pod {pod["metadata"]["name"]} is already assigned to node "{spec["nodeName"]}"'
        raise faults.Fault(409, "Conflict", text)
    spec["nodeName"] = node
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    conditions[:] = [c for c in conditions if c.get("type") != "PodScheduled"]
    conditions.append({"type": "PodScheduled", "status": "True"})
    return pod


def finalize_namespace(namespace: Json, body: Json) -> Json:
    """The namespace with the finalizers of the body (namespaces/finalize)."""
    finalizers = (body.get("spec") or {}).get("finalizers")
    if finalizers:
        namespace["spec"] = {**(namespace.get("spec") or {}), "finalizers": finalizers}
    else:
        namespace["spec"] = {key: v for key, v in (namespace.get("spec") or {}).items() if key != "finalizers"}
    return namespace
