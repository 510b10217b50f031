"""A transport that calls an embedded API server without a socket.

Requests pass the same authentication, authorization and admission as over HTTP; only TCP, TLS and HTTP framing are left
out, which is most of what a small request costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from hansa.apiserver.message import Request, Response, UserInfo
from hansa.kube.errors import Unreachable, error_from_answer
from hansa.kube.transport import Answer


class Handler(Protocol):
    """The part of an API server that a transport needs."""

    async def handle(self, request: Request) -> Response: ...


class InProcessTransport:
    """Speaks to `handler` as `user`, or as whom the given bearer token names."""

    def __init__(
        self, server: str, handler: Handler, *, user: UserInfo | None = None, token: str | None = None
    ) -> None:
        self.server = server
        self._handler = handler
        self._user = user
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

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
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._handler.handle(self._request(method, path, query, headers, body))
                content = response.body
                if not isinstance(content, bytes):
                    content = b"".join([chunk async for chunk in content])
        except TimeoutError as error:
            raise Unreachable(self.server, f"no answer within {timeout_seconds:g} s") from error
        return Answer(response.code, response.headers, content)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        idle_timeout_seconds: float | None = None,
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        response = await self._handler.handle(self._request("GET", path, query, headers, b""))
        content = response.body
        if isinstance(content, bytes):
            if not 200 <= response.code < 300:
                raise error_from_answer(response.code, content, response.headers.get("retry-after"))
            yield _lines_of(content)
            return
        lines = self._lines(content, idle_timeout_seconds)
        try:
            yield lines
        finally:
            await lines.aclose()
            close = getattr(content, "aclose", None)
            if close is not None:
                await close()

    async def close(self) -> None:
        """Nothing is held."""

    def _request(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str] | None,
        body: bytes,
    ) -> Request:
        merged = {name.lower(): value for name, value in (headers or {}).items()} | self._headers
        return Request(method, path, tuple(query), merged, body, self._user)

    async def _lines(
        self, chunks: AsyncIterator[bytes], idle_timeout_seconds: float | None
    ) -> AsyncGenerator[bytes, None]:
        """Each chunk holds whole lines."""
        while True:
            try:
                async with asyncio.timeout(idle_timeout_seconds):
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                raise Unreachable(self.server, f"silent for {idle_timeout_seconds:g} s") from error
            if chunk is None:
                return
            for line in chunk.splitlines():
                yield line


async def _lines_of(content: bytes) -> AsyncGenerator[bytes, None]:
    for line in content.splitlines():
        yield line
