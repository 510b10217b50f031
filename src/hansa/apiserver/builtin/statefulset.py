"""apps/v1 StatefulSet and ControllerRevision."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.checks import (
    at_most_100_percent,
    empty_selector,
    immutable,
    int_or_percent,
    label,
    label_selector,
    nonnegative,
    supported,
)
from hansa.apiserver.builtin.checks import labels as label_checks
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import label_name, validate_annotations
from hansa.apiserver.builtin.persistentvolumeclaim import default_claim, validate_claim_spec
from hansa.apiserver.builtin.pod_checks import validate_template
from hansa.apiserver.builtin.pod_defaults import default_template
from hansa.apiserver.builtin.selectors import selects
from hansa.apiserver.builtin.shape import internal
from hansa.apiserver.builtin.workload import (
    always_restarts,
    amount,
    replicas_of,
    status_counts,
    status_of,
    template_columns,
)
from hansa.base.field import FieldError, invalid, required

_COUNTS = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
_FIXED = ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy")


def _default(obj: Json) -> None:
    spec = obj["spec"]
    if "podManagementPolicy" not in spec:
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = spec["updateStrategy"]
    if "type" not in strategy:
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
        strategy["rollingUpdate"].setdefault("maxUnavailable", 1)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    if "replicas" not in spec:
        spec["replicas"] = 1
    if "revisionHistoryLimit" not in spec:
        spec["revisionHistoryLimit"] = 10
    default_template(spec["template"])
    for claim in spec.get("volumeClaimTemplates", ()):
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        default_claim(claim)


def _checks(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    errors: list[FieldError] = []
    policy = spec.get("podManagementPolicy", "")
    if policy not in ("OrderedReady", "Parallel"):
        errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    errors += _strategy(spec["updateStrategy"])
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for when in ("whenDeleted", "whenScaled"):
        path = f"spec.persistentVolumeClaimRetentionPolicy.{when}"
        errors += supported(retention.get(when, ""), ("Retain", "Delete"), path)
    claims = spec.get("volumeClaimTemplates") or []
    for index, claim in enumerate(claims):
        errors += validate_claim_spec(claim["spec"], f"spec.volumeClaimTemplates[{index}].spec")
    errors += nonnegative(spec.get("replicas"), "spec.replicas")
    errors += nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    errors += nonnegative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start")
    if spec.get("serviceName"):
        errors += label(spec["serviceName"], "spec.serviceName")
    selector = spec.get("selector")
    if selector is None:
        errors.append(required("spec.selector"))
    else:
        errors += label_selector(selector, "spec.selector")
        if not (selector.get("matchLabels") or selector.get("matchExpressions")):
            errors.append(invalid("spec.selector", selector, "empty selector is invalid for statefulset"))
    return errors + _template(spec, selector, claims)


def _template(spec: Json, selector: Json | None, claims: list[Json]) -> list[FieldError]:
    template = spec["template"]
    meta = template.get("metadata") or {}
    path = "spec.template"
    errors: list[FieldError] = []
    if not (selector is not None and empty_selector(selector)) and not selects(selector, meta.get("labels")):
        text = "`selector` does not match template `labels`"
        errors.append(invalid(f"{path}.metadata.labels", meta.get("labels"), text))
    pod = dict(template["spec"])
    pod.pop("subdomain", None)
    pod.pop("hostname", None)
    if claims:
        named = {claim["metadata"].get("name", ""): claim for claim in claims}
        pod["volumes"] = [
            *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in named),
            *(volume for volume in pod.get("volumes", ()) if volume.get("name") not in named),
        ]
    errors += validate_template({**template, "spec": pod}, path)
    errors += label_checks(meta.get("labels"), f"{path}.labels")
    errors += validate_annotations(meta.get("annotations"), f"{path}.annotations")
    return errors + always_restarts(template, "StatefulSet", path)


def _strategy(strategy: Json) -> list[FieldError]:
    path, rolling = "spec.updateStrategy", strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "OnDelete":
            if rolling is not None:
                return [invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")]
            return []
        case "RollingUpdate":
            if rolling is None:
                return []
            errors = nonnegative(rolling.get("partition"), f"{path}.rollingUpdate.partition")
            unavailable = rolling.get("maxUnavailable")
            if unavailable is not None:
                here = f"{path}.rollingUpdate.maxUnavailable"
                errors += int_or_percent(unavailable, here)
                if amount(unavailable) == 0:
                    errors.append(invalid(here, unavailable, "cannot be 0"))
                errors += at_most_100_percent(unavailable, here)
            return errors
        case _:
            shown = internal(strategy, ("type", "rollingUpdate"))
            return [invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")]


def _update(new: Json, old: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in _FIXED:
        errors += immutable(new["spec"].get(field), old["spec"].get(field), f"spec.{field}")
    return errors


def _status(new: Json, old: Json) -> list[FieldError]:
    return status_counts(new, old, _COUNTS, _COUNTS[1:], "cannot be greater than status.readyReplicas")


def _revision_checks(obj: Json) -> list[FieldError]:
    errors = nonnegative(obj.get("revision"), "revision")
    if not isinstance(obj.get("data"), dict):
        text = "data is mandatory" if obj.get("data") is None else "data must be a valid JSON object"
        errors.append(required("data", text))
    return errors


def _revision_update(new: Json, old: Json) -> list[FieldError]:
    return immutable(new.get("data"), old.get("data"), "data")


def _controller(obj: Json) -> str:
    for owner in obj["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            group = owner.get("apiVersion", "").rpartition("/")[0]
            kind = owner.get("kind", "").lower()
            return f"{kind}.{group}/{owner.get('name', '')}" if group else f"{kind}/{owner.get('name', '')}"
    return "<none>"


_GVK = GVK("apps", "v1", "StatefulSet")
_REVISION = GVK("apps", "v1", "ControllerRevision")
RULES = {
    _GVK: make(
        _GVK,
        name=label_name,
        defaults=_default,
        checks=_checks,
        update_checks=_update,
        status_checks=_status,
        status=True,
        empty_status={"replicas": 0, "availableReplicas": 0},
        counted=("spec",),
        columns=(
            NAME,
            column("Ready", lambda o: f"{status_of(o, 'readyReplicas')}/{replicas_of(o)}"),
            CREATED,
            *template_columns(selector=False),
        ),
    ),
    _REVISION: make(
        _REVISION,
        checks=_revision_checks,
        update_checks=_revision_update,
        columns=(NAME, column("Controller", _controller), column("Revision", lambda o: o.get("revision", 0)), CREATED),
    ),
}
