"""Reports step back while objects are on their way to members.

Both go through the same hub. What users wait for first is the object in its member; a status that comes a little later
is written once instead of twice, because by then more is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hansa.api.meta import Key
from hansa.runtime.queue import Queue

LONGEST_SECONDS = 5.0
"""No report waits longer than this, however much is on its way."""
TICK_SECONDS = 0.05


class Patience:
    """Holds keys back from `queue`: for `delay_seconds`, and while any of the queues `forward` has work."""

    def __init__(self, queue: Queue[Key], forward: Sequence[Queue[Any]], delay_seconds: float) -> None:
        self._queue = queue
        self._forward = forward
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
        delay = self._delay if all(queue.idle for queue in self._forward) else LONGEST_SECONDS
        due = loop.time() - delay
        while self._since:
            key, since = next(iter(self._since.items()))
            if since > due:
                break
            del self._since[key]
            self._queue.add(key, low=True)
        self._ticking = bool(self._since)
        if self._ticking:
            loop.call_later(TICK_SECONDS, self._tick)
