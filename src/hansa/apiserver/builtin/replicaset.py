"""apps/v1 ReplicaSet and core/v1 ReplicationController."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import labels_text
from hansa.apiserver.builtin.checks import immutable, nonnegative
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.pod_checks import validate_template
from hansa.apiserver.builtin.pod_defaults import default_template
from hansa.apiserver.builtin.workload import (
    always_restarts,
    replicas_of,
    selector_checks,
    status_counts,
    status_of,
    template_checks,
    template_columns,
)
from hansa.base.field import FieldError, invalid, required

_COUNTS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def _default(obj: Json) -> None:
    spec = obj["spec"]
    if "replicas" not in spec:
        spec["replicas"] = 1
    default_template(spec.get("template"))


def _checks(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    errors = nonnegative(spec.get("replicas"), "spec.replicas")
    errors += nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    return errors + selector_checks(spec, "deployment") + template_checks(spec, "ReplicaSet")


def _update(new: Json, old: Json) -> list[FieldError]:
    return immutable(new["spec"].get("selector"), old["spec"].get("selector"), "spec.selector")


def _status(new: Json, old: Json) -> list[FieldError]:
    return status_counts(new, old, _COUNTS, _COUNTS[1:])


def _default_controller(obj: Json) -> None:
    spec = obj["spec"]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)
    default_template(spec.get("template"))


def _controller_checks(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    errors = nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        errors.append(required("spec.selector"))
    errors += nonnegative(spec.get("replicas"), "spec.replicas")
    if template is None:
        return [*errors, required("spec.template")]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        text = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels or None, text))
    errors += validate_template(template, "spec.template")
    return errors + always_restarts(template, "ReplicationController", "spec.template")


_COLUMNS = (
    NAME,
    column("Desired", replicas_of, "integer"),
    column("Current", lambda o: status_of(o, "replicas"), "integer"),
    column("Ready", lambda o: status_of(o, "readyReplicas"), "integer"),
    CREATED,
)
_SET = GVK("apps", "v1", "ReplicaSet")
_CONTROLLER = GVK("", "v1", "ReplicationController")
_FIELDS = {"status.replicas": lambda o: str(status_of(o, "replicas"))}
RULES = {
    _SET: make(
        _SET,
        defaults=_default,
        checks=_checks,
        update_checks=_update,
        status_checks=_status,
        status=True,
        empty_status={"replicas": 0},
        counted=("spec",),
        columns=(*_COLUMNS, *template_columns()),
        fields=_FIELDS,
    ),
    _CONTROLLER: make(
        _CONTROLLER,
        defaults=_default_controller,
        checks=_controller_checks,
        status_checks=_status,
        status=True,
        empty_status={"replicas": 0},
        counted=("spec",),
        columns=(
            *_COLUMNS,
            *template_columns(selector=False),
            column("Selector", lambda o: labels_text(o["spec"].get("selector")), wide=True),
        ),
        fields=_FIELDS,
        orphan_by_default=True,
    ),
}
