"""The API server on a socket: HTTP/1.1 over TLS, with client certificates when the context asks for them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from hansa.apiserver.authn import user_of_subject
from hansa.apiserver.message import Request, Response, UserInfo

KEEPALIVE_SECONDS = 180.0
SHUTDOWN_SECONDS = 2.0
MAX_BODY_BYTES = 4 << 20
"""More than the server takes, so that it can say itself that a body is too large."""


class Handler(Protocol):
    """What is served."""

    async def handle(self, request: Request) -> Response: ...

    def close_watches(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Running:
    """A server on a port. `url` is where it is reached."""

    host: str
    port: int
    tls: bool
    handler: Handler
    runner: web.ServerRunner

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    async def stop(self) -> None:
        """Let watches end, then close all connections."""
        self.handler.close_watches()
        await self.runner.cleanup()


async def serve(
    handler: Handler, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
) -> Running:
    """Listen; port 0 takes a free one. Raises OSError when the port is taken."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await _answer(handler, request)

    server = web.Server(answer, keepalive_timeout=KEEPALIVE_SECONDS, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=context, backlog=512)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    bound = runner.addresses[0]
    return Running(host, int(bound[1]), context is not None, handler, runner)


def server_context(certificate: str, key: str, client_authority: str | None = None) -> ssl.SSLContext:
    """A TLS context from PEM files; client certificates signed by `client_authority` are asked for, not demanded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def _answer(handler: Handler, request: web.BaseRequest) -> web.StreamResponse:
    body = await _read(request)
    url = request.rel_url
    response = await handler.handle(
        Request(
            request.method,
            url.path,
            tuple(url.query.items()),
            _headers(request.headers),
            body,
            _certified_user(request),
            request.remote or "",
        )
    )
    content = response.body
    if isinstance(content, bytes):
        return web.Response(status=response.code, body=content, headers=_answered(response))
    return await _stream(request, response, content)


def _answered(response: Response) -> CIMultiDict[str]:
    """Several warnings travel as several headers."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in response.headers.items():
        if name == "warning":
            for one in value.split(", 299 - "):
                headers.add("Warning", one if one.startswith("299 - ") else f"299 - {one}")
        else:
            headers.add(name.title(), value)
    return headers


async def _read(request: web.BaseRequest) -> bytes:
    """The body; of one that is far too large only as much as shows that."""
    if not request.can_read_body:
        return b""
    parts: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            break
    return b"".join(parts)


def _headers(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Names in lower case; repeated headers joined by a newline, `Accept` by a comma."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in found:
            found[lower] += ("," if lower == "accept" else "\n") + value
        else:
            found[lower] = value
    return found


def _certified_user(request: web.BaseRequest) -> UserInfo | None:
    """The user of the connection's client certificate; worked out once for each connection."""
    transport = request.transport
    if transport is None:
        return None
    certificate: dict[str, Any] | None = transport.get_extra_info("peercert")
    if not certificate:
        return None
    name, groups = "", list[str]()
    for relative in certificate.get("subject", ()):
        for kind, value in relative:
            if kind == "commonName":
                name = value
            elif kind == "organizationName":
                groups.append(value)
    return user_of_subject(name, groups)


async def _stream(request: web.BaseRequest, response: Response, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    stream = web.StreamResponse(status=response.code, headers=_answered(response))
    stream.enable_chunked_encoding()
    try:
        await stream.prepare(request)
        async for chunk in chunks:
            await stream.write(chunk)
        await stream.write_eof()
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    return stream
