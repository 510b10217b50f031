"""Run a coroutine on a loop of its own whose time is virtual: a day of sleeping takes no time."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Coroutine
from typing import Any, TypeVar

import looptime

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    with warnings.catch_warnings(), asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(work)


def _loop() -> asyncio.AbstractEventLoop:
    loop = looptime.new_event_loop(start=0.0)
    loop.setup_looptime(_enabled=True)
    return loop
