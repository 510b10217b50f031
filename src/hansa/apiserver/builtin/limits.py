"""core/v1 LimitRange and ResourceQuota, scheduling.k8s.io/v1 PriorityClass."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.checks import each, immutable, one_of
from hansa.apiserver.builtin.fallback import CREATED, CREATED_AT, NAME
from hansa.apiserver.builtin.generation import create_counted
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import subdomain_name, validate_meta
from hansa.apiserver.builtin.resource_checks import (
    QUOTA,
    quantity,
    validate_amount,
    validate_container_name,
    validate_name,
)
from hansa.base.field import FieldError, duplicate, forbidden, invalid, required
from hansa.base.names import qualified_name

_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_SIDES = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_HIGHEST_PRIORITY = 1_000_000_000
_SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_SCOPES = frozenset(
    (
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    )
)


def _default_range(obj: Json) -> None:
    for item in obj["spec"].get("limits") or ():
        if item.get("type") != "Container":
            continue
        limits: Json = item.get("default") or {}
        requests: Json = item.get("defaultRequest") or {}
        for name, value in (item.get("max") or {}).items():
            limits.setdefault(name, value)
        for source in (limits, item.get("min") or {}):
            for name, value in source.items():
                requests.setdefault(name, value)
        for field, values in (("default", limits), ("defaultRequest", requests)):
            if values:
                item[field] = values


def _range(obj: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, type_ = f"spec.limits[{index}]", item.get("type", "")
        faults = each(f"{path}.type", type_, qualified_name(type_))
        if not faults and "/" not in type_ and type_ not in _TYPES:
            text = "must be a standard limit type or fully qualified"
            faults = [invalid(f"{path}.type", type_, text)]
        errors += faults
        if type_ in seen:
            errors.append(duplicate(f"{path}.type", type_))
        seen.add(type_)
        errors += _range_item(item, type_, path)
    return errors


def _range_item(item: Json, type_: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    check = validate_container_name if type_ in ("Pod", "Container") else validate_name
    for side in ("max", "min"):
        for name in item.get(side) or {}:
            errors += check(name, f"{path}.{side}[{name}]")
    if type_ == "Pod":
        errors += [
            forbidden(f"{path}.{side}", f"may not be specified when `type` is '{type_}'")
            for side in ("default", "defaultRequest")
            if item.get(side)
        ]
    else:
        for side in ("default", "defaultRequest"):
            for name in item.get(side) or {}:
                errors += check(name, f"{path}.{side}[{name}]")
    if type_ == "PersistentVolumeClaim":
        storage = any("storage" in (item.get(side) or {}) for side in ("min", "max"))
        if not storage:
            text = "either minimum or maximum storage value is required, but neither was provided"
            errors.append(required(f"{path}.limits", text))
    for name in item.get("maxLimitRequestRatio") or {}:
        errors += check(name, f"{path}.maxLimitRequestRatio[{name}]")
    names = sorted({name for side in _SIDES for name in item.get(side) or {}})
    for name in names:
        errors += _bounds(item, name, path)
    return errors


def _bounds(item: Json, name: str, path: str) -> list[FieldError]:
    def get(side: str) -> str | None:
        return (item.get(side) or {}).get(name)

    low, high, default, request = get("min"), get("max"), get("default"), get("defaultRequest")
    errors: list[FieldError] = []

    def compare(small: str | None, small_side: str, large: str | None, large_name: str) -> None:
        if small is not None and large is not None and quantity(small) > quantity(large):
            text = f"{small_side} value {small} is greater than {large_name} value {large}"
            errors.append(invalid(f"{path}.{_PATHS[small_side]}[{name}]", small, text))

    compare(low, "min", high, "max")
    if request is not None and low is not None and quantity(low) > quantity(request):
        text = f"min value {low} is greater than default request value {request}"
        errors.append(invalid(f"{path}.defaultRequest[{name}]", request, text))
    compare(request, "default request", high, "max")
    compare(request, "default request", default, "default limit")
    if default is not None and low is not None and quantity(low) > quantity(default):
        errors.append(
            invalid(f"{path}.default[{name}]", low, f"min value {low} is greater than default value {default}")
        )
    compare(default, "default", high, "max")
    return errors


_PATHS = {"min": "min", "default request": "defaultRequest", "default": "default"}


def _quota(obj: Json) -> list[FieldError]:
    spec: Json = obj.get("spec") or {}
    errors: list[FieldError] = []
    for name, value in (spec.get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        errors += _quota_name(name, path)
        errors += validate_amount(name, value, path)
    for scope in spec.get("scopes") or ():
        errors += each("spec.scopes", scope, qualified_name(scope))
        if scope not in _SCOPES:
            errors.append(invalid("spec.scopes", spec.get("scopes"), "unsupported scope"))
            break
    return errors


def _quota_name(name: str, path: str) -> list[FieldError]:
    errors = validate_name(name, path)
    if "/" not in name and name not in QUOTA and not name.startswith(("hugepages-", "requests.hugepages-")):
        errors.append(invalid(path, name, "must be a standard resource for quota"))
    return errors


def _quota_update(new: Json, old: Json) -> list[FieldError]:
    scopes, before = (new.get("spec") or {}).get("scopes"), (old.get("spec") or {}).get("scopes")
    if sorted(scopes or ()) != sorted(before or ()):
        return [invalid("spec.scopes", scopes, "field is immutable")]
    return []


def _quota_text(obj: Json, *, limits: bool) -> str:
    status: Json = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    return ", ".join(
        f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard) if name.startswith("limits.") is limits
    )


def _default_class(obj: Json) -> None:
    if "preemptionPolicy" not in obj:
        obj["preemptionPolicy"] = "PreemptLowerPriority"


def _create_class(obj: Json) -> list[FieldError]:
    errors = validate_meta(obj, namespaced=False, name=subdomain_name)
    name, value = obj["metadata"].get("name", ""), obj.get("value", 0)
    if name.startswith("system-"):
        if _SYSTEM.get(name) != value:
            text = "priority class names with 'system-' prefix are reserved for system use only. error: "
            known = (
                f"value of {name} PriorityClass must be {_SYSTEM[name]}"
                if name in _SYSTEM
                else f"{name} is not a known system priority class"
            )
            errors.append(forbidden("metadata.name", text + known))
    elif value > _HIGHEST_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {_HIGHEST_PRIORITY}"
        errors.append(forbidden("value", text))
    return errors + one_of(obj.get("preemptionPolicy", ""), ("PreemptLowerPriority", "Never"), "preemptionPolicy")


def _class_update(new: Json, old: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    if new.get("value", 0) != old.get("value", 0):
        errors.append(forbidden("value", "may not be changed in an update."))
    return errors + immutable(new.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy")


_RANGE, _QUOTA = GVK("", "v1", "LimitRange"), GVK("", "v1", "ResourceQuota")
_PRIORITY = GVK("scheduling.k8s.io", "v1", "PriorityClass")
RULES = {
    _RANGE: make(
        _RANGE,
        defaults=_default_range,
        checks=_range,
        full_recheck=True,
        columns=(NAME, CREATED_AT),
    ),
    _QUOTA: make(
        _QUOTA,
        checks=_quota,
        update_checks=_quota_update,
        status=True,
        empty_status={},
        columns=(
            NAME,
            column("Request", lambda o: _quota_text(o, limits=False)),
            column("Limit", lambda o: _quota_text(o, limits=True)),
            CREATED,
        ),
    ),
    _PRIORITY: make(
        _PRIORITY,
        namespaced=False,
        defaults=_default_class,
        validate_create=_create_class,
        update_checks=_class_update,
        prepare_create=create_counted,
        columns=(
            NAME,
            column("Value", lambda o: o.get("value", 0), "integer"),
            column("Global-Default", lambda o: bool(o.get("globalDefault")), "boolean"),
            CREATED,
            column("PreemptionPolicy", lambda o: o.get("preemptionPolicy", "")),
        ),
    ),
}
