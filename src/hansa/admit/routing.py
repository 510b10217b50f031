"""Checks of ServiceRoutingPolicies (networking.hansa.dev/v1alpha1). Clusters that are not joined yet are fine."""

from __future__ import annotations

from hansa.admit.fields import entries, mapping, text
from hansa.api.meta import Json
from hansa.base.field import FieldError, duplicate, forbidden, invalid
from hansa.base.names import dns1123_label

_LISTS = ("exclude", "failoverOnly", "consumerClusters")


def check(policy: Json) -> list[FieldError]:
    """Faults that the schema does not find: names that are none, and what contradicts itself."""
    spec = mapping(policy.get("spec"))
    named = {field: _names(spec.get(field)) for field in _LISTS}
    weighted = [text(entry.get("cluster")) for entry in entries(spec.get("weights"))]
    errors = _check_names(weighted, "spec.weights", ".cluster")
    for field, clusters in named.items():
        errors += _check_names(clusters, f"spec.{field}", "")
    excluded = set(named["exclude"])
    for index, cluster in enumerate(weighted):
        if cluster in excluded:
            errors.append(
                forbidden(f"spec.weights[{index}].cluster", f"{cluster} is in spec.exclude: it gets no requests")
            )
    for index, cluster in enumerate(named["failoverOnly"]):
        if cluster in excluded:
            errors.append(
                forbidden(f"spec.failoverOnly[{index}]", f"{cluster} is in spec.exclude: it gets no requests")
            )
    if spec.get("minLocal") is not None and spec.get("mode") in ("direct", "proxy"):
        detail = f"counts in mode hybrid only, not in mode {spec['mode']}"
        errors.append(invalid("spec.minLocal", spec["minLocal"], detail))
    return errors


def _names(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _check_names(clusters: list[str], path: str, field: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, cluster in enumerate(clusters):
        where = f"{path}[{index}]{field}"
        errors += [invalid(where, cluster, fault) for fault in dns1123_label(cluster)]
        if cluster in clusters[:index]:
            errors.append(duplicate(where, cluster))
    return errors
