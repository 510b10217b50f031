"""Lanes, delays, back-off and turns of the work queue."""

from __future__ import annotations

import asyncio

from prometheus_client import REGISTRY
from tests.support import virtual_time

from hansa.runtime.queue import Queue


async def take(queue: Queue[str], count: int) -> list[str]:
    got: list[str] = []
    for _ in range(count):
        got.append(await queue.get())
        queue.done(got[-1])
    return got


async def test_a_key_waits_once() -> None:
    queue: Queue[str] = Queue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert len(queue) == 2
    assert await take(queue, 2) == ["a", "b"]
    assert queue.idle


async def test_a_key_added_during_work_comes_again_after_done() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"
    queue.done("a")
    assert await queue.get() == "a"


async def test_the_low_lane_is_served_one_time_in_eight() -> None:
    queue: Queue[str] = Queue()
    for number in range(20):
        queue.add(f"low{number}", low=True)
        queue.add(f"high{number}")
    first = await take(queue, 16)
    assert sum(key.startswith("low") for key in first) == 2


async def test_a_low_key_moves_up_and_is_given_once() -> None:
    queue: Queue[str] = Queue()
    for key in ("a", "b", "c"):
        queue.add(key, low=True)
    queue.add("c")
    assert await take(queue, 3) == ["c", "a", "b"]
    assert queue.idle


async def test_in_one_lane_the_order_is_that_of_coming() -> None:
    queue: Queue[str] = Queue()
    queue.one_lane = True
    for number in range(10):
        queue.add(f"key{number}", low=number % 2 == 0)
    queue.add("key0")
    assert await take(queue, 10) == [f"key{number}" for number in range(10)]


async def test_groups_take_turns() -> None:
    queue: Queue[str] = Queue(group=lambda key: key[0])
    for key in ("a1", "a2", "a3", "a4", "b1", "c1"):
        queue.add(key)
    assert await take(queue, 6) == ["a1", "b1", "c1", "a2", "a3", "a4"]


async def test_a_group_has_no_more_workers_than_its_limit() -> None:
    queue: Queue[str] = Queue(group=lambda key: key[0], group_limit=2)
    for key in ("a1", "a2", "a3", "b1"):
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["a1", "b1", "a2"]
    third = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not third.done()
    queue.done("b1")
    await asyncio.sleep(0)
    assert not third.done()
    queue.done("a1")
    assert await third == "a3"


def test_back_off_doubles_to_its_limit_and_is_forgotten() -> None:
    async def story() -> list[float]:
        queue: Queue[str] = Queue(first_backoff_seconds=0.005, last_backoff_seconds=1000)
        pauses = [queue.add_rate_limited("a") for _ in range(20)]
        queue.forget("a")
        pauses.append(queue.add_rate_limited("a"))
        queue.close()
        return pauses

    pauses = virtual_time.run(story())
    assert pauses[:4] == [0.005, 0.01, 0.02, 0.04]
    assert pauses[19] == 1000
    assert pauses[20] == 0.005


def test_of_two_delays_the_earlier_holds() -> None:
    async def story() -> tuple[float, int]:
        queue: Queue[str] = Queue()
        queue.add_after("a", 60)
        queue.add_after("a", 5)
        queue.add_after("a", 90)
        await queue.get()
        return asyncio.get_running_loop().time(), queue.delayed

    assert virtual_time.run(story()) == (5.0, 0)


async def test_depth_is_a_metric() -> None:
    queue: Queue[str] = Queue("test-depth")
    queue.add("a")
    assert REGISTRY.get_sample_value("hansa_queue_depth", {"queue": "test-depth"}) == 1


async def test_the_highest_priority_is_served_first_whatever_its_lane() -> None:
    priorities = {"late": -1, "high": 5, "higher": 9}
    queue: Queue[str] = Queue(priority=lambda key: priorities.get(key, 0))
    assert queue.top_priority is None
    for key in ("late", "a", "high", "b"):
        queue.add(key)
    queue.add("higher", low=True)
    assert queue.top_priority == 9
    assert await take(queue, 5) == ["higher", "high", "a", "b", "late"]
    assert queue.top_priority is None


async def test_a_key_keeps_the_priority_with_which_it_began_to_wait() -> None:
    priorities = {"a": 1, "b": 2}
    queue: Queue[str] = Queue(priority=lambda key: priorities[key])
    queue.add("a")
    queue.add("b")
    priorities["a"] = 3
    queue.add("a")
    assert await take(queue, 2) == ["b", "a"]
