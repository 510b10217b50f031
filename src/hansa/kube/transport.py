"""How a request reaches an API server: over HTTP, or by a call into the embedded one.

A transport knows bytes only. Rate limits, retries, typing and discovery are the client's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol


class Answer(NamedTuple):
    """An HTTP answer, read whole. Header names are in lower case."""

    code: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """One API server's door. `server` names it in errors and logs."""

    server: str

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
        """Send and read whole, whatever the code. Raises Unreachable when there is no answer."""
        ...

    def stream(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        idle_timeout_seconds: float | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """GET and read line by line (without the newline), for watches.

        Entering raises ApiError for a code that is not 2xx, Unreachable when there is no answer. Iterating ends when
        the server closes the stream, and raises Unreachable when it breaks, or stays silent for `idle_timeout_seconds`.
        """
        ...

    async def close(self) -> None: ...
