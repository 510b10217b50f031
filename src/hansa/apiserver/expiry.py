"""Events do not stay: each goes an hour after its last write."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from hansa.api.meta import Key
from hansa.apiserver.context import Context
from hansa.apiserver.storage import Event

TTL_SECONDS = 3600.0
SWEEP_SECONDS = 60.0
_BUCKET = "events"


class _Due(NamedTuple):
    at: float
    key: Key
    version: int


class Expiry:
    """Runs for one server. After a restart, what is there begins its hour anew."""

    def __init__(self, context: Context) -> None:
        self._context = context
        now = context.clock.monotonic()
        entries = context.storage.bucket(_BUCKET).entries.values()
        self._due = deque(_Due(now + TTL_SECONDS, entry.key, entry.version) for entry in entries)
        self._wake = asyncio.Event()
        if self._due:
            self._wake.set()
        context.storage.subscribe(self._hear)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                wait = self._due[0].at - self._context.clock.monotonic()
                if wait > 0:
                    await asyncio.sleep(max(wait, SWEEP_SECONDS))
                self._sweep()

    def _hear(self, name: str, event: Event) -> None:
        if name == _BUCKET and not event.deleted:
            due = self._context.clock.monotonic() + TTL_SECONDS
            self._due.append(_Due(due, event.new.key, event.version))
            self._wake.set()

    def _sweep(self) -> None:
        bucket = self._context.storage.bucket(_BUCKET)
        now = self._context.clock.monotonic()
        while self._due and self._due[0].at <= now:
            _, key, version = self._due.popleft()
            entry = bucket.entries.get(key)
            if entry is not None and entry.version == version:
                self._context.storage.delete(bucket, entry)
