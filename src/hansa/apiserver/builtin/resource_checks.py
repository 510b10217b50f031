"""Names and amounts of resources, wherever they are requested or limited."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import each
from hansa.base.field import FieldError, duplicate, forbidden, invalid, not_found, required
from hansa.base.names import qualified_name
from hansa.base.quantity import Quantity

OBJECT_COUNTS = frozenset(
    (
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_COMPUTE = frozenset(("cpu", "memory", "ephemeral-storage"))
_SIDES = frozenset(f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE)
STANDARD = _COMPUTE | _SIDES | OBJECT_COUNTS | {"storage", "requests.storage"}
QUOTA = STANDARD - {"storage"}


@lru_cache(maxsize=4096)
def quantity(text: str) -> Quantity:
    """Parse, remembering: the same few amounts occur over and over."""
    return Quantity.parse(str(text))


def is_huge_page(name: str) -> bool:
    return name.startswith("hugepages-")


def is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    if is_native(name) or name.startswith("requests."):
        return False
    return not qualified_name(f"requests.{name}")


def is_integer(name: str) -> bool:
    return name in OBJECT_COUNTS or is_extended(name)


def validate_name(name: str, path: str) -> list[FieldError]:
    """Any resource name: standard, or fully qualified."""
    faults = qualified_name(name)
    if faults:
        return each(path, name, faults)
    if "/" not in name and name not in STANDARD and not name.startswith(("hugepages-", "requests.hugepages-")):
        return [invalid(path, name, "must be a standard resource type or fully qualified")]
    return []


def validate_container_name(name: str, path: str) -> list[FieldError]:
    errors = validate_name(name, path)
    if "/" not in name:
        if name not in _COMPUTE and not is_huge_page(name):
            errors.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def validate_amount(name: str, value: str, path: str) -> list[FieldError]:
    """Not negative; whole where the resource is counted."""
    amount = quantity(value)
    errors: list[FieldError] = []
    if amount < quantity("0"):
        errors.append(invalid(path, value, "must be greater than or equal to 0"))
    if is_integer(name) and amount.milli % 1000:
        errors.append(invalid(path, value, "must be an integer"))
    return errors


def validate_requirements(
    requirements: Json,
    claims: frozenset[str],
    path: str,
    check_name: Callable[[str, str], list[FieldError]] = validate_container_name,
) -> list[FieldError]:
    """ResourceRequirements of a container."""
    limits, requests = requirements.get("limits") or {}, requirements.get("requests") or {}
    errors: list[FieldError] = []
    for name, value in limits.items():
        here = f"{path}.limits[{name}]"
        if name not in _COMPUTE:
            errors += check_name(name, here)
        errors += validate_amount(name, value, here)
    for name, value in requests.items():
        here = f"{path}.requests[{name}]"
        if name not in _COMPUTE:
            errors += check_name(name, here)
        errors += validate_amount(name, value, here)
        limit = limits.get(name)
        overcommit = is_native(name) and not is_huge_page(name)
        if limit is None:
            if not overcommit:
                errors.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif limit != value:
            if not overcommit and quantity(value) != quantity(limit):
                errors.append(invalid(f"{path}.requests", value, f"must be equal to {name} limit of {limit}"))
            elif quantity(value) > quantity(limit):
                text = f"must be less than or equal to {name} limit of {limit}"
                errors.append(invalid(f"{path}.requests", value, text))
    named = limits.keys() | requests.keys()
    if any(is_huge_page(name) for name in named) and not named & {"cpu", "memory"}:
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors + _claims(requirements.get("claims") or [], claims, f"{path}.claims")


def _claims(used: list[Json], known: frozenset[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, claim in enumerate(used):
        name = claim.get("name", "")
        if not name:
            errors.append(required(f"{path}[{index}]"))
            continue
        key = f"{name}/{claim['request']}" if claim.get("request") else name
        if key in names:
            errors.append(duplicate(f"{path}[{index}]", key))
        names.add(key)
        if name not in known:
            errors.append(not_found(f"{path}[{index}]", name))
    return errors
