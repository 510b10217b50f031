"""apps.karmada.io/v1alpha1 and policy.karmada.io quotas: rebalancing and limits over the federation."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hansa.api.core import Int32, ResourceList, Time
from hansa.api.meta import Object, Wire


class WorkloadReference(Wire, frozen=True, kw_only=True):
    """A workload on the hub.

    namespace: Empty for one that belongs to no namespace.
    """

    api_version: str
    kind: str
    name: str
    namespace: str = ""


class WorkloadRebalancerSpec(Wire, frozen=True, kw_only=True):
    """Workloads to place afresh.

    ttl_seconds_after_finished: Not set: this object stays.
    """

    workloads: Annotated[list[WorkloadReference], Meta(min_length=1)]
    ttl_seconds_after_finished: Int32 | None = None


class ObservedWorkload(Wire, frozen=True, kw_only=True):
    """What came of one workload.

    result: `Successful` or `Failed`; empty while it is tried.
    """

    workload: WorkloadReference
    result: str = ""
    reason: str = ""


class WorkloadRebalancerStatus(Wire, frozen=True, kw_only=True):
    """What came of it."""

    observed_workloads: list[ObservedWorkload] | None = None
    observed_generation: int = 0
    finish_time: Time | None = None


class WorkloadRebalancer(Object, frozen=True, kw_only=True):
    """Asks for workloads to be placed afresh."""

    spec: WorkloadRebalancerSpec
    status: WorkloadRebalancerStatus | None = None


class StaticClusterAssignment(Wire, frozen=True, kw_only=True):
    """The part of one cluster."""

    cluster_name: str
    hard: ResourceList


class FederatedResourceQuotaSpec(Wire, frozen=True, kw_only=True):
    """Limits over all clusters, and parts of it for single ones."""

    overall: ResourceList
    static_assignments: list[StaticClusterAssignment] | None = None


class ClusterQuotaStatus(Wire, frozen=True, kw_only=True):
    """Limits and use in one cluster."""

    cluster_name: str
    hard: ResourceList | None = None
    used: ResourceList | None = None


class FederatedResourceQuotaStatus(Wire, frozen=True, kw_only=True):
    """Limits and use, together and by cluster."""

    overall: ResourceList | None = None
    overall_used: ResourceList | None = None
    aggregated_status: list[ClusterQuotaStatus] | None = None


class FederatedResourceQuota(Object, frozen=True, kw_only=True):
    """What a namespace may use over all clusters."""

    spec: FederatedResourceQuotaSpec
    status: FederatedResourceQuotaStatus | None = None
