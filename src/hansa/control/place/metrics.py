"""What the scheduler tells Prometheus, under the names and labels of Karmada's. Bindings that wait are in `backlog`."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import REGISTRY, Counter

from hansa.runtime.durations import Durations, doubling

Event = Literal["BindingAdd", "BindingUpdate", "ClusterChanged", "ScheduleAttemptFailure"]
"""Why a binding is to be looked at."""
Kind = Literal["ReconcileSchedule", "ScaleSchedule"]

ATTEMPTS = Counter(
    "karmada_scheduler_schedule_attempts_total",
    "Attempts to schedule a binding.",
    ["result", "schedule_type"],
)
INCOMING = Counter(
    "karmada_scheduler_queue_incoming_bindings_total", "Bindings that came to be scheduled, by event.", ["event"]
)
_incoming = {event: INCOMING.labels(event) for event in get_args(Event)}
ATTEMPT_SECONDS = Durations(
    "karmada_scheduler_e2e_scheduling_duration_seconds",
    "Time of an attempt to schedule a binding, with what is written.",
    ["result", "schedule_type"],
    doubling(0.001, 15),
)
STEP_SECONDS = Durations(
    "karmada_scheduler_scheduling_algorithm_duration_seconds",
    "Time of a step of a decision.",
    ["schedule_step"],
    doubling(0.00001, 20),
)
POINT_SECONDS = Durations(
    "karmada_scheduler_framework_extension_point_duration_seconds",
    "Time of all plug-ins of an extension point in a decision.",
    ["extension_point", "result"],
    doubling(0.00001, 20),
)
PLUGIN_SECONDS = Durations(
    "karmada_scheduler_plugin_execution_duration_seconds",
    "Time of one plug-in for one cluster.",
    ["plugin", "extension_point", "result"],
    doubling(0.0000001, 20, 1.8),
)
for _durations in (ATTEMPT_SECONDS, STEP_SECONDS, POINT_SECONDS, PLUGIN_SECONDS):
    REGISTRY.register(_durations)


def incoming(event: Event) -> None:
    _incoming[event].inc()


def attempted(kind: Kind, seconds: float, *, scheduled: bool) -> None:
    result = "scheduled" if scheduled else "error"
    ATTEMPTS.labels(result, kind).inc()
    ATTEMPT_SECONDS.labels(result, kind).observe(seconds)
