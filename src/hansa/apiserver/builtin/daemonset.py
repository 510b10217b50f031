"""apps/v1 DaemonSet."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import labels_text
from hansa.apiserver.builtin.checks import at_most_100_percent, immutable, int_or_percent, label_selector, nonnegative
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.generation import update_with_status
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.pod_checks import validate_template
from hansa.apiserver.builtin.pod_defaults import default_template
from hansa.apiserver.builtin.rules import WriteContext
from hansa.apiserver.builtin.selectors import selects
from hansa.apiserver.builtin.shape import internal
from hansa.apiserver.builtin.workload import always_restarts, amount, status_counts, status_of, template_columns
from hansa.base.field import FieldError, invalid, not_supported, required

_EMPTY: Json = {
    "currentNumberScheduled": 0,
    "numberMisscheduled": 0,
    "desiredNumberScheduled": 0,
    "numberReady": 0,
}
_COUNTS = (*_EMPTY, "updatedNumberScheduled", "numberAvailable", "numberUnavailable")
_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _default(obj: Json) -> None:
    spec = obj["spec"]
    strategy = spec["updateStrategy"]
    if "type" not in strategy:
        strategy["type"] = "RollingUpdate"
    # the real one keeps the count in a field of its own, which always comes back as the annotation
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations.setdefault(_TEMPLATE_GENERATION, "0")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    if "revisionHistoryLimit" not in spec:
        spec["revisionHistoryLimit"] = 10
    default_template(spec["template"])


def _checks(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    selector, template = spec.get("selector"), spec["template"]
    labels = (template.get("metadata") or {}).get("labels")
    errors = label_selector(selector, "spec.selector")
    if not selects(selector, labels):
        text = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels, text))
    if selector is not None and not (selector.get("matchLabels") or selector.get("matchExpressions")):
        errors.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    errors += validate_template(template, "spec.template")
    errors += always_restarts(template, "DaemonSet", "spec.template")
    errors += nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    errors += _strategy(spec["updateStrategy"])
    return errors + nonnegative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")


def _strategy(strategy: Json) -> list[FieldError]:
    path, rolling = "spec.updateStrategy.rollingUpdate", strategy.get("rollingUpdate")
    if strategy.get("type") == "OnDelete":
        return []
    if strategy.get("type") != "RollingUpdate":
        shown = internal(strategy, ("type", "rollingUpdate"))
        return [not_supported("spec.updateStrategy", shown, ["RollingUpdate", "OnDelete"])]
    if rolling is None:
        return [required(path)]
    errors: list[FieldError] = []
    for field in ("maxUnavailable", "maxSurge"):
        errors += int_or_percent(rolling.get(field), f"{path}.{field}")
    for field in ("maxUnavailable", "maxSurge"):
        errors += at_most_100_percent(rolling.get(field), f"{path}.{field}")
    unavailable, surge = amount(rolling.get("maxUnavailable")), amount(rolling.get("maxSurge"))
    if unavailable and surge:
        errors.append(
            invalid(f"{path}.maxSurge", rolling["maxSurge"], "may not be set when maxUnavailable is non-zero")
        )
    elif not unavailable and not surge:
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def _update(new: Json, old: Json) -> list[FieldError]:
    return immutable(new["spec"].get("selector"), old["spec"].get("selector"), "spec.selector")


def _status(new: Json, old: Json) -> list[FieldError]:
    return status_counts(new, old, _COUNTS, ())


def _prepare_create(obj: Json, context: WriteContext) -> None:
    del context
    obj["status"] = dict(_EMPTY)
    obj["metadata"]["generation"] = 1
    _count_template(obj, 1)


def _prepare_update(new: Json, old: Json, subresource: str) -> None:
    _KEEP(new, old, subresource)
    if subresource:
        return
    before = int((old["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION) or 0)
    _count_template(new, before + (new["spec"]["template"] != old["spec"]["template"]))


def _count_template(obj: Json, count: int) -> None:
    """A counter of template changes that lives in an annotation, for old clients."""
    obj["metadata"]["annotations"] = {**(obj["metadata"].get("annotations") or {}), _TEMPLATE_GENERATION: str(count)}


_KEEP = update_with_status(keep_meta=True)
_GVK = GVK("apps", "v1", "DaemonSet")
_RULES = make(
    _GVK,
    defaults=_default,
    checks=_checks,
    update_checks=_update,
    update_first=True,
    status_checks=_status,
    status=True,
    empty_status=_EMPTY,
    counted=("spec",),
    columns=(
        NAME,
        column("Desired", lambda o: status_of(o, "desiredNumberScheduled"), "integer"),
        column("Current", lambda o: status_of(o, "currentNumberScheduled"), "integer"),
        column("Ready", lambda o: status_of(o, "numberReady"), "integer"),
        column("Up-to-date", lambda o: status_of(o, "updatedNumberScheduled"), "integer"),
        column("Available", lambda o: status_of(o, "numberAvailable"), "integer"),
        column("Node Selector", lambda o: labels_text(o["spec"]["template"]["spec"].get("nodeSelector"))),
        CREATED,
        *template_columns(),
    ),
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
)
RULES = {_GVK: _RULES}
