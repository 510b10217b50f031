"""apps.karmada.io/v1alpha1 and policy.karmada.io quotas: rebalancing and limits over the federation."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hansa.api.core import Int32, ResourceList, Time
from hansa.api.meta import Object, Wire


class WorkloadReference(Wire, frozen=True, kw_only=True):
    api_version: str
    kind: str
    name: str
    namespace: str = ""


class WorkloadRebalancerSpec(Wire, frozen=True, kw_only=True):
    workloads: Annotated[list[WorkloadReference], Meta(min_length=1)]
    ttl_seconds_after_finished: Int32 | None = None


class ObservedWorkload(Wire, frozen=True, kw_only=True):
    workload: WorkloadReference
    result: str = ""
    reason: str = ""


class WorkloadRebalancerStatus(Wire, frozen=True, kw_only=True):
    observed_workloads: list[ObservedWorkload] | None = None
    observed_generation: int = 0
    finish_time: Time | None = None


class WorkloadRebalancer(Object, frozen=True, kw_only=True):
    """Asks for workloads to be placed afresh."""

    spec: WorkloadRebalancerSpec
    status: WorkloadRebalancerStatus | None = None


class StaticClusterAssignment(Wire, frozen=True, kw_only=True):
    cluster_name: str
    hard: ResourceList


class FederatedResourceQuotaSpec(Wire, frozen=True, kw_only=True):
    overall: ResourceList
    static_assignments: list[StaticClusterAssignment] | None = None


class ClusterQuotaStatus(Wire, frozen=True, kw_only=True):
    cluster_name: str
    hard: ResourceList | None = None
    used: ResourceList | None = None


class FederatedResourceQuotaStatus(Wire, frozen=True, kw_only=True):
    overall: ResourceList | None = None
    overall_used: ResourceList | None = None
    aggregated_status: list[ClusterQuotaStatus] | None = None


class FederatedResourceQuota(Object, frozen=True, kw_only=True):
    """What a namespace may use over all clusters."""

    spec: FederatedResourceQuotaSpec
    status: FederatedResourceQuotaStatus | None = None
