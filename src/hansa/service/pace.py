"""At most one write in a while for each key: the first at once, and what changes meanwhile is written together."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Pace(Generic[K]):
    """Times are those of one monotonic clock, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next: dict[K, float] = {}

    def __len__(self) -> int:
        """Keys that are waited for."""
        return len(self._next)

    def wait(self, key: K, now: float) -> float:
        """Seconds until it may be written; 0 when it may now."""
        left = self._next.get(key, now) - now
        if left <= 0:
            self._next.pop(key, None)
        return max(0.0, left)

    def wrote(self, key: K, now: float) -> None:
        self._next[key] = now + self._seconds
