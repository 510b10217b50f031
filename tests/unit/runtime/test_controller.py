"""What a controller does with outcomes, with failures, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.support import virtual_time
from tests.support.scripted_server import ScriptedServer

from hansa.api import scheme
from hansa.kube.client import Client
from hansa.kube.errors import Conflict
from hansa.runtime.cache import Cache
from hansa.runtime.controller import Controller, Requeue, Terminal
from hansa.runtime.informer import State
from hansa.runtime.queue import Queue


@dataclass
class Scripted:
    """Does what it is told, attempt by attempt."""

    outcomes: list[Exception | Requeue | None]
    at: list[float] = field(default_factory=list)

    async def reconcile(self, key: str) -> Requeue | None:
        self.at.append(round(asyncio.get_running_loop().time(), 6))
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def attempts(*outcomes: Exception | Requeue | None) -> list[float]:
    async def story() -> list[float]:
        reconciler = Scripted(list(outcomes))
        controller = Controller("scripted", reconciler, workers=2)
        running = asyncio.create_task(controller.run())
        controller.queue.add("a")
        await asyncio.sleep(5000)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return reconciler.at

    return virtual_time.run(story())


def test_success_is_the_end() -> None:
    assert attempts(None) == [0]


def test_requeue_is_a_timer() -> None:
    assert attempts(Requeue(30.0), None) == [0, 30]


def test_failures_back_off_whatever_they_are() -> None:
    assert attempts(Conflict("stale"), ValueError("a bug"), KeyError("another")) == [0, 0.005, 0.015, 0.035]


def test_success_forgets_failures() -> None:
    assert attempts(ValueError(), Requeue(10.0), ValueError(), None) == [0, 0.005, 10.005, 10.01]


def test_terminal_is_not_tried_again() -> None:
    assert attempts(Terminal("no such thing"), None) == [0]


def test_a_cancellation_from_within_does_not_end_a_worker() -> None:
    @dataclass
    class Cancelling:
        count: int = 0

        async def reconcile(self, key: str) -> Requeue | None:
            self.count += 1
            if self.count == 1:
                raise asyncio.CancelledError
            return None

    async def story() -> int:
        reconciler = Cancelling()
        controller = Controller("cancelling", reconciler, workers=1)
        running = asyncio.create_task(controller.run())
        controller.queue.add("a")
        await asyncio.sleep(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return reconciler.count

    assert virtual_time.run(story()) == 2


@dataclass
class Slow:
    sleep: Callable[[str], Awaitable[None]]
    finished: list[str] = field(default_factory=list)

    async def reconcile(self, key: str) -> Requeue | None:
        await self.sleep(key)
        self.finished.append(key)
        return None


def test_shutdown_finishes_what_is_being_worked_on_and_starts_nothing_new() -> None:
    async def story() -> list[str]:
        reconciler = Slow(lambda key: asyncio.sleep(2))
        controller = Controller("draining", reconciler, workers=1)
        running = asyncio.create_task(controller.run())
        controller.queue.add("a")
        controller.queue.add("b")
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return reconciler.finished

    assert virtual_time.run(story()) == ["a"]


def test_shutdown_does_not_wait_for_ever() -> None:
    async def story() -> float:
        loop = asyncio.get_running_loop()
        controller = Controller("stuck", Slow(lambda key: asyncio.sleep(1e6)), workers=1)
        running = asyncio.create_task(controller.run())
        controller.queue.add("a")
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return loop.time()

    assert virtual_time.run(story()) < 6


def test_a_dead_member_does_not_delay_the_others() -> None:
    """Two of eight workers are stuck on the dead one; the other keys go on at once."""

    async def story() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        last = 0.0

        async def ask(key: str) -> None:
            nonlocal last
            if key.startswith("dead"):
                await asyncio.sleep(120)
            else:
                await asyncio.sleep(0.01)
                last = loop.time()

        queue: Queue[str] = Queue(group=lambda key: key.split("/")[0], group_limit=2)
        reconciler = Slow(ask)
        controller = Controller("fleet", reconciler, workers=8, queue=queue)
        running = asyncio.create_task(controller.run())
        for number in range(100):
            queue.add(f"dead/{number}")
        for number in range(100):
            queue.add(f"alive{number % 5}/{number}")
        await asyncio.sleep(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return len(reconciler.finished), last

    finished, last = virtual_time.run(story())
    assert finished == 100
    assert last < 0.5


def test_nothing_is_worked_on_before_the_caches_are_complete() -> None:
    async def story() -> list[float]:
        server = ScriptedServer(latency_seconds=3.0)
        cache = Cache(Client(server))
        reconciler = Scripted([])
        controller = Controller("waiting", reconciler, needs=[cache.informer(scheme.CONFIGMAPS)])
        running = asyncio.create_task(controller.run())
        controller.queue.add("a")
        await asyncio.sleep(2)
        assert not controller.ready.is_set()
        assert reconciler.at == []
        await asyncio.sleep(2)
        assert controller.ready.is_set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await cache.close()
        return reconciler.at

    assert virtual_time.run(story()) == [3.0]


def test_a_controller_whose_kind_is_gone_does_not_start() -> None:
    async def story() -> None:
        server = ScriptedServer(served=False)
        cache = Cache(Client(server))
        informer = cache.informer(scheme.CONFIGMAPS)
        controller = Controller("groundless", Scripted([]), needs=[informer])
        await controller.run()
        assert informer.state is State.GONE
        assert not controller.ready.is_set()
        await cache.close()

    virtual_time.run(story())
