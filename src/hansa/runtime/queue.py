"""Keys that wait to be worked on: each at most once, never twice at the same time.

A key that is added while it is being worked on waits until that is done, so no change is lost and no two workers meet
on one object. Keys have two lanes; the low one is served when the high one is empty, and one time in eight regardless,
so that it never starves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF_SECONDS = 0.005
LAST_BACKOFF_SECONDS = 1000.0
LOW_LANE_EVERY = 8


class Queue(Generic[K]):
    """A work queue. Must be used within one event loop."""

    def __init__(
        self,
        name: str = "",
        *,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
        last_backoff_seconds: float = LAST_BACKOFF_SECONDS,
    ) -> None:
        self.name = name
        self._first = first_backoff_seconds
        self._last = last_backoff_seconds
        self._lanes: tuple[deque[K], deque[K]] = (deque(), deque())
        self._dirty: dict[K, bool] = {}  # waiting, or to be done again; the value: only in the low lane
        self._processing: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._turn = 0
        self._quiet: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._dirty)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being worked on; delayed keys do not count."""
        return not self._dirty and not self._processing

    @property
    def delayed(self) -> int:
        return len(self._timers)

    def add(self, key: K, *, low: bool = False) -> None:
        """Have `key` worked on. A key that waits in the low lane moves up when it is added without `low`."""
        waiting_low = self._dirty.get(key)
        if waiting_low is not None:
            if waiting_low and not low:
                self._dirty[key] = False
                if key not in self._processing:
                    self._lanes[0].append(key)  # its entry in the low lane is skipped when it comes up
                    self._wake()
            return
        self._dirty[key] = low
        if key not in self._processing:
            self._lanes[low].append(key)
            self._wake()

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
        if not self._processing and self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)
        low = self._dirty.get(key)
        if low is not None:
            self._lanes[low].append(key)
            self._wake()

    async def wait_processed(self, seconds: float) -> None:
        """Wait until no key is being worked on, at most `seconds`."""
        if self._processing:
            self._quiet = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._quiet], timeout=seconds)

    def close(self) -> None:
        """Drop delayed keys."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _pop(self) -> K | None:
        self._turn += 1
        order = (1, 0) if self._turn % LOW_LANE_EVERY == 0 else (0, 1)
        for lane in order:
            entries = self._lanes[lane]
            while entries:
                key = entries.popleft()
                # an entry is stale when its key moved to the other lane, or was taken from there
                if key in self._processing or self._dirty.get(key) is not bool(lane):
                    continue
                del self._dirty[key]
                self._processing.add(key)
                return key
        return None

    def _due(self, key: K, low: bool) -> None:
        self._timers.pop(key, None)
        self.add(key, low=low)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
