"""An event loop whose time jumps to the next timer when nothing is left to do.

What is rehearsed on it takes as long as its computing does: a back-off of a minute costs nothing, and the order of
events is that of a machine that is infinitely fast.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at zero. Sockets and threads work, but waiting for them is not counted."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self._advance))

    def time(self) -> float:
        return self._now

    def _advance(self, seconds: float) -> None:
        self._now += seconds


class _Jumping(selectors.DefaultSelector):
    """Looks without waiting; the time that it was to wait passes at once."""

    def __init__(self, advance: Any) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)  # no timer at all: only another thread can go on
        ready = super().select(0)
        if not ready and timeout > 0:
            self._advance(timeout)
        return ready


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own. Must not be called within a running loop of the same thread."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)
