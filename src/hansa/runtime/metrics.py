"""What Hansa tells Prometheus. Children are bound once, so that an observation costs half a microsecond."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hansa.kube.metrics import REQUESTS as REQUESTS  # the client counts; one registry serves both layers

RECONCILES = Counter("hansa_reconcile_total", "Reconciliations by outcome.", ["controller", "outcome"])
RECONCILE_SECONDS = Histogram(
    "hansa_reconcile_seconds",
    "Time of one reconciliation.",
    ["controller"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
)
EVENTS_DROPPED = Counter("hansa_events_dropped_total", "Kubernetes Events that were not written.")
MEMBERS_READY = Gauge("hansa_member_ready", "1 when the member answers and is healthy.", ["cluster"])
SERVICES_SILENT_SECONDS = Gauge(
    "hansa_services_silent_seconds", "How long exports of a cluster have not been heard of.", ["cluster"]
)
LOOP_LAG_SECONDS = Histogram(
    "hansa_event_loop_lag_seconds",
    "How late the event loop runs a timer.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1),
)
LAG_PROBE_SECONDS = 0.1
OUTCOMES = ("success", "retry", "error", "terminal", "panic")


def forget_member(name: str) -> None:
    """Stop showing a member that left."""
    with suppress(KeyError):
        MEMBERS_READY.remove(name)


class ReconcileMetrics:
    """The bound children of one controller."""

    def __init__(self, controller: str) -> None:
        self._outcomes = {outcome: RECONCILES.labels(controller, outcome) for outcome in OUTCOMES}
        self._seconds = RECONCILE_SECONDS.labels(controller)

    def __call__(self, outcome: str, seconds: float) -> None:
        self._outcomes[outcome].inc()
        self._seconds.observe(seconds)


async def watch_loop_lag() -> None:
    """Measure how late timers run, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_PROBE_SECONDS
        await asyncio.sleep(LAG_PROBE_SECONDS)
        LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - due))


class Depth(Protocol):
    """What a queue tells of itself."""

    name: str

    def __len__(self) -> int: ...

    @property
    def delayed(self) -> int: ...


QUEUES: WeakSet[Depth] = WeakSet()
"""All queues there are; those without a name are not shown."""


class _QueueCollector(Collector):
    """Reads the queues when somebody asks, so that adding a key costs nothing."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        waiting = GaugeMetricFamily("hansa_queue_depth", "Keys that wait.", labels=["queue"])
        delayed = GaugeMetricFamily("hansa_queue_delayed", "Keys that wait for their time.", labels=["queue"])
        sums: dict[str, list[int]] = {}
        for queue in list(QUEUES):
            if queue.name:
                of_name = sums.setdefault(queue.name, [0, 0])
                of_name[0] += len(queue)
                of_name[1] += queue.delayed
        for name, (depth, later) in sorted(sums.items()):
            waiting.add_metric([name], depth)
            delayed.add_metric([name], later)
        return [waiting, delayed]


REGISTRY.register(_QueueCollector())
