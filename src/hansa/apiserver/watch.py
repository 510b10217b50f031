"""Watches: events of a resource, filtered for one reader, sent in batches, never at the cost of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import msgspec

from hansa.api.meta import Json
from hansa.apiserver.storage import Bucket, Entry, Event

MAX_PENDING_BYTES = 32 << 20
"""A reader that falls further behind is cut off; it comes back with its last version."""
BOOKMARK_SECONDS = 60.0
MIN_WAIT_SECONDS = 0.001

Matches = Callable[[Entry], bool]
Render = Callable[[str, Entry], bytes]
"""(event type, entry) -> line, for readers that want tables or metadata only."""

_encode = msgspec.json.Encoder().encode


class Watcher:
    """One reader of one bucket. Iterate `run` for its lines."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        matches: Matches | None,
        render: Render | None,
        bookmark: Callable[[int, Json | None], bytes] | None,
        current: Callable[[], int],
        timeout_seconds: float,
    ) -> None:
        self._bucket = bucket
        self._matches = matches
        self._render = render
        self._bookmark = bookmark
        self._current = current
        self._timeout = timeout_seconds
        self._pending: list[bytes] = []
        self._size = 0
        self._overflow = False
        self._wake = asyncio.Event()
        self._closed = False

    def start(self, events: list[Event], initial: list[Entry], *, announce_end: bool = False) -> None:
        """Begin with what is there, or with past events, then with everything that happens from now on."""
        for entry in initial:
            self._push(self._line("ADDED", None, entry))
        if announce_end and self._bookmark is not None:
            self._push(self._bookmark(self._current(), {"k8s.io/initial-events-end": "true"}))
        for event in events:
            self.hear(event)
        self._bucket.listeners.append(self.hear)

    def hear(self, event: Event) -> None:
        """Take one event; an object that enters the selection is ADDED, one that leaves it is DELETED."""
        is_in = not event.deleted and (self._matches is None or self._matches(event.new))
        was_in = event.old is not None and (self._matches is None or self._matches(event.old))
        if is_in:
            self._push(self._line("MODIFIED" if was_in else "ADDED", event, event.new))
        elif was_in:
            self._push(self._line("DELETED", event, event.new))

    def close(self) -> None:
        """End the stream after what is pending."""
        self._closed = True
        self._wake.set()

    async def run(self) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        next_bookmark = loop.time() + BOOKMARK_SECONDS
        try:
            while True:
                if self._pending:
                    chunk = b"".join(self._pending)
                    self._pending.clear()
                    self._size = 0
                    self._wake.clear()
                    yield chunk
                    continue
                if self._closed or self._overflow:
                    return
                now = loop.time()
                if now >= deadline:
                    if self._bookmark is not None:
                        yield self._bookmark(self._current(), None)
                    return
                if now >= next_bookmark:
                    next_bookmark = now + BOOKMARK_SECONDS
                    if self._bookmark is not None:
                        yield self._bookmark(self._current(), None)
                        continue
                # rounding may leave a wait too small to move the loop's clock
                await _wait(self._wake, max(MIN_WAIT_SECONDS, min(deadline, next_bookmark) - now))
        finally:
            if self.hear in self._bucket.listeners:
                self._bucket.listeners.remove(self.hear)

    def _line(self, kind: str, event: Event | None, entry: Entry) -> bytes:
        if self._render is not None:
            return self._render(kind, entry)
        if event is not None:
            return event.line(kind, entry)
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), entry.raw)

    def _push(self, line: bytes) -> None:
        if self._overflow:
            return
        self._size += len(line)
        if self._size > MAX_PENDING_BYTES:
            self._overflow = True
            self._pending.clear()
        else:
            self._pending.append(line)
        self._wake.set()


def bookmark_line(kind: str, api_version: str, version: int, annotations: Json | None) -> bytes:
    """A BOOKMARK event of an object of that kind, with nothing but its version."""
    meta: Json = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        meta["annotations"] = annotations
    obj = {"kind": kind, "apiVersion": api_version, "metadata": meta}
    return _encode({"type": "BOOKMARK", "object": obj}) + b"\n"


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
