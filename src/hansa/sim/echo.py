"""Containers that really answer: image `hansa/echo`, HTTP and lines over TCP, on the pod's address on loopback.

Any HTTP request gets 200 and a JSON object that says which pod it is; so does any other line, in one line. Only members
whose pods have loopback addresses run them: there every port of every pod is free, and nothing needs a privilege.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from hansa.api.meta import Json

HEAD_BYTES = 16384
"""Who sends longer lines or heads is cut off."""
_IMAGE = re.compile(r"hansa/echo(:[^@]*)?(@.*)?")
_REQUEST = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r?")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\n(connection: *close|transfer-encoding:)", re.IGNORECASE)


def echoes(image: str) -> bool:
    return _IMAGE.fullmatch(image) is not None


class Echo:
    """The sockets of one container. `about` is what it answers."""

    def __init__(self, address: str, ports: Sequence[int], about: Json) -> None:
        self._address = address
        self._ports = ports
        self._about = msgspec.json.encode(about)
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Transport] = set()

    @property
    def open(self) -> bool:
        return len(self._servers) == len(self._ports)

    async def start(self) -> None:
        """Listen on every port. Raises OSError when one cannot be had; then on none."""
        loop = asyncio.get_running_loop()
        try:
            for port in self._ports[len(self._servers) :]:
                made = await loop.create_server(
                    lambda: _Connection(self._about, self._connections), self._address, port
                )
                self._servers.append(made)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """At once, connections too."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for transport in list(self._connections):
            transport.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, about: bytes, connections: set[asyncio.Transport]) -> None:
        self._about = about
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._request: _Request | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        self._connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._unread += data
        while not self._transport.is_closing() and self._step(self._transport):
            pass
        if len(self._unread) > HEAD_BYTES:
            self._transport.abort()

    def _step(self, transport: asyncio.Transport) -> bool:
        """Answer one line or request; False while it is not complete."""
        if self._request is not None:
            return self._answer(transport, self._request)
        line, ended, rest = self._unread.partition(b"\n")
        if not ended:
            return False
        if not _REQUEST.fullmatch(line):
            self._unread = rest
            transport.write(self._about + b"\n")
            return True
        head, ended, rest = self._unread.partition(b"\r\n\r\n")
        if not ended:
            return False
        length = int(found[1]) if (found := _LENGTH.search(head)) else 0
        self._unread = rest
        self._request = _Request(length, head.startswith(b"HEAD "), _CLOSE.search(head) is not None)
        return True

    def _answer(self, transport: asyncio.Transport, request: _Request) -> bool:
        skipped = min(request.body, len(self._unread))
        self._unread = self._unread[skipped:]
        request.body -= skipped
        if request.body:
            return False
        self._request = None
        # head and body in one write: two would wait for the client's delayed acknowledgement
        transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s"
            % (
                len(self._about),
                b"Connection: close\r\n" if request.closes else b"",
                b"" if request.head_only else self._about,
            )
        )
        if request.closes:
            transport.close()
        return True


@dataclass(slots=True)
class _Request:
    """`body`: bytes of it that are still to come, and are not looked at."""

    body: int
    head_only: bool
    closes: bool
