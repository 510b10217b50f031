"""Queue invariants under random histories: one worker a key, nothing lost, turns for all groups."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import virtual_time

from hansa.runtime.queue import Queue

Key = tuple[str, int]
KEYS = st.tuples(st.sampled_from("abc"), st.integers(0, 3))
ADDS = st.lists(
    st.tuples(
        KEYS,
        st.sampled_from(["add", "low", "after", "limited"]),
        st.sampled_from([0.0, 0.001, 0.01, 0.5]),
    ),
    max_size=60,
)


def group_of(key: Key) -> str:
    return key[0]


async def history(adds: list[tuple[Key, str, float]], workers: int, limit: int | None, seed: int) -> None:
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    queue: Queue[Key] = Queue(group=group_of, group_limit=limit)
    busy: set[Key] = set()
    groups: Counter[str] = Counter()
    added_at: dict[Key, float] = {}
    begun_at: dict[Key, float] = {}

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in busy
            busy.add(key)
            groups[key[0]] += 1
            assert limit is None or groups[key[0]] <= limit
            begun_at[key] = loop.time()
            await asyncio.sleep(rng.choice([0, 0.003, 0.2]))
            groups[key[0]] -= 1
            busy.discard(key)
            queue.done(key)

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    for key, how, pause in adds:
        match how:
            case "add":
                queue.add(key)
            case "low":
                queue.add(key, low=True)
            case "after":
                queue.add_after(key, 0.05)
            case _:
                queue.add_rate_limited(key)
        added_at[key] = loop.time()
        await asyncio.sleep(pause)
    await asyncio.sleep(3000)
    assert queue.idle
    assert queue.delayed == 0
    for key, at in added_at.items():
        assert begun_at[key] >= at, "what was added last was worked on after it"
    for task in tasks:
        assert not task.done() or task.exception() is None
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@settings(max_examples=60)
@given(ADDS, st.integers(1, 4), st.sampled_from([None, 1, 2]), st.integers(0, 100))
def test_one_worker_a_key_and_nothing_is_lost(
    adds: list[tuple[Key, str, float]], workers: int, limit: int | None, seed: int
) -> None:
    virtual_time.run(history(adds, workers, limit, seed))


async def interrupted(cancels: list[int]) -> None:
    """Workers that are cancelled while they wait hand their turn on."""
    queue: Queue[int] = Queue()
    waiting = [asyncio.create_task(queue.get()) for _ in range(len(cancels) + 2)]
    await asyncio.sleep(0)
    for number, victim in enumerate(cancels):
        queue.add(number)
        waiting[victim % len(waiting)].cancel()
    await asyncio.sleep(0.01)
    got = [task.result() for task in waiting if task.done() and not task.cancelled()]
    free = [task for task in waiting if not task.done()]
    assert len(got) == len(set(got))
    assert not free or len(queue) == 0, "no key waits beside a worker that waits"
    assert len(got) + len(queue) == len(cancels)
    for task in free:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 10), max_size=8))
def test_a_cancelled_worker_loses_no_key(cancels: list[int]) -> None:
    virtual_time.run(interrupted(cancels))
