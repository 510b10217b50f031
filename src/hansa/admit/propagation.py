"""Defaults of PropagationPolicies and ClusterPropagationPolicies (policy.karmada.io/v1alpha1)."""

from __future__ import annotations

from typing import Any

from hansa.api import names
from hansa.api.meta import Json

_SERVICE_IMPORT = ("multicluster.x-k8s.io/v1alpha1", "ServiceImport")
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
        if any((entry.get("apiVersion"), entry.get("kind")) == _SERVICE_IMPORT for entry in selectors):
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
