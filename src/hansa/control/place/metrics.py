"""What the scheduler tells Prometheus, under the names and labels of Karmada's.

What filters say is remembered, so `Filter` is the time of asking them about clusters that have changed; `Score` is the
rest of ranking. A plug-in is timed one call in SAMPLED: the others cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar, get_args
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hansa.api.meta import Key
from hansa.base.clock import Clock
from hansa.runtime.durations import Durations, Series, doubling
from hansa.schedule.outcome import Reason, Refusal
from hansa.schedule.plugin import Filter, Plugins, Score
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo
from hansa.schedule.watch import Step

SAMPLED = 16
Event = Literal["BindingAdd", "BindingUpdate", "ClusterChanged", "ScheduleAttemptFailure"]
"""Why a binding is to be looked at."""
Kind = Literal["ReconcileSchedule", "ScaleSchedule"]
V = TypeVar("V")

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
SUCCESS, UNSCHEDULABLE, ERROR = "Success", "Unschedulable", "Error"
_POINTS: tuple[Step, ...] = ("Filter", "Score")
_INNER: tuple[Step, ...] = ("Select", "AssignReplicas")
_SERIES: Mapping[Step, tuple[Series, Series]] = {
    # whether the decision can go on is the index
    **{step: (POINT_SECONDS.labels(step, UNSCHEDULABLE), POINT_SECONDS.labels(step, SUCCESS)) for step in _POINTS},
    **{step: (STEP_SECONDS.labels(step), STEP_SECONDS.labels(step)) for step in _INNER},
}
for _step in _POINTS:
    for _one in _SERIES[_step]:
        STEP_SECONDS.includes(_one, _step)


class Stopwatch:
    """Measures the steps of decisions, one decision after the other."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._last = 0.0

    def begin(self) -> None:
        self._last = self._now()

    def over(self, step: Step, good: bool) -> None:
        """A Watch."""
        now = self._now()
        _SERIES[step][good].observe(now - self._last)
        self._last = now


def incoming(event: Event) -> None:
    _incoming[event].inc()


def attempted(kind: Kind, seconds: float, *, scheduled: bool) -> None:
    result = "scheduled" if scheduled else "error"
    ATTEMPTS.labels(result, kind).inc()
    ATTEMPT_SECONDS.labels(result, kind).observe(seconds)


def timed(plugins: Plugins, clock: Clock) -> Plugins:
    """The same plug-ins; what they take is seen."""

    def one(plugin: Filter) -> Filter:
        check = _sampled(plugin.check, plugin.name, "Filter", clock)
        return Filter(plugin.name, check, plugin.lasting, plugin.applies)

    def other(plugin: Score) -> Score:
        return Score(plugin.name, _sampled(plugin.rate, plugin.name, "Score", clock), plugin.lasting)

    return Plugins(tuple(map(one, plugins.filters)), tuple(map(other, plugins.scores)))


def _sampled(
    ask: Callable[[Request, ClusterInfo], V], name: str, point: str, clock: Clock
) -> Callable[[Request, ClusterInfo], V]:
    series = {result: PLUGIN_SECONDS.labels(name, point, result) for result in (SUCCESS, UNSCHEDULABLE, ERROR)}
    calls = -1

    def asked(request: Request, info: ClusterInfo) -> V:
        nonlocal calls
        calls += 1
        if calls % SAMPLED:
            return ask(request, info)
        begun, result = clock.monotonic(), ERROR
        try:
            answer = ask(request, info)
            result = UNSCHEDULABLE if isinstance(answer, Refusal) else SUCCESS
        finally:
            series[result].observe(clock.monotonic() - begun)
        return answer

    return asked


class Backlog:
    """Bindings of one scheduler that are not placed yet. `waiting` tells how many wait for their turn."""

    def __init__(self) -> None:
        self.waiting: Callable[[], int] = lambda: 0
        self._refused: dict[Key, Reason] = {}
        _BACKLOGS.add(self)

    def refused(self, key: Key, reason: Reason) -> None:
        """It is to be tried again after a pause."""
        self._refused[key] = reason
        incoming("ScheduleAttemptFailure")

    def settled(self, key: Key) -> None:
        """It is looked at again, or gone."""
        self._refused.pop(key, None)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Those that wait, those whose pause is short, and those for which there is no room."""
        full = sum(reason == "Unschedulable" for reason in self._refused.values())
        return self.waiting(), len(self._refused) - full, full


_BACKLOGS: WeakSet[Backlog] = WeakSet()


class _Pending(Collector):
    """Asks the schedulers when somebody looks."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily("karmada_scheduler_pending_bindings", "Bindings not placed yet.", labels=["queue"])
        sizes = [backlog.sizes for backlog in list(_BACKLOGS)]
        for position, queue in enumerate(("active", "backoff", "unschedulable")):
            family.add_metric([queue], sum(size[position] for size in sizes))
        return [family]


for _collector in (ATTEMPT_SECONDS, STEP_SECONDS, POINT_SECONDS, PLUGIN_SECONDS, _Pending()):
    REGISTRY.register(_collector)
