"""The sockets: UDP and TCP on one address."""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import suppress
from time import perf_counter

from hansa.kube.errors import ConfigError
from hansa.service.dns.metrics import REPLY_SECONDS
from hansa.service.dns.reply import Replies

log = logging.getLogger(__name__)

CONNECTIONS = 256
"""Over TCP at the same time; further ones are closed at once."""
IDLE_SECONDS = 10.0
"""Without a whole query, or a taker for its reply, a connection is closed."""
_UDP_SECONDS = REPLY_SECONDS.labels("udp")
_TCP_SECONDS = REPLY_SECONDS.labels("tcp")


class Server:
    """Serves `replies` on `host`:`port` (0: any free one)."""

    def __init__(self, replies: Replies, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._replies = replies
        self._listener: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises ConfigError when the address cannot be had."""
        try:
            self._listener = await asyncio.start_server(self._accept, self.host, self.port)
            self.port = int(self._listener.sockets[0].getsockname()[1])
            loop = asyncio.get_running_loop()
            self._datagrams, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._replies), local_addr=(self.host, self.port)
            )
        except OSError as error:
            await self.stop()
            raise ConfigError(f"--listen {self.host}:{self.port}: {_why(error)}") from error

    async def stop(self) -> None:
        if self._datagrams is not None:
            self._datagrams.close()
        if self._listener is not None:
            self._listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        admitted = len(self._connections) <= CONNECTIONS
        try:
            # one that goes away, or stays silent, is nothing to tell anybody
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while admitted:
                    await self._one(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(IDLE_SECONDS):
            length = int.from_bytes(await reader.readexactly(2), "big")
            packet = await reader.readexactly(length)
        started = perf_counter()
        reply = self._replies.tcp(packet)
        _TCP_SECONDS.observe(perf_counter() - started)
        if reply is None:
            raise ConnectionAbortedError("no query")
        writer.write(len(reply).to_bytes(2, "big") + reply)
        async with asyncio.timeout(IDLE_SECONDS):
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        started = perf_counter()
        reply = self._replies.udp(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)
        _UDP_SECONDS.observe(perf_counter() - started)

    def error_received(self, exc: Exception) -> None:
        """A client that has gone: its port is closed."""
        log.debug("reply not delivered: %s", exc)


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "address in use; choose another"
    if error.errno == errno.EACCES:
        return "not allowed; ports below 1024 need the capability NET_BIND_SERVICE, others do not"
    return error.strerror or str(error)
