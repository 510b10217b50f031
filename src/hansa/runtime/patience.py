"""Reports step back while objects wait for their way to members.

Both go through the same hub. What users wait for first is the object in its member; a status that comes a little later
is written once instead of twice, because by then more is known.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hansa.api.meta import Key
from hansa.runtime.queue import Queue

LONGEST_SECONDS = 30.0
"""No report waits longer than this, however much is on its way."""
TICK_SECONDS = 0.05


class Traffic:
    """The queues on the way to members. Whoever makes one adds it."""

    def __init__(self) -> None:
        self._queues: list[Queue[Any]] = []

    def add(self, queue: Queue[Any]) -> None:
        self._queues.append(queue)

    @property
    def jammed(self) -> bool:
        """Whether a key waits for a worker. Keys that are being worked on do not count: steady traffic has some."""
        return any(len(queue) for queue in self._queues)


class Patience:
    """Holds keys back from `queue`: for `delay_seconds`, and while the traffic is jammed."""

    def __init__(self, queue: Queue[Key], traffic: Traffic, delay_seconds: float) -> None:
        self._queue = queue
        self._traffic = traffic
        self._delay = delay_seconds
        self._since: dict[Key, float] = {}  # in the order of their coming
        self._ticking = False

    def add(self, key: Key) -> None:
        """Of several times for one key, the first counts."""
        loop = asyncio.get_running_loop()
        self._since.setdefault(key, loop.time())
        if not self._ticking:
            self._ticking = True
            loop.call_later(self._delay, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() - (LONGEST_SECONDS if self._traffic.jammed else self._delay)
        while self._since:
            key, since = next(iter(self._since.items()))
            if since > due:
                break
            del self._since[key]
            self._queue.add(key, low=True)
        self._ticking = bool(self._since)
        if self._ticking:
            loop.call_later(TICK_SECONDS, self._tick)
