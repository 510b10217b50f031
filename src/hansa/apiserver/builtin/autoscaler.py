"""autoscaling HorizontalPodAutoscaler: v2 is stored, v1 is served too. And Scale, the body of `/scale`."""

from __future__ import annotations

from typing import Any

import msgspec

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.autoscaler_table import targets
from hansa.apiserver.builtin.cells import UNSET
from hansa.apiserver.builtin.checks import each, nonnegative, supported
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.rules import KindRules, WriteContext
from hansa.apiserver.builtin.workload import replicas_of, status_of
from hansa.base.field import FieldError, forbidden, invalid, not_supported, required
from hansa.base.names import path_segment

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CARRIED = (_METRICS, _CURRENT, _CONDITIONS, _BEHAVIOR)
_TYPES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_UP: list[Json] = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]
_DOWN: list[Json] = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


def _cpu(utilization: int) -> Json:
    target = {"type": "Utilization", "averageUtilization": utilization}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _default(obj: Json) -> None:
    spec: Json = obj["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [_cpu(80)]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    up: Json = behavior.setdefault("scaleUp", {})
    up.setdefault("stabilizationWindowSeconds", 0)
    down: Json = behavior.setdefault("scaleDown", {})
    for rules, policies in ((up, _UP), (down, _DOWN)):
        rules.setdefault("selectPolicy", "Max")
        if rules.get("policies") is None:
            rules["policies"] = [dict(policy) for policy in policies]


def _default_v1(obj: Json) -> None:
    obj["spec"].setdefault("minReplicas", 1)


def _checks(obj: Json) -> list[FieldError]:
    spec: Json = obj["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    metrics: list[Json] = spec.get("metrics") or []
    errors: list[FieldError] = []
    late: list[FieldError] = []  # what Kubernetes checks by declaration comes after the rest
    if low is not None and low < 0:
        late.append(invalid("spec.minReplicas", low, "must be greater than or equal to 0"))
    if high == 0:
        late.append(required("spec.maxReplicas"))
    elif high < 0:
        late.append(invalid("spec.maxReplicas", high, "must be greater than or equal to 1"))
    if low is not None and high < low:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    errors += _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for index, metric in enumerate(metrics):
        errors += _metric(metric, f"spec.metrics[{index}]")
    if low == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(forbidden("spec.metrics", text))
    behavior: Json = spec.get("behavior") or {}
    for field in ("scaleUp", "scaleDown"):
        if behavior.get(field) is not None:
            errors += _rules(behavior[field], f"spec.behavior.{field}")
    return errors + late


def _reference(reference: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("kind", "name"):
        value = reference.get(field, "")
        errors += each(f"{path}.{field}", value, path_segment(value)) if value else [required(f"{path}.{field}")]
    return errors


def _metric(metric: Json, path: str) -> list[FieldError]:
    type_ = metric.get("type", "")
    errors: list[FieldError] = []
    if not type_:
        errors.append(required(f"{path}.type", "must specify a metric source type"))
    errors += supported(type_, _TYPES, f"{path}.type")
    given = [field for field in _TYPES.values() if metric.get(field) is not None]
    wanted = _TYPES.get(type_)
    for field in given:
        errors += _source(metric[field], field, f"{path}.{field}") if field == wanted else []
    if wanted and wanted not in given:
        errors.append(required(f"{path}.{wanted}", "must populate information for the given metric source"))
    errors += [
        forbidden(f"{path}.{field}", "must populate the given metric source only") for field in given if field != wanted
    ]
    return errors


def _source(source: Json, field: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if field in ("resource", "containerResource"):
        if not source.get("name"):
            errors.append(required(f"{path}.name", "must specify a resource name"))
        if field == "containerResource" and not source.get("container"):
            errors.append(required(f"{path}.container", "must specify a container name"))
    elif not (source.get("metric") or {}).get("name"):
        errors.append(required(f"{path}.metric.name", "must specify a metric name"))
    target: Json = source.get("target") or {}
    if not target.get("type"):
        errors.append(required(f"{path}.target.type", "must specify a metric target type"))
    elif target["type"] not in ("Utilization", "Value", "AverageValue"):
        text = "must be either Utilization, Value, or AverageValue"
        errors.append(invalid(f"{path}.target.type", target["type"], text))
    if field == "pods" and target.get("averageValue") is None:
        text = "must specify a positive target averageValue"
        errors.append(required(f"{path}.target.averageValue", text))
    if field in ("resource", "containerResource"):
        utilization, average = target.get("averageUtilization"), target.get("averageValue")
        if utilization is not None and utilization < 1:
            errors.append(invalid(f"{path}.target.averageUtilization", utilization, "must be greater than 0"))
        if utilization is None and average is None:
            text = "must set either a target raw value or a target utilization"
            errors.append(required(f"{path}.target.averageUtilization", text))
        if utilization is not None and average is not None:
            text = "may not set both a target raw value and a target utilization"
            errors.append(forbidden(f"{path}.target.averageValue", text))
    return errors


def _rules(rules: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > 3600:
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be less than or equal to 3600"))
    if rules.get("selectPolicy") is not None:
        errors += supported(rules["selectPolicy"], ("Disabled", "Max", "Min"), f"{path}.selectPolicy")
    policies: list[Json] = rules.get("policies") or []
    if not policies:
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        here = f"{path}.policies[{index}]"
        if policy.get("type") not in ("Percent", "Pods"):
            errors.append(not_supported(f"{here}.type", policy.get("type", ""), ["Percent", "Pods"]))
        for field in ("value", "periodSeconds"):
            if policy.get(field, 0) <= 0:
                errors.append(invalid(f"{here}.{field}", policy.get(field, 0), "must be greater than zero"))
        if policy.get("periodSeconds", 0) > 1800:
            errors.append(
                invalid(f"{here}.periodSeconds", policy["periodSeconds"], "must be less than or equal to 1800")
            )
    return errors


def _status_checks(new: Json, old: Json) -> list[FieldError]:
    del old
    errors: list[FieldError] = []
    for field in ("currentReplicas", "desiredReplicas"):
        errors += nonnegative((new.get("status") or {}).get(field), f"status.{field}")
    return errors


def convert(obj: Json, gvk: GVK) -> Json:
    """v1 ↔ v2. What v1 cannot say travels in annotations, as in Kubernetes."""
    return _to_v2(obj) if gvk.version == "v2" else _to_v1(obj)


def _to_v2(obj: Json) -> Json:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict(obj["metadata"].get("annotations") or {})
    utilization = spec.pop("targetCPUUtilizationPercentage", None)
    metrics: list[Any] = _decoded(annotations.get(_METRICS)) or []
    if utilization is not None:
        metrics = [_cpu(utilization), *metrics]
    elif not metrics:
        metrics = [_cpu(80)]
    spec["metrics"] = metrics
    if annotations.get(_BEHAVIOR):
        spec["behavior"] = _decoded(annotations[_BEHAVIOR])
    current = status.pop("currentCPUUtilizationPercentage", None)
    shown: list[Any] = _decoded(annotations.get(_CURRENT)) or []
    if current is not None:
        cpu = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": current}}}
        shown = [cpu, *shown]
    status["currentMetrics"] = shown or None
    if annotations.get(_CONDITIONS):
        status["conditions"] = _decoded(annotations[_CONDITIONS])
    status.setdefault("desiredReplicas", 0)
    kept = {key: value for key, value in annotations.items() if key not in _CARRIED}
    return _rebuilt(obj, "autoscaling/v2", kept, spec, status)


def _to_v1(obj: Json) -> Json:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict(obj["metadata"].get("annotations") or {})
    others: list[Json] = []
    for metric in spec.pop("metrics", None) or ():
        resource: Json = metric.get("resource") or {}
        utilization = (resource.get("target") or {}).get("averageUtilization")
        simple = metric.get("type") == "Resource" and resource.get("name") == "cpu" and utilization is not None
        if simple and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = utilization
        else:
            others.append(metric)
    behavior = spec.pop("behavior", None)
    currents: list[Json] = []
    for metric in status.pop("currentMetrics", None) or ():
        resource = metric.get("resource") or {}
        utilization = (resource.get("current") or {}).get("averageUtilization")
        if (
            resource.get("name") == "cpu"
            and utilization is not None
            and "currentCPUUtilizationPercentage" not in status
        ):
            status["currentCPUUtilizationPercentage"] = utilization
        else:
            currents.append(metric)
    conditions = status.pop("conditions", None)
    for key, value in ((_METRICS, others), (_BEHAVIOR, behavior), (_CURRENT, currents), (_CONDITIONS, conditions)):
        if value:
            annotations[key] = msgspec.json.encode(value).decode()
    return _rebuilt(obj, "autoscaling/v1", annotations, spec, status)


def _rebuilt(obj: Json, version: str, annotations: Json, spec: Json, status: Json) -> Json:
    meta = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    if annotations:
        meta["annotations"] = annotations
    return {**obj, "apiVersion": version, "metadata": meta, "spec": spec, "status": status}


def _decoded(text: str | None) -> Any:
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def _create_v1(obj: Json, context: WriteContext) -> None:
    del context
    obj["metadata"]["generation"] = 1
    obj["status"] = {"currentReplicas": 0, "desiredReplicas": 0}


def _validate_v1(obj: Json) -> list[FieldError]:
    return RULES[_V2].validate_create(_to_v2(obj))


def _validate_v1_update(new: Json, old: Json, subresource: str) -> list[FieldError]:
    return RULES[_V2].validate_update(_to_v2(new), _to_v2(old), subresource)


def _scale_checks(obj: Json) -> list[FieldError]:
    return nonnegative((obj.get("spec") or {}).get("replicas"), "spec.replicas")


_V2 = GVK("autoscaling", "v2", "HorizontalPodAutoscaler")
_V1 = GVK("autoscaling", "v1", "HorizontalPodAutoscaler")
_SCALE = GVK("autoscaling", "v1", "Scale")
_COLUMNS = (
    NAME,
    column(
        "Reference",
        lambda o: f"{o['spec']['scaleTargetRef'].get('kind', '')}/{o['spec']['scaleTargetRef'].get('name', '')}",
    ),
    column("Targets", targets),
    column("MinPods", lambda o: str(o["spec"]["minReplicas"]) if o["spec"].get("minReplicas") is not None else UNSET),
    column("MaxPods", lambda o: o["spec"].get("maxReplicas", 0)),
    column("Replicas", lambda o: status_of(o, "currentReplicas")),
    CREATED,
)
_V1_COLUMNS = (
    *_COLUMNS[:2],
    column("Targets", lambda o: targets(_to_v2(o))),
    *_COLUMNS[3:],
)
RULES: dict[GVK, KindRules] = {
    _V2: make(
        _V2,
        defaults=_default,
        checks=_checks,
        status_checks=_status_checks,
        status=True,
        empty_status={"desiredReplicas": 0, "currentMetrics": None},
        counted=("spec",),
        columns=_COLUMNS,
    ),
    _V1: make(
        _V1,
        defaults=_default_v1,
        status=True,
        counted=("spec",),
        columns=_V1_COLUMNS,
        prepare_create=_create_v1,
        validate_create=_validate_v1,
        validate_update=_validate_v1_update,
    ),
    _SCALE: make(
        _SCALE,
        checks=_scale_checks,
        columns=(
            NAME,
            column("Desired", replicas_of, "integer"),
            column("Available", lambda o: status_of(o, "replicas"), "integer"),
            CREATED,
        ),
    ),
}
