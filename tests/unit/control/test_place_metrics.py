"""What is told of decisions, plug-ins and bindings that wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import pytest
from prometheus_client import REGISTRY

from hansa.api.cluster import Cluster
from hansa.api.meta import Key
from hansa.api.work import BindingSpec, BindingStatus
from hansa.control.place.backlog import Backlog
from hansa.control.place.timing import SAMPLED, Stopwatch, timed
from hansa.schedule import Request, Snapshot
from hansa.schedule.outcome import Refusal
from hansa.schedule.plugin import Filter, Plugins, Score
from hansa.schedule.snapshot import ClusterInfo

PREFIX = "karmada_scheduler_"
SPEC = {"resource": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}, "placement": {}}
REQUEST = Request.of(msgspec.convert(SPEC, BindingSpec), BindingStatus())
(INFO,) = Snapshot.of([msgspec.convert({"metadata": {"name": "m1"}}, Cluster)]).clusters


@dataclass
class Hands:
    at: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at


class Told:
    """What a metric has grown by since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = PREFIX + name, labels
        self._before = self._value()

    def _value(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0

    @property
    def more(self) -> float:
        return round(self._value() - self._before, 9)


def test_steps_are_measured_one_after_the_other() -> None:
    hands = Hands()
    watch = Stopwatch(hands)
    algorithm = "scheduling_algorithm_duration_seconds_sum"
    steps = {step: Told(algorithm, schedule_step=step) for step in ("Filter", "Score", "Select", "AssignReplicas")}
    point = "framework_extension_point_duration_seconds_count"
    good = Told(point, extension_point="Filter", result="Success")
    bad = Told(point, extension_point="Filter", result="Unschedulable")
    watch.begin()
    for step, seconds in (("Filter", 0.5), ("Score", 0.25), ("Select", 0.125), ("AssignReplicas", 2.0)):
        hands.at += seconds
        watch.over(step, True)
    hands.at += 100
    watch.begin()
    hands.at += 1
    watch.over("Filter", False)
    told = {step: each.more for step, each in steps.items()}
    assert told == {"Filter": 1.5, "Score": 0.25, "Select": 0.125, "AssignReplicas": 2.0}
    assert (good.more, bad.more) == (1, 1)


def test_plugins_answer_as_before_and_one_call_of_many_is_timed() -> None:
    hands = Hands()

    def slow(request: Request, info: ClusterInfo) -> Refusal | None:
        hands.at += 1
        return Refusal("no") if hands.at > 2 * SAMPLED else None

    def rate(request: Request, info: ClusterInfo) -> int:
        return 7

    def broken(request: Request, info: ClusterInfo) -> Refusal | None:
        raise ValueError("oops")

    plain = Plugins(
        (Filter("Slow", slow, lasting=True), Filter("Broken", broken)), (Score("Rate", rate, lasting=True),)
    )
    plugins = timed(plain, hands)
    assert [(each.name, each.lasting) for each in plugins.filters] == [("Slow", True), ("Broken", False)]
    name = "plugin_execution_duration_seconds_sum"
    good = Told(name, plugin="Slow", extension_point="Filter", result="Success")
    bad = Told(name, plugin="Slow", extension_point="Filter", result="Unschedulable")
    error = Told("plugin_execution_duration_seconds_count", plugin="Broken", extension_point="Filter", result="Error")
    answers = [plugins.filters[0](REQUEST, INFO) for _ in range(3 * SAMPLED)]
    assert answers == [None] * 2 * SAMPLED + [Refusal("no")] * SAMPLED
    assert (good.more, bad.more) == (2, 1)
    assert plugins.scores[0](REQUEST, INFO) == 7
    with pytest.raises(ValueError, match="oops"):
        plugins.filters[1](REQUEST, INFO)
    assert error.more == 1


def test_what_waits_is_told_by_why_it_does() -> None:
    told = {queue: Told("pending_bindings", queue=queue) for queue in ("active", "backoff", "unschedulable")}
    backlog = Backlog()
    backlog.waiting = lambda: 5
    for name, reason in (("a", "Unschedulable"), ("b", "QuotaExceeded"), ("c", "SchedulerError")):
        backlog.refused(Key("x", name), reason)
    assert {queue: each.more for queue, each in told.items()} == {"active": 5, "backoff": 2, "unschedulable": 1}
    backlog.settled(Key("x", "b"))
    backlog.settled(Key("x", "nobody"))
    assert backlog.sizes == (5, 1, 1)
