"""How long to wait before trying again."""

from __future__ import annotations

import random

FIRST_SECONDS = 0.2
LAST_SECONDS = 30.0


class Backoff:
    """Pauses that double from `first` to `last` seconds, each up to half as long again by chance."""

    def __init__(self, rng: random.Random, *, first: float = FIRST_SECONDS, last: float = LAST_SECONDS) -> None:
        self.failures = 0
        self._rng = rng
        self._first = first
        self._last = last

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        pause = min(self._first * 2 ** min(self.failures, 30), self._last)
        self.failures += 1
        return pause * (1 + self._rng.random() / 2)

    def again_now_or_later(self) -> float:
        """Seconds to wait after something that is expected once: none the first time."""
        if self.failures == 0:
            self.failures = 1
            return 0.0
        return self.next()

    def reset(self) -> None:
        """It works again."""
        self.failures = 0
