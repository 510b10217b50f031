"""Keys that wait to be worked on: each at most once, never twice at the same time.

A key that is added while it is being worked on waits until that is done, so no change is lost and no two workers meet
on one object. Keys have two lanes; the low one is served when the high one is empty, and one time in eight regardless,
so that it never starves. Within a lane groups (clusters, say) take turns, and no group has more than its limit of
workers, so that one dead member cannot keep all of them waiting. Keys may have priorities: the highest that waits is
served first, whatever its lane; a key keeps the priority that it had when it began to wait.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from hansa.runtime import metrics

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF_SECONDS = 0.005
LAST_BACKOFF_SECONDS = 1000.0
LOW_LANE_EVERY = 8


class Queue(Generic[K]):
    """A work queue. Must be used within one event loop.

    `group` tells which keys belong together; `group_limit` is how many keys of one group are worked on at a time.
    `priority` is asked when a key begins to wait; without it all are equal, and the order is that of their coming.
    `one_lane`: no key waits behind others for being of the low lane; set before the first key comes.
    """

    def __init__(
        self,
        name: str = "",
        *,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
        last_backoff_seconds: float = LAST_BACKOFF_SECONDS,
        group: Callable[[K], Hashable] | None = None,
        group_limit: int | None = None,
        priority: Callable[[K], int] | None = None,
    ) -> None:
        self.name = name
        self.one_lane = False
        self._first = first_backoff_seconds
        self._last = last_backoff_seconds
        self._group = group
        self._limit = group_limit if group is not None else None
        self._priority = priority
        self._lanes: tuple[_Lane[K], _Lane[K]] = (_Lane(), _Lane())
        self._dirty: dict[K, bool] = {}  # waiting, or to be done again; the value: only in the low lane
        self._processing: set[K] = set()
        self._busy: Counter[Hashable] = Counter()  # keys being worked on by group, where there is a limit
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._turn = 0
        self._quiet: list[asyncio.Future[None]] = []
        metrics.QUEUES.add(self)

    def __len__(self) -> int:
        return len(self._dirty)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being worked on; delayed keys do not count."""
        return not self._dirty and not self._processing

    @property
    def top_priority(self) -> int | None:
        """The highest of the keys that wait; None when none does."""
        tops = [top for lane in self._lanes if (top := lane.top) is not None]
        return max(tops, default=None) if self._dirty else None

    @property
    def delayed(self) -> int:
        return len(self._timers)

    @property
    def last_retry(self) -> float:
        """Loop time at which every key that has failed will have been tried again; 0 when there is none."""
        return max((timer.when() for key, timer in self._timers.items() if key in self._failures), default=0.0)

    def add(self, key: K, *, low: bool = False) -> None:
        """Have `key` worked on. A key that waits in the low lane moves up when it is added without `low`."""
        low = low and not self.one_lane
        waiting_low = self._dirty.get(key)
        if waiting_low is not None and (low or not waiting_low):
            return
        self._dirty[key] = low  # after a move up, the entry in the low lane is skipped when it comes up
        if key not in self._processing:
            self._push(key, low)

    def add_after(self, key: K, seconds: float, *, low: bool = False) -> None:
        """Add `key` later; of several times for one key, the earliest holds."""
        if seconds <= 0:
            self.add(key, low=low)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        when = loop.time() + seconds
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._due, key, low)

    def add_rate_limited(self, key: K, *, low: bool = False) -> float:
        """Add `key` after its back-off, which doubles with every failure. Returns the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = min(self._first * 2 ** min(failures, 60), self._last)
        self.add_after(key, seconds, low=low)
        return seconds

    def failures(self, key: K) -> int:
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """`key` succeeded: its next failure backs off from the start."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; the caller must call `done` with it."""
        while True:
            key = self._pop()
            if key is not None:
                return key
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                else:
                    self._wake()  # our turn goes to somebody else
                raise

    def done(self, key: K) -> None:
        """`key` has been worked on; if it was added meanwhile, it waits again."""
        self._processing.discard(key)
        if self._limit is not None:
            self._release(self._group_of(key))
        low = self._dirty.get(key)
        if low is not None:
            self._push(key, low)
        if not self._processing:
            for quiet in self._quiet:
                if not quiet.done():
                    quiet.set_result(None)
            self._quiet.clear()

    async def wait_processed(self, seconds: float) -> None:
        """Wait until no key is being worked on, at most `seconds`."""
        if self._processing:
            quiet = asyncio.get_running_loop().create_future()
            self._quiet.append(quiet)
            await asyncio.wait([quiet], timeout=seconds)

    def close(self) -> None:
        """Drop delayed keys."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # -- within ------------------------------------------------------------------------------------------------------

    def _group_of(self, key: K) -> Hashable:
        return self._group(key) if self._group is not None else None

    def _push(self, key: K, low: bool) -> None:
        priority = self._priority(key) if self._priority is not None else 0
        self._lanes[low].push(self._group_of(key), key, priority)
        self._wake()

    def _pop(self) -> K | None:
        self._turn += 1
        order = (1, 0) if self._turn % LOW_LANE_EVERY == 0 else (0, 1)
        while (number := self._next_lane(order)) is not None:
            group, key = self._lanes[number].pop()
            # an entry is stale when its key moved to the other lane, or was taken from there
            if key in self._processing or self._dirty.get(key) is not bool(number):
                continue
            del self._dirty[key]
            self._processing.add(key)
            if self._limit is not None:
                self._take(group, self._limit)
            return key
        return None

    def _next_lane(self, order: tuple[int, int]) -> int | None:
        """The lane with the highest priority, of equal ones the first in `order`; None when nothing can be served."""
        first, second = (self._lanes[number].top for number in order)
        if first is None:
            return None if second is None else order[1]
        return order[1] if second is not None and second > first else order[0]

    def _take(self, group: Hashable, limit: int) -> None:
        self._busy[group] += 1
        if self._busy[group] >= limit:
            for lane in self._lanes:
                lane.park(group)

    def _release(self, group: Hashable) -> None:
        self._busy[group] -= 1
        if self._busy[group] <= 0:
            del self._busy[group]
        # a list: both lanes must hear of it
        if any([lane.unpark(group) for lane in self._lanes]):  # noqa: C419
            self._wake()

    def _due(self, key: K, low: bool) -> None:
        self._timers.pop(key, None)
        self.add(key, low=low)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class _Lane(Generic[K]):
    """Waiting keys by group; groups take turns. A parked group keeps its keys but gets no turn."""

    def __init__(self) -> None:
        # by group a heap of (-priority, number, key): of equal priority the first that came is first
        self._ring: OrderedDict[Hashable, list[tuple[int, int, K]]] = OrderedDict()
        self._parked: dict[Hashable, list[tuple[int, int, K]]] = {}
        self._numbers = count()

    @property
    def top(self) -> int | None:
        """Priority of what `pop` would return; None when it would not."""
        for waiting in self._ring.values():
            return -waiting[0][0]
        return None

    def push(self, group: Hashable, key: K, priority: int) -> None:
        waiting = self._parked.get(group)
        if waiting is None:
            waiting = self._ring.get(group)
        if waiting is None:
            waiting = self._ring[group] = []
        heappush(waiting, (-priority, next(self._numbers), key))

    def pop(self) -> tuple[Hashable, K]:
        group, waiting = next(iter(self._ring.items()))
        _, _, key = heappop(waiting)
        if waiting:
            self._ring.move_to_end(group)
        else:
            del self._ring[group]
        return group, key

    def park(self, group: Hashable) -> None:
        self._parked[group] = self._ring.pop(group, None) or []

    def unpark(self, group: Hashable) -> bool:
        """Give the group turns again, if it had none; whether it has keys that wait."""
        waiting = self._parked.pop(group, None)
        if waiting:
            self._ring[group] = waiting
        return group in self._ring
