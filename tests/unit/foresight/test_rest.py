"""Virtual time, and when a control plane has come to rest."""

from __future__ import annotations

import asyncio
import time

import pytest

from hansa.apiserver.storage import Storage
from hansa.foresight import virtual_time
from hansa.foresight.rest import LIMIT_SECONDS, QUIET_SECONDS, Rest, Restless
from hansa.runtime.controller import Controller, Requeue, Retry


def write(storage: Storage, name: str = "a", bucket: str = "configmaps") -> None:
    known = storage.bucket(bucket)
    found = known.entries.get(next((key for key in known.entries if key.name == name), None))  # type: ignore[arg-type]
    storage.put(known, {"kind": "ConfigMap", "metadata": {"name": name}}, found)


class Reconciler:
    """Does as told, once for each look."""

    def __init__(self, storage: Storage, *looks: object) -> None:
        self.storage = storage
        self.looks = list(looks)
        self.times: list[float] = []

    async def reconcile(self, key: str) -> Requeue | None:
        self.times.append(asyncio.get_running_loop().time())
        match self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]:
            case "write":
                write(self.storage)
            case "fail":
                raise Retry("not yet")
            case "poll":
                write(self.storage)
                return Requeue(5)
        return None


async def settled(storage: Storage, reconciler: Reconciler) -> float:
    """Virtual seconds until rest."""
    controller: Controller[str] = Controller("c", reconciler)
    task = asyncio.create_task(controller.run())
    controller.queue.add("key")
    try:
        await Rest(storage, [controller]).settle()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return asyncio.get_running_loop().time()


def test_a_day_of_sleep_takes_no_time():
    async def sleeps() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    before = time.monotonic()
    assert virtual_time.run(sleeps()) == pytest.approx(86_400)
    assert time.monotonic() - before < 60


def test_timers_keep_their_order_and_threads_are_waited_for():
    async def order() -> list[str]:
        found: list[str] = []
        loop = asyncio.get_running_loop()
        loop.call_later(2, found.append, "second")
        loop.call_later(1, found.append, "first")
        await asyncio.sleep(3)
        found.append(await asyncio.to_thread(lambda: "thread"))
        return found

    assert virtual_time.run(order()) == ["first", "second", "thread"]


def test_rest_is_a_quiet_time_after_the_last_write():
    storage = Storage()
    assert virtual_time.run(settled(storage, Reconciler(storage, "write"))) == pytest.approx(2 * QUIET_SECONDS)


def test_who_failed_is_tried_again_before_it_counts_as_rest():
    """A key that has failed for long waits longer than the quiet time; the write that it does then counts."""
    storage = Storage()
    reconciler = Reconciler(storage, *["fail"] * 14, "write", "done")

    async def scene() -> None:
        controller: Controller[str] = Controller("c", reconciler)
        task = asyncio.create_task(controller.run())
        controller.queue.add("key")
        await asyncio.sleep(45)  # 13 failures are behind, and the next look is 41 seconds after the last
        await Rest(storage, [controller]).settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    virtual_time.run(scene())
    assert storage.writes == 1
    assert len(reconciler.times) >= 15


def test_events_do_not_disturb():
    storage = Storage()

    async def scene() -> float:
        async def events() -> None:
            while True:
                write(storage, bucket="events")
                await asyncio.sleep(1)

        task = asyncio.create_task(events())
        found = await settled(storage, Reconciler(storage, "done"))
        task.cancel()
        return found

    assert virtual_time.run(scene()) == pytest.approx(QUIET_SECONDS)


def test_who_writes_for_ever_is_named():
    storage = Storage()
    with pytest.raises(Restless, match=r"does not come to rest: configmaps a \(\d+ times\)"):
        virtual_time.run(settled(storage, Reconciler(storage, "poll")))
    assert storage.writes >= LIMIT_SECONDS / 5
