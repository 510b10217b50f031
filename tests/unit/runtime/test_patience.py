"""Reports wait for what is on its way, but not for ever."""

from __future__ import annotations

import asyncio

import pytest

from hansa.api.meta import Key
from hansa.runtime.patience import LONGEST_SECONDS, Patience, Traffic
from hansa.runtime.queue import Queue

pytestmark = pytest.mark.looptime(resolution=2**-20)
DELAY = 0.125
A, B = Key("ns", "a"), Key("ns", "b")


def traffic(queue: Queue[Key]) -> Traffic:
    found = Traffic()
    found.add(queue)
    return found


async def test_without_other_work_a_report_waits_for_the_delay_alone() -> None:
    queue, forward = Queue[Key](), Queue[Key]()
    patience = Patience(queue, traffic(forward), DELAY)
    patience.add(A)
    patience.add(A)
    await asyncio.sleep(DELAY / 2)
    assert len(queue) == 0
    await asyncio.sleep(DELAY)
    assert await queue.get() == A
    assert len(queue) == 0


async def test_a_report_waits_while_objects_are_on_their_way() -> None:
    queue, forward = Queue[Key](), Queue[Key]()
    patience = Patience(queue, traffic(forward), DELAY)
    forward.add(B)
    patience.add(A)
    await asyncio.sleep(1)
    assert len(queue) == 0
    await forward.get()
    await asyncio.sleep(0.25)
    assert await queue.get() == A, "what is being worked on holds nobody up"


async def test_no_report_waits_longer_than_the_limit() -> None:
    queue, forward = Queue[Key](), Queue[Key]()
    patience = Patience(queue, traffic(forward), DELAY)
    forward.add(B)
    patience.add(A)
    await asyncio.sleep(2)
    patience.add(B)
    await asyncio.sleep(LONGEST_SECONDS - 1)
    assert await queue.get() == A
    assert len(queue) == 0, "each has its own time"
    await asyncio.sleep(2)
    assert await queue.get() == B


async def test_a_report_that_comes_again_waits_again() -> None:
    queue = Queue[Key]()
    patience = Patience(queue, Traffic(), DELAY)
    for _ in range(3):
        patience.add(A)
        await asyncio.sleep(2 * DELAY)
        key = await queue.get()
        queue.done(key)
    assert queue.idle
