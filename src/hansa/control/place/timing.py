"""Measure decisions: their steps, and the plug-ins that they ask.

What filters say is remembered, so `Filter` is the time of asking them about clusters that have changed; `Score` is the
rest of ranking. A plug-in is timed one call in SAMPLED: the others cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from hansa.base.clock import Clock
from hansa.control.place.metrics import PLUGIN_SECONDS, POINT_SECONDS, STEP_SECONDS
from hansa.runtime.durations import Series
from hansa.schedule.outcome import Refusal
from hansa.schedule.plugin import Filter, Plugins, Score
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo
from hansa.schedule.watch import Step

SAMPLED = 16
SUCCESS, UNSCHEDULABLE, ERROR = "Success", "Unschedulable", "Error"
V = TypeVar("V")
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
