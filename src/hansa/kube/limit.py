"""A limit on requests per second."""

from __future__ import annotations

import asyncio


class TokenBucket:
    """`qps` requests per second on average, `burst` at once. A qps of 0 means no limit."""

    def __init__(self, qps: float, burst: int) -> None:
        self._qps = qps
        self._burst = max(1, burst)
        self._tokens = float(self._burst)
        self._at: float | None = None

    def free(self) -> bool:
        """Take a turn if there is one now."""
        if self._qps <= 0:
            return True
        self._refill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def take(self) -> None:
        """Wait for a turn. Turns are given in the order of asking; who gives up hands theirs back."""
        if self.free():
            return
        self._tokens -= 1
        try:
            # the debt says how many are waiting already
            await asyncio.sleep(-self._tokens / self._qps)
        except asyncio.CancelledError:
            self._tokens += 1
            raise

    def _refill(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._qps)
        self._at = now
