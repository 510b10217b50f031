"""Defaults and checks of PropagationPolicies and ClusterPropagationPolicies (policy.karmada.io/v1alpha1)."""

from __future__ import annotations

from typing import Any

from hansa.admit.fields import entries, mapping, text
from hansa.admit.placement import check_placement
from hansa.api import names
from hansa.api.meta import Json
from hansa.base.field import FieldError, invalid, required
from hansa.base.jsonpath import JsonPathError, compile_path
from hansa.base.names import qualified_name

_SERVICE_IMPORTS = tuple((f"multicluster.x-k8s.io/{version}", "ServiceImport") for version in ("v1alpha1", "v1beta1"))
GRACE_PERIOD_SECONDS = 600


def default(policy: Json) -> Json:
    """The policy with what admission fills in: namespaces of selectors, spread, division, dependencies, grace period.

    A new document; the same one when nothing was missing.
    """
    spec: Json = policy.get("spec") or {}
    namespace = str((policy.get("metadata") or {}).get("namespace") or "")
    filled = {**spec}
    if selectors := spec.get("resourceSelectors"):
        filled["resourceSelectors"] = [_selector(entry, namespace) for entry in selectors]
        if any((entry.get("apiVersion"), entry.get("kind")) in _SERVICE_IMPORTS for entry in selectors):
            filled["propagateDeps"] = True
    if placement := spec.get("placement"):
        filled["placement"] = _placement(placement)
    if (failover := spec.get("failover")) and failover.get("application"):
        filled["failover"] = {**failover, "application": _application(failover["application"])}
    return policy if filled == spec else {**policy, "spec": filled}


def identity(policy: Json, permanent_id: str) -> Json:
    """A new policy with its permanent id, whatever id was asked for, and with the finalizer."""
    metadata: Json = policy.get("metadata") or {}
    cluster_wide = policy.get("kind") == "ClusterPropagationPolicy"
    label = names.CLUSTER_POLICY_ID_LABEL if cluster_wide else names.POLICY_ID_LABEL
    finalizer = names.CLUSTER_POLICY_FINALIZER if cluster_wide else names.POLICY_FINALIZER
    finalizers: list[str] = list(metadata.get("finalizers") or ())
    if finalizer not in finalizers:
        finalizers.append(finalizer)
    labels = {**(metadata.get("labels") or {}), label: permanent_id}
    return {**policy, "metadata": {**metadata, "labels": labels, "finalizers": finalizers}}


def _selector(selector: Json, namespace: str) -> Json:
    return selector if selector.get("namespace") or not namespace else {**selector, "namespace": namespace}


def _placement(placement: Json) -> Json:
    filled = {**placement}
    if constraints := placement.get("spreadConstraints"):
        filled["spreadConstraints"] = [_constraint(entry) for entry in constraints]
    strategy: Any = placement.get("replicaScheduling")
    if isinstance(strategy, dict):
        divided = strategy.get("replicaSchedulingType", "Divided") == "Divided"
        if divided and not strategy.get("replicaDivisionPreference"):
            filled["replicaScheduling"] = {**strategy, "replicaDivisionPreference": "Weighted"}
    return filled


def _constraint(constraint: Json) -> Json:
    filled = {**constraint}
    if not constraint.get("spreadByField") and not constraint.get("spreadByLabel"):
        filled["spreadByField"] = "cluster"
    if not constraint.get("minGroups"):
        filled["minGroups"] = 1
    return filled


def _application(application: Json) -> Json:
    if application.get("purgeMode", "Gracefully") == "Gracefully" and application.get("gracePeriodSeconds") is None:
        return {**application, "gracePeriodSeconds": GRACE_PERIOD_SECONDS}
    return application


# -- checks -----------------------------------------------------------------------------------------------------------


def check(policy: Json, old: Json | None = None) -> list[FieldError]:
    """Faults of a policy, after `default`; with the stored one when it is an update."""
    spec = mapping(policy.get("spec"))
    namespace = text(mapping(policy.get("metadata")).get("namespace"))
    errors = _check_identity(policy, old)
    if old is not None and spec.get("schedulerName") != mapping(old.get("spec")).get("schedulerName"):
        errors.append(
            invalid("spec.schedulerName", spec.get("schedulerName"), "the schedulerName should not be updated")
        )
    preempts = spec.get("preemption") == "Always"
    for index, selector in enumerate(entries(spec.get("resourceSelectors"))):
        where = f"spec.resourceSelectors[{index}]"
        if namespace and selector.get("namespace") != namespace:
            detail = "namespace of resource selector must be the same as the namespace of the policy"
            errors.append(invalid(f"{where}.namespace", selector.get("namespace") or "", detail))
        if preempts and not selector.get("name"):
            detail = "a policy that preempts must name what it takes"
            errors.append(invalid(f"{where}.name", selector.get("name") or "", detail))
    errors += check_placement(spec.get("placement"), "spec.placement")
    errors += _check_suspension(mapping(spec.get("suspension")))
    errors += _check_failover(mapping(spec.get("failover")), propagates=bool(spec.get("propagateDeps")))
    return errors


def _check_identity(policy: Json, old: Json | None) -> list[FieldError]:
    cluster_wide = policy.get("kind") == "ClusterPropagationPolicy"
    label = names.CLUSTER_POLICY_ID_LABEL if cluster_wide else names.POLICY_ID_LABEL
    current = _label(policy, label)
    path = "metadata.labels"
    if old is not None and _label(old, label) and current != _label(old, label):
        detail = f"label {label} is immutable, it can only be set by the system during creation"
        return [invalid(path, current, detail)]
    return [] if current else [required(path, f"label {label} must be set")]


def _label(policy: Json, label: str) -> str:
    return text(mapping(mapping(policy.get("metadata")).get("labels")).get(label))


def _check_suspension(suspension: Json) -> list[FieldError]:
    listed = mapping(suspension.get("dispatchingOnClusters")).get("clusterNames")
    if suspension.get("dispatching") and listed:
        detail = "dispatching: true suspends all clusters; dispatchingOnClusters may not list any then"
        return [invalid("spec.suspension", True, detail)]
    return []


def _check_failover(failover: Json, *, propagates: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for member in ("application", "cluster"):
        rules = entries(mapping(mapping(failover.get(member)).get("statePreservation")).get("rules"))
        for index, rule in enumerate(rules):
            errors += _check_preservation(rule, f"spec.failover.{member}.statePreservation.rules[{index}]")
    if failover.get("application") is None:
        return errors
    application = mapping(failover["application"])
    path = "spec.failover.application"
    if not propagates:
        detail = "must be true where failover.application is set"
        errors.append(invalid("spec.propagateDeps", False, detail))
    seconds = mapping(application.get("decisionConditions")).get("tolerationSeconds")
    if isinstance(seconds, int) and seconds < 0:
        where = f"{path}.decisionConditions.tolerationSeconds"
        errors.append(invalid(where, seconds, "must be greater than or equal to 0"))
    grace, gracefully = application.get("gracePeriodSeconds"), application.get("purgeMode") == "Gracefully"
    where = f"{path}.gracePeriodSeconds"
    if grace is None and gracefully:
        errors.append(invalid(where, None, "must be set when purgeMode is Gracefully"))
    elif grace is not None and not gracefully:
        errors.append(invalid(where, grace, "only purgeMode Gracefully has a grace period"))
    elif isinstance(grace, int) and grace <= 0:
        errors.append(invalid(where, grace, "must be greater than 0"))
    return errors


def _check_preservation(rule: Json, path: str) -> list[FieldError]:
    alias, value = text(rule.get("aliasLabelName")), text(rule.get("jsonPath"))
    errors = [invalid(f"{path}.aliasLabelName", alias, fault) for fault in qualified_name(alias)]
    try:
        compile_path(value)
    except JsonPathError as error:
        errors.append(invalid(f"{path}.jsonPath", value, str(error)))
    return errors
