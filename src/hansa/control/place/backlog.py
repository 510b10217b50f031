"""Bindings that are not placed yet, counted by why they wait when Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakSet

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hansa.api.meta import Key
from hansa.control.place.metrics import incoming
from hansa.schedule.outcome import Reason


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


REGISTRY.register(_Pending())
