"""Reach an API server over HTTP and TLS, on aiohttp.

Requests and watches have connections of their own, so watches never use up those of requests. When the client
certificate changes, new requests go through new connections and the old ones end with what they carry.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp.abc import AbstractCookieJar
from yarl import URL

from hansa import __version__
from hansa.kube.auth import Identity
from hansa.kube.config import ClusterConfig
from hansa.kube.errors import ConfigError, Unreachable, error_from_answer
from hansa.kube.tls import client_context
from hansa.kube.transport import Answer

CONNECTIONS = 64
"""Requests that one server gets at the same time; a slow one keeps no more than these waiting."""
CONNECT_SECONDS = 10.0
STREAM_OPEN_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 90.0
# the longest line of a watch is one object; etcd takes 1.5 MiB and JSON of an event a little more
LINE_BYTES = 2**21
PATH_SAFE = "/:@!$&'()*+,;=~-._"


class HttpTransport:
    """One API server, as the configuration's credentials say. Made outside or inside an event loop, used in one."""

    def __init__(self, config: ClusterConfig, *, connections: int = CONNECTIONS) -> None:
        self.server = config.server
        self._config = config
        self._connections = connections
        self._door: _Door | None = None
        self._retired: set[_Door] = set()
        self._closed = False
        self._impersonation = config.impersonate.headers() if config.impersonate else []

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
        url = self._url(path, query)
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS)
        answer, identity = await self._once(method, url, headers, body, timeout)
        if answer.code == 401 and self._config.credentials.refused(identity):
            # a 401 did nothing, so sending once more is safe for writes too
            answer, _ = await self._once(method, url, headers, body, timeout)
        return answer

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        idle_timeout_seconds: float | None = None,
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        url = self._url(path, query)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=idle_timeout_seconds)
        door, response = await self._open(url, headers, timeout)
        lines = self._lines(response)
        try:
            yield lines
        finally:
            await lines.aclose()
            response.close()  # a watch that ends early takes its connection with it
            self._leave(door)

    async def close(self) -> None:
        self._closed = True
        doors = [*self._retired, *([self._door] if self._door is not None else [])]
        self._retired.clear()
        self._door = None
        for door in doors:
            await door.close()

    # -- within ------------------------------------------------------------------------------------------------------

    async def _once(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str] | None,
        body: bytes,
        timeout: aiohttp.ClientTimeout,
    ) -> tuple[Answer, Identity]:
        door, identity = await self._enter()
        try:
            async with door.requests.request(
                method,
                url,
                data=body or None,
                headers=self._headers(identity, headers),
                timeout=timeout,
                **door.options,
            ) as response:
                content = await response.read()
                answer = Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, content)
                return answer, identity
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error
        finally:
            self._leave(door)

    async def _open(
        self, url: URL, headers: Mapping[str, str] | None, timeout: aiohttp.ClientTimeout
    ) -> tuple[_Door, aiohttp.ClientResponse]:
        """Begin a stream; the caller leaves the door. Raises ApiError for an answer that is not 2xx."""
        for may_renew in (True, False):
            door, identity = await self._enter()
            response: aiohttp.ClientResponse | None = None
            opened = False
            try:
                async with asyncio.timeout(STREAM_OPEN_SECONDS):
                    response = await door.streams.get(
                        url, headers=self._headers(identity, headers), timeout=timeout, **door.options
                    )
                    if 200 <= response.status < 300:
                        opened = True
                        return door, response
                    content = await response.read()
                if response.status == 401 and may_renew and self._config.credentials.refused(identity):
                    continue
                raise error_from_answer(response.status, content, response.headers.get("retry-after"))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise self._unreachable(error) from error
            finally:
                if not opened:
                    if response is not None:
                        response.close()
                    self._leave(door)
        raise AssertionError("the second attempt returns or raises")

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        try:
            async for line in response.content:
                yield line.rstrip(b"\r\n")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # ValueError: a line beyond the buffer, which no retry of the same watch gets past; a list does
            raise self._unreachable(error) from error

    async def _enter(self) -> tuple[_Door, Identity]:
        """The connections for today's identity, counted as used. Raises Unreachable without credentials."""
        try:
            identity = await self._config.credentials.identity()
            door = self._door
            if door is None or not door.admits(identity):
                if self._closed:
                    raise Unreachable(self.server, "the transport is closed")
                if door is not None:
                    self._retire(door)
                door = self._door = _Door(self._config, identity, self._connections)
        except ConfigError as error:
            raise Unreachable(self.server, str(error)) from error
        door.users += 1
        return door, identity

    def _leave(self, door: _Door) -> None:
        door.users -= 1
        if door.users == 0 and door in self._retired:
            self._retired.discard(door)
            door.close_later()

    def _retire(self, door: _Door) -> None:
        if door.users:
            self._retired.add(door)
        else:
            door.close_later()

    def _url(self, path: str, query: Sequence[tuple[str, str]]) -> URL:
        text = self.server + quote(path, safe=PATH_SAFE)
        return URL(f"{text}?{urlencode(query)}" if query else text, encoded=True)

    def _headers(self, identity: Identity, given: Mapping[str, str] | None) -> Any:
        pairs = list(given.items()) if given else []
        if identity.authorization:
            pairs.append(("Authorization", identity.authorization))
        # only a list of pairs can repeat a name, as Impersonate-Group does
        return [*pairs, *self._impersonation]

    def _unreachable(self, error: BaseException) -> Unreachable:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
            return Unreachable(self.server, "timed out")
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return Unreachable(self.server, f"its certificate is not trusted: {error.certificate_error}")
        if isinstance(error, aiohttp.ServerTimeoutError):
            return Unreachable(self.server, "timed out")
        if isinstance(error, aiohttp.ClientConnectorError):
            number = error.os_error.errno or 0  # asyncio's own text for it does not say what went wrong
            return Unreachable(self.server, os.strerror(number).lower() if number > 0 else str(error.os_error))
        return Unreachable(self.server, str(error) or type(error).__name__)


class _Door:
    """Connections under one client certificate: those of requests, which are limited, and those of streams."""

    def __init__(self, config: ClusterConfig, identity: Identity, connections: int) -> None:
        self.users = 0
        self._certificate = (identity.certificate, identity.key)
        context = client_context(
            config.ca_data,
            insecure=config.insecure_skip_tls_verify,
            certificate=identity.certificate,
            key=identity.key,
        )
        self.options = _options(config, context)
        self.requests = _session(context, connections)
        self.streams = _session(context, 0)
        self._closing: asyncio.Task[None] | None = None

    def admits(self, identity: Identity) -> bool:
        return self._certificate == (identity.certificate, identity.key)

    def close_later(self) -> None:
        self._closing = asyncio.create_task(self.close(), name="close connections")

    async def close(self) -> None:
        await self.requests.close()
        await self.streams.close()


def _options(config: ClusterConfig, context: ssl.SSLContext) -> dict[str, Any]:
    options: dict[str, Any] = {"ssl": context, "allow_redirects": False}
    if config.tls_server_name:
        options["server_hostname"] = config.tls_server_name
    if config.proxy_url:
        options["proxy"] = config.proxy_url
        options["proxy_headers"] = dict(config.proxy_headers)
    return options


def _session(context: ssl.SSLContext, connections: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=connections,
        ssl=context,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        socket_factory=_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=_no_cookies(),
        headers={"User-Agent": f"hansa/{__version__}"},
        skip_auto_headers=("Content-Type",),
        trust_env=False,
        read_bufsize=LINE_BYTES,
        auto_decompress=True,
    )


def _no_cookies() -> AbstractCookieJar:
    return aiohttp.DummyCookieJar()


def _socket(address: Any) -> socket.socket:
    """A socket that notices within a minute that the other side is gone, so that a dead watch is not held for five."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000)):
        option = getattr(socket, name, None)  # not every system has them all
        if option is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
