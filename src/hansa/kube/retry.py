"""When a request is sent again: the one place that decides it.

A read may always be repeated: after no answer, a 5xx, or a 429. A write is repeated after a 429 only, which says that
the server did nothing. After no answer or a 5xx nobody knows whether a write happened; its caller reads and decides.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hansa.kube.errors import ApiError, ServerError, TooManyRequests, Unreachable

T = TypeVar("T")

READ_FAULTS = (TooManyRequests, ServerError, Unreachable)
WRITE_FAULTS = (TooManyRequests,)
# 501 and 505 will be answered the same way tomorrow
HOPELESS_CODES = frozenset({501, 505})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all; the pause doubles from `first_seconds` to `longest_seconds`, with up to half as much jitter.

    A server's Retry-After replaces the pause, but nobody is held longer than `patience_seconds` by one.
    """

    attempts: int = 4
    first_seconds: float = 0.1
    longest_seconds: float = 2.0
    patience_seconds: float = 30.0
    random: Callable[[], float] = field(default=random.random)

    async def read(self, send: Callable[[], Awaitable[T]]) -> T:
        return await self._run(send, READ_FAULTS)

    async def write(self, send: Callable[[], Awaitable[T]]) -> T:
        return await self._run(send, WRITE_FAULTS)

    async def _run(self, send: Callable[[], Awaitable[T]], faults: tuple[type[Exception], ...]) -> T:
        for attempt in range(1, self.attempts):
            try:
                return await send()
            except faults as error:
                if isinstance(error, ApiError) and error.status_code in HOPELESS_CODES:
                    raise
                pause = self._pause(error, attempt)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        return await send()

    def _pause(self, error: Exception, attempt: int) -> float | None:
        """Seconds to wait, None when the server asks for more patience than there is."""
        asked = error.retry_after_seconds if isinstance(error, ApiError) else None
        jitter = 1 + self.random() / 2
        if asked is not None:
            # everybody was told the same moment: spread over a little more than it
            return asked * (1 + self.random() / 10) if asked <= self.patience_seconds else None
        return min(self.first_seconds * 2 ** (attempt - 1), self.longest_seconds) * jitter
