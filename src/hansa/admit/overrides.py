"""Defaults and checks of OverridePolicies and ClusterOverridePolicies (policy.karmada.io/v1alpha1)."""

from __future__ import annotations

from typing import Any

from hansa.admit.affinity import check_affinity
from hansa.admit.fields import entries, mapping, text
from hansa.api.meta import Json
from hansa.base.field import FieldError, invalid, required
from hansa.base.names import label_value, qualified_name

ANNOTATIONS_MAX_BYTES = 256 * 1024
_POINTER = 'JSON pointer must be empty or start with a "/"'
# fieldOverrider is not looked at here, as in Karmada
_LEGACY = (
    "plaintext",
    "imageOverrider",
    "commandOverrider",
    "argsOverrider",
    "labelsOverrider",
    "annotationsOverrider",
)


def default(policy: Json) -> Json:
    """Selectors of an OverridePolicy speak of its own namespace. ClusterOverridePolicies have no defaults."""
    spec = mapping(policy.get("spec"))
    namespace = text(mapping(policy.get("metadata")).get("namespace"))
    selectors = spec.get("resourceSelectors")
    if not namespace or not selectors:
        return policy
    filled = [entry if entry.get("namespace") else {**entry, "namespace": namespace} for entry in entries(selectors)]
    return policy if filled == selectors else {**policy, "spec": {**spec, "resourceSelectors": filled}}


def check(policy: Json) -> list[FieldError]:
    """Faults of a policy, after `default`."""
    spec = mapping(policy.get("spec"))
    namespace = text(mapping(policy.get("metadata")).get("namespace"))
    errors: list[FieldError] = []
    if spec.get("overrideRules") is not None:
        if spec.get("targetCluster") is not None:
            detail = "overrideRules and targetCluster can't co-exist"
            errors.append(invalid("spec.targetCluster", spec["targetCluster"], detail))
        if any(mapping(spec.get("overriders")).get(name) for name in _LEGACY):
            errors.append(invalid("spec.overriders", spec["overriders"], "overrideRules and overriders can't co-exist"))
    for index, selector in enumerate(entries(spec.get("resourceSelectors"))):
        if namespace and selector.get("namespace") != namespace:
            detail = "namespace of resource selector must be the same as the namespace of the policy"
            path = f"spec.resourceSelectors[{index}].namespace"
            errors.append(invalid(path, selector.get("namespace") or "", detail))
    errors += check_affinity(spec.get("targetCluster"), "spec.targetCluster")
    for index, rule in enumerate(entries(spec.get("overrideRules"))):
        path = f"spec.overrideRules[{index}]"
        errors += check_affinity(rule.get("targetCluster"), f"{path}.targetCluster")
        errors += _check_overriders(mapping(rule.get("overriders")), f"{path}.overriders")
    return errors


def _check_overriders(overriders: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, entry in enumerate(entries(overriders.get("annotationsOverrider"))):
        errors += _check_annotations(mapping(entry.get("value")), f"{path}.annotationsOverrider[{index}].value")
    for index, entry in enumerate(entries(overriders.get("labelsOverrider"))):
        errors += _check_labels(mapping(entry.get("value")), f"{path}.labelsOverrider[{index}].value")
    for index, entry in enumerate(entries(overriders.get("imageOverrider"))):
        predicate = entry.get("predicate")
        if predicate is not None:
            where = f"{path}.imageOverrider[{index}].predicate.path"
            errors += _check_pointer(mapping(predicate).get("path"), where)
    for index, entry in enumerate(entries(overriders.get("fieldOverrider"))):
        errors += _check_field(entry, f"{path}.fieldOverrider[{index}]")
    return errors


def _check_annotations(values: Json, path: str) -> list[FieldError]:
    errors = [invalid(path, key, fault) for key in values for fault in qualified_name(key.lower())]
    size = sum(len(key.encode()) + len(str(value).encode()) for key, value in values.items())
    if size > ANNOTATIONS_MAX_BYTES:
        errors.append(invalid(path, "", f"must have at most {ANNOTATIONS_MAX_BYTES} bytes"))
    return errors


def _check_labels(values: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in values.items():
        errors += [invalid(path, key, fault) for fault in qualified_name(key)]
        errors += [invalid(path, value, fault) for fault in label_value(str(value))]
    return errors


def _check_field(overrider: Json, path: str) -> list[FieldError]:
    errors = _check_pointer(overrider.get("fieldPath"), f"{path}.fieldPath")
    syntaxes = [name for name in ("json", "yaml") if overrider.get(name)]
    if len(syntaxes) == 2:
        errors.append(invalid(path, overrider, "FieldOverrider has both YAML and JSON set. Only one is allowed"))
    if not syntaxes:
        errors.append(required(path, "FieldOverrider must have either JSON or YAML set"))
    for syntax in syntaxes:
        for index, operation in enumerate(entries(overrider.get(syntax))):
            where = f"{path}.{syntax}[{index}]"
            errors += _check_pointer(operation.get("subPath"), f"{where}.subPath")
            errors += _check_value(operation, f"{where}.value")
    return errors


def _check_value(operation: Json, path: str) -> list[FieldError]:
    given = operation.get("value") is not None
    if operation.get("operator") == "remove":
        detail = "value is not allowed for remove operation"
        return [invalid(path, operation["value"], detail)] if given else []
    return [] if given else [invalid(path, None, "value is required for add or replace operation")]


def _check_pointer(path: Any, where: str) -> list[FieldError]:
    value = text(path)
    return [] if value == "" or value.startswith("/") else [invalid(where, value, _POINTER)]
