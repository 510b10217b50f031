"""coordination.k8s.io/v1 Lease."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.base.field import FieldError, forbidden, invalid


def _checks(obj: Json) -> list[FieldError]:
    spec: Json = obj.get("spec") or {}
    errors: list[FieldError] = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        errors.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        errors.append(forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"))
    return errors


_GVK = GVK("coordination.k8s.io", "v1", "Lease")
RULES = {
    _GVK: make(
        _GVK,
        checks=_checks,
        columns=(NAME, column("Holder", lambda o: (o.get("spec") or {}).get("holderIdentity") or ""), CREATED),
        create_on_update=True,
        unconditional_update=False,
    )
}
