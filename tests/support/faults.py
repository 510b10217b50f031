"""Faults on demand: a transport that can be cut off, slowed down and made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from hansa.api.meta import Json
from hansa.kube.errors import Unreachable, error_from_status
from hansa.kube.transport import Answer, Transport


@dataclass(frozen=True, slots=True)
class Failure:
    """Requests that are answered with an error: a share of those that match, without reaching the server."""

    code: int = 500
    reason: str = "InternalError"
    share: float = 1.0
    methods: frozenset[str] = frozenset()
    """Empty: all methods."""
    path: str = ""
    """A part of the path; empty: all paths."""
    after: bool = False
    """The server does what was asked, and only the answer is lost."""

    def matches(self, method: str, path: str) -> bool:
        return (not self.methods or method in self.methods) and self.path in path


class FaultyTransport:
    """Between a client and its server. Without faults it changes nothing.

    `chance` returns numbers between 0 and 1 and decides which requests fail.
    """

    def __init__(self, inner: Transport, chance: Callable[[], float]) -> None:
        self.server = inner.server
        self.failures: list[Failure] = []
        self.delay_seconds = 0.0
        """Before every request reaches the server, and before every watch event arrives."""
        self._inner = inner
        self._chance = chance
        self._cut = False
        self._streams: set[asyncio.Event] = set()

    @property
    def connected(self) -> bool:
        return not self._cut

    def cut_off(self) -> None:
        """Nothing gets through any more; watches break at once."""
        self._cut = True
        self.break_watches()

    def heal(self) -> None:
        """All faults are gone."""
        self._cut = False
        self.delay_seconds = 0.0
        self.failures.clear()

    def break_watches(self) -> None:
        """Break all watches, as a server that restarts would."""
        for stream in self._streams:
            stream.set()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> Answer:
        if self.delay_seconds:
            await self._wait(timeout_seconds)
        self._check()
        failure = self._chosen(method, path)
        if failure is not None and not failure.after:
            return _answer(failure)
        answer = await self._inner.request(
            method, path, query=query, headers=headers, body=body, timeout_seconds=timeout_seconds
        )
        self._check()
        return answer if failure is None else _answer(failure)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        idle_timeout_seconds: float | None = None,
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        self._check()
        failure = self._chosen("GET", path)
        if failure is not None:
            raise error_from_status(_status(failure), failure.code)
        broken = asyncio.Event()
        self._streams.add(broken)
        try:
            async with self._inner.stream(
                path, query=query, headers=headers, idle_timeout_seconds=idle_timeout_seconds
            ) as lines:
                passed = self._lines(lines, broken)
                try:
                    yield passed
                finally:
                    await passed.aclose()
        finally:
            self._streams.discard(broken)

    async def close(self) -> None:
        await self._inner.close()

    async def _wait(self, timeout_seconds: float | None) -> None:
        if timeout_seconds is not None and self.delay_seconds > timeout_seconds:
            await asyncio.sleep(timeout_seconds)
            raise Unreachable(self.server, f"no answer within {timeout_seconds:g} s")
        await asyncio.sleep(self.delay_seconds)

    def _check(self) -> None:
        if self._cut:
            raise Unreachable(self.server, "cut off")

    def _chosen(self, method: str, path: str) -> Failure | None:
        for failure in self.failures:
            if failure.matches(method, path) and self._chance() < failure.share:
                return failure
        return None

    async def _lines(self, lines: AsyncIterator[bytes], broken: asyncio.Event) -> AsyncGenerator[bytes, None]:
        """Pass lines on until the stream ends or is broken."""
        cut = asyncio.create_task(broken.wait())
        coming: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                coming = asyncio.create_task(_next(lines))
                await asyncio.wait({coming, cut}, return_when=asyncio.FIRST_COMPLETED)
                if cut.done():
                    raise Unreachable(self.server, "the stream broke")
                line = coming.result()
                if line is None:
                    return
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                yield line
        finally:
            cut.cancel()
            if coming is not None and not coming.done():
                coming.cancel()
                await asyncio.wait({coming})


async def _next(lines: AsyncIterator[bytes]) -> bytes | None:
    return await anext(lines, None)


def _status(failure: Failure) -> Json:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "fault on demand",
        "reason": failure.reason,
        "code": failure.code,
    }


def _answer(failure: Failure) -> Answer:
    return Answer(failure.code, {"content-type": "application/json"}, msgspec.json.encode(_status(failure)))
