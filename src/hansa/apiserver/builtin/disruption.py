"""policy/v1 PodDisruptionBudget."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.checks import at_most_100_percent, int_or_percent, label_selector, nonnegative, supported
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.base.field import FieldError, invalid

_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def _checks(obj: Json) -> list[FieldError]:
    spec: Json = obj.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        shown = {
            "MinAvailable": spec["minAvailable"],
            "Selector": spec.get("selector"),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        errors.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for field in ("minAvailable", "maxUnavailable"):
        errors += int_or_percent(spec.get(field), f"spec.{field}")
        errors += at_most_100_percent(spec.get(field), f"spec.{field}")
    errors += label_selector(spec.get("selector"), "spec.selector")
    if spec.get("unhealthyPodEvictionPolicy") is not None:
        choices = ("AlwaysAllow", "IfHealthyBudget")
        errors += supported(spec["unhealthyPodEvictionPolicy"], choices, "spec.unhealthyPodEvictionPolicy")
    return errors


def _status(new: Json, old: Json) -> list[FieldError]:
    del old
    errors: list[FieldError] = []
    for field in _COUNTS:
        errors += nonnegative((new.get("status") or {}).get(field), f"status.{field}")
    return errors


def _bound(obj: Json, field: str) -> str:
    value = (obj.get("spec") or {}).get(field)
    return "N/A" if value is None else str(value)


_GVK = GVK("policy", "v1", "PodDisruptionBudget")
RULES = {
    _GVK: make(
        _GVK,
        checks=_checks,
        status_checks=_status,
        status=True,
        empty_status=dict.fromkeys(_COUNTS, 0),
        counted=("spec",),
        columns=(
            NAME,
            column("Min Available", lambda o: _bound(o, "minAvailable")),
            column("Max Unavailable", lambda o: _bound(o, "maxUnavailable")),
            column("Allowed Disruptions", lambda o: (o.get("status") or {}).get("disruptionsAllowed", 0), "integer"),
            CREATED,
        ),
        unconditional_update=False,
    )
}
