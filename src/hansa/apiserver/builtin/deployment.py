"""apps/v1 Deployment."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.checks import at_most_100_percent, immutable, int_or_percent, nonnegative
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.pod_defaults import default_template
from hansa.apiserver.builtin.shape import internal
from hansa.apiserver.builtin.workload import (
    amount,
    replicas_of,
    selector_checks,
    status_counts,
    status_of,
    template_checks,
    template_columns,
)
from hansa.base.field import FieldError, forbidden, invalid, not_supported

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def _default(obj: Json) -> None:
    spec = obj["spec"]
    if "replicas" not in spec:
        spec["replicas"] = 1
    strategy = spec["strategy"]
    if "type" not in strategy:
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    if "revisionHistoryLimit" not in spec:
        spec["revisionHistoryLimit"] = 10
    if "progressDeadlineSeconds" not in spec:
        spec["progressDeadlineSeconds"] = 600
    default_template(spec["template"])


def _checks(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    errors = nonnegative(spec.get("replicas"), "spec.replicas")
    errors += selector_checks(spec, "deployment")
    errors += template_checks(spec, "ReplicaSet")
    errors += _strategy(spec["strategy"])
    errors += nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    errors += nonnegative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        path = "spec.progressDeadlineSeconds"
        errors += nonnegative(deadline, path)
        if deadline <= spec.get("minReadySeconds", 0):
            errors.append(invalid(path, deadline, "must be greater than minReadySeconds"))
    return errors


def _strategy(strategy: Json) -> list[FieldError]:
    path = "spec.strategy"
    rolling: Json | None = strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            if rolling is not None:
                text = "may not be specified when strategy `type` is 'Recreate'"
                return [forbidden(f"{path}.rollingUpdate", text)]
            return []
        case "RollingUpdate":
            rolling = rolling or {}
            unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
            errors = int_or_percent(unavailable, f"{path}.rollingUpdate.maxUnavailable")
            errors += int_or_percent(surge, f"{path}.rollingUpdate.maxSurge")
            if amount(unavailable) == 0 and amount(surge) == 0:
                text = "may not be 0 when `maxSurge` is 0"
                errors.append(invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, text))
            return errors + at_most_100_percent(unavailable, f"{path}.rollingUpdate.maxUnavailable")
        case _:
            shown = internal(strategy, ("type", "rollingUpdate"))
            return [not_supported(path, shown, ["Recreate", "RollingUpdate"])]


def _update(new: Json, old: Json) -> list[FieldError]:
    return immutable(new["spec"].get("selector"), old["spec"].get("selector"), "spec.selector")


def _status(new: Json, old: Json) -> list[FieldError]:
    return status_counts(new, old, _COUNTS, ("updatedReplicas", "readyReplicas", "availableReplicas"))


_GVK = GVK("apps", "v1", "Deployment")
RULES = {
    _GVK: make(
        _GVK,
        defaults=_default,
        checks=_checks,
        update_checks=_update,
        status_checks=_status,
        status=True,
        empty_status={},
        counted=("spec",),
        count_annotations=True,
        keep_labels_on_status=True,
        columns=(
            NAME,
            column("Ready", lambda o: f"{status_of(o, 'readyReplicas')}/{replicas_of(o)}"),
            column("Up-to-date", lambda o: status_of(o, "updatedReplicas"), "string"),
            column("Available", lambda o: status_of(o, "availableReplicas"), "string"),
            CREATED,
            *template_columns(),
        ),
    )
}
