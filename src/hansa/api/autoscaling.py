"""autoscaling.karmada.io/v1alpha1: autoscalers over several clusters."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from hansa.api.core import Int32, Time, embedded
from hansa.api.meta import Object, Wire


class CrossVersionObjectReference(Wire, frozen=True, kw_only=True):
    """The object that is scaled."""

    kind: str
    name: str
    api_version: str = ""


class FederatedHpaSpec(Wire, frozen=True, kw_only=True):
    """What is scaled, between which limits, by which metrics.

    min_replicas: Not set: 1.
    """

    scale_target_ref: CrossVersionObjectReference
    max_replicas: Int32
    min_replicas: Int32 | None = None
    metrics: list[Annotated[dict[str, Any], embedded("io.k8s.api.autoscaling.v2.MetricSpec")]] | None = None
    behavior: (
        Annotated[dict[str, Any], embedded("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior")] | None
    ) = None


class FederatedHPA(Object, frozen=True, kw_only=True):
    """Scales a template's replicas over all its clusters."""

    spec: FederatedHpaSpec
    status: Annotated[dict[str, Any], embedded("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus")] | None = None


class CronFederatedHpaRule(Wire, frozen=True, kw_only=True):
    """What to set, when.

    name: Unique in the object.
    schedule: Five fields of cron, or a macro such as `@daily`.
    target_replicas: For workloads.
    target_min_replicas: For a FederatedHPA.
    target_max_replicas: For a FederatedHPA.
    suspend: True: it does not fire.
    time_zone: IANA name; none: that of the control plane.
    """

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    schedule: str
    target_replicas: Int32 | None = None
    target_min_replicas: Int32 | None = None
    target_max_replicas: Int32 | None = None
    suspend: Annotated[bool, Meta(extra_json_schema={"default": False})] | None = None
    time_zone: str | None = None
    successful_history_limit: Annotated[int, Meta(ge=1, le=32, extra_json_schema={"default": 3, "format": "int32"})] = 3
    failed_history_limit: Annotated[int, Meta(ge=0, le=32, extra_json_schema={"default": 3, "format": "int32"})] = 3


class CronFederatedHpaSpec(Wire, frozen=True, kw_only=True):
    """What is scaled, and when."""

    scale_target_ref: CrossVersionObjectReference
    rules: list[CronFederatedHpaRule]


class SuccessfulExecution(Wire, frozen=True, kw_only=True):
    """What was set."""

    schedule_time: Time
    execution_time: Time
    applied_replicas: Int32 | None = None
    applied_max_replicas: Int32 | None = None
    applied_min_replicas: Int32 | None = None


class FailedExecution(Wire, frozen=True, kw_only=True):
    """Why nothing was set."""

    schedule_time: Time
    execution_time: Time
    message: str


class ExecutionHistory(Wire, frozen=True, kw_only=True):
    """What a rule did, newest first."""

    rule_name: str
    next_execution_time: Time | None = None
    successful_executions: list[SuccessfulExecution] | None = None
    failed_executions: list[FailedExecution] | None = None


class CronFederatedHpaStatus(Wire, frozen=True, kw_only=True):
    """What the rules did."""

    execution_histories: list[ExecutionHistory] | None = None


class CronFederatedHPA(Object, frozen=True, kw_only=True):
    """Scales a workload, or a FederatedHPA, at set times."""

    spec: CronFederatedHpaSpec
    status: CronFederatedHpaStatus | None = None
