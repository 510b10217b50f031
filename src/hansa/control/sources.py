"""Who an Event says that it comes from: Karmada's components, by which its users filter."""

from __future__ import annotations

EXECUTION = "execution-controller"
WORK_STATUS = "work-status-controller"
OVERRIDES = "override-manager"
CLUSTER = "cluster-controller"


def binding(kind: str) -> str:
    """Of what makes Works of a binding of that kind."""
    return "cluster-resource-binding-controller" if kind == "ClusterResourceBinding" else "binding-controller"


def binding_status(kind: str) -> str:
    """Of what gathers the status of a binding of that kind."""
    prefix = "cluster-resource" if kind == "ClusterResourceBinding" else "resource"
    return f"{prefix}-binding-status-controller"


def eviction(kind: str) -> str:
    """Of what ends the evictions of a binding of that kind."""
    prefix = "cluster-resource" if kind == "ClusterResourceBinding" else "resource"
    return f"{prefix}-binding-graceful-eviction-controller"
