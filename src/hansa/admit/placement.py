"""Checks of placements."""

from __future__ import annotations

from typing import Any

from hansa.admit.affinity import check_affinity
from hansa.admit.fields import entries, mapping, text
from hansa.api.meta import Json
from hansa.base.field import FieldError, invalid, not_supported, required
from hansa.base.names import qualified_name

_AFFINITY_FIELDS = ("labelSelector", "fieldSelector", "clusterNames", "exclude")


def check_placement(placement: Any, path: str) -> list[FieldError]:
    placement = mapping(placement)
    errors: list[FieldError] = []
    if placement.get("clusterAffinity") is not None and placement.get("clusterAffinities"):
        detail = "not together with clusterAffinities"
        errors.append(invalid(f"{path}.clusterAffinity", placement["clusterAffinity"], detail))
    errors += check_affinity(placement.get("clusterAffinity"), f"{path}.clusterAffinity")
    errors += _check_terms(placement, f"{path}.clusterAffinities")
    for index, toleration in enumerate(entries(placement.get("clusterTolerations"))):
        operator = toleration.get("operator") or ""
        if operator not in ("", "Exists", "Equal"):
            where = f"{path}.clusterTolerations[{index}].operator"
            errors.append(not_supported(where, operator, ("Equal", "Exists")))
    errors += _check_spread(entries(placement.get("spreadConstraints")), f"{path}.spreadConstraints")
    errors += _check_weights(placement, f"{path}.replicaScheduling.weightPreference.staticWeightList")
    errors += _check_groups(mapping(placement.get("workloadAffinity")), f"{path}.workloadAffinity")
    return errors


def _check_terms(placement: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, term in enumerate(entries(placement.get("clusterAffinities"))):
        where = f"{path}[{index}]"
        name = text(term.get("affinityName"))
        errors += _check_name(name, f"{where}.affinityName")
        if name in names:
            errors.append(invalid(where, name, "the name is taken by another term"))
        names.add(name)
        errors += check_affinity(term, where)
        overflows = entries(term.get("overflowAffinities"))
        if overflows:
            errors += _check_overflows(placement, term, overflows, f"{where}.overflowAffinities")
    return errors


def _check_overflows(placement: Json, term: Json, overflows: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    strategy = mapping(placement.get("replicaScheduling"))
    preference = strategy.get("replicaDivisionPreference")
    by_capacity = preference == "Aggregated" or (
        preference == "Weighted" and bool(mapping(strategy.get("weightPreference")).get("dynamicWeight"))
    )
    if strategy.get("replicaSchedulingType", "Divided" if strategy else "") != "Divided" or not by_capacity:
        detail = "overflowAffinities need replicas divided by available capacity (Aggregated, or dynamicWeight)"
        errors.append(invalid(path, None, detail))
    if not any(term.get(field) for field in _AFFINITY_FIELDS):
        errors.append(invalid(path, None, "overflowAffinities need a cluster affinity that they go beyond"))
    names = {text(term.get("affinityName"))}
    for index, overflow in enumerate(overflows):
        name = text(overflow.get("affinityName"))
        errors += _check_name(name, f"{path}[{index}].affinityName")
        if name in names:
            errors.append(invalid(f"{path}[{index}]", name, "the name is taken by another term"))
        names.add(name)
        errors += check_affinity(overflow, f"{path}[{index}]")
    return errors


def _check_name(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    if len(name) > 32:
        return [invalid(path, name, "must be no more than 32 characters")]
    return [invalid(path, name, fault) for fault in qualified_name(name)]


def _check_spread(constraints: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    fields: list[str] = []
    for index, constraint in enumerate(constraints):
        where = f"{path}[{index}]"
        by_field, by_label = text(constraint.get("spreadByField")), text(constraint.get("spreadByLabel"))
        if by_field and by_label:
            errors.append(invalid(where, by_label, "not together with spreadByField"))
        least, most = constraint.get("minGroups") or 0, constraint.get("maxGroups") or 0
        if least < 0:
            errors.append(invalid(where, least, "must not be negative"))
        if most < 0:
            errors.append(invalid(where, most, "must not be negative"))
        if 0 < most < least:
            errors.append(invalid(where, most, "must not be less than minGroups"))
        if by_field and by_field in fields:
            errors.append(invalid(where, by_field, "another constraint spreads by this field"))
        if by_field:
            fields.append(by_field)
    if fields and "cluster" not in fields:
        detail = "spreading by a field needs a constraint by cluster as well"
        errors.append(invalid(path, fields, detail))
    return errors


def _check_weights(placement: Json, path: str) -> list[FieldError]:
    preference = mapping(mapping(placement.get("replicaScheduling")).get("weightPreference"))
    errors: list[FieldError] = []
    for index, rule in enumerate(entries(preference.get("staticWeightList"))):
        errors += check_affinity(rule.get("targetCluster"), f"{path}[{index}].targetCluster")
    return errors


def _check_groups(affinity: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    keys: dict[str, str] = {}
    for member in ("affinity", "antiAffinity"):
        if affinity.get(member) is None:
            continue
        key = text(mapping(affinity[member]).get("groupByLabelKey"))
        where = f"{path}.{member}.groupByLabelKey"
        if not key:
            errors.append(required(where))
            continue
        errors += [invalid(where, key, fault) for fault in qualified_name(key)]
        if key in keys:
            errors.append(invalid(where, key, "affinity and anti-affinity must group by different labels"))
        keys[key] = member
    return errors
