"""HttpTransport against a real TLS server on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from hansa.api import scheme
from hansa.kube import auth
from hansa.kube.auth import Identity, Impersonation
from hansa.kube.client import Client
from hansa.kube.config import ClusterConfig
from hansa.kube.errors import Expired, NotFound, Unauthorized, Unreachable
from hansa.kube.http import HttpTransport

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Serving:
    url: str
    ca: trustme.CA
    requests: list[web.BaseRequest] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)

    @property
    def ca_data(self) -> bytes:
        return self.ca.cert_pem.bytes()

    def client_pair(self, name: str) -> tuple[bytes, bytes]:
        issued = self.ca.issue_cert(common_name=name)
        return issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()


@asynccontextmanager
async def serving(handler: Handler, *, names: tuple[str, ...] = ("127.0.0.1",), tls: bool = True):
    ca = trustme.CA()
    state = Serving("", ca)

    async def counted(request: web.BaseRequest) -> web.StreamResponse:
        state.requests.append(request)
        wire = request.get_extra_info("ssl_object")
        peer = wire.getpeercert() if wire is not None else None
        if peer:
            state.peers.append(dict(pair[0] for pair in peer["subject"])["commonName"])
        return await handler(request)

    context: ssl.SSLContext | None = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(*names).configure_cert(context)
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
    runner = web.ServerRunner(web.Server(counted), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    host, port = runner.addresses[0][:2]
    state.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield state
    finally:
        await runner.cleanup()


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@asynccontextmanager
async def connected(config: ClusterConfig) -> AsyncIterator[HttpTransport]:
    transport = HttpTransport(config)
    try:
        yield transport
    finally:
        await transport.close()


async def answer_ok(request: web.BaseRequest) -> web.Response:
    return web.json_response({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}})


async def test_client_certificate_and_ca_from_memory() -> None:
    async with serving(answer_ok) as server:
        cert, key = server.client_pair("alice")
        config = ClusterConfig(server.url, server.ca_data, credentials=auth.certificate(cert, key))
        async with connected(config) as transport:
            answer = await transport.request("GET", "/api/v1/namespaces/a b/configmaps/x", query=[("q", "a=b&c")])
    assert answer.code == 200
    assert server.peers == ["alice"]
    assert server.requests[0].path_qs == "/api/v1/namespaces/a%20b/configmaps/x?q=a%3Db%26c"


async def test_no_key_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with serving(answer_ok) as server:
        cert, key = server.client_pair("alice")
        config = ClusterConfig(server.url, server.ca_data, credentials=auth.certificate(cert, key))
        async with connected(config) as transport:
            await transport.request("GET", "/")
    assert files_in(tmp_path) == []


async def test_a_stranger_is_not_trusted_and_its_message_says_so() -> None:
    async with (
        serving(answer_ok) as server,
        connected(ClusterConfig(server.url, trustme.CA().cert_pem.bytes())) as transport,
    ):
        with pytest.raises(Unreachable, match=r"not trusted|CERTIFICATE_VERIFY_FAILED"):
            await transport.request("GET", "/")
    assert server.requests == []


async def test_insecure_skip_tls_verify() -> None:
    async with (
        serving(answer_ok) as server,
        connected(ClusterConfig(server.url, insecure_skip_tls_verify=True)) as transport,
    ):
        assert (await transport.request("GET", "/")).code == 200


async def test_tls_server_name_is_what_is_verified() -> None:
    async with serving(answer_ok, names=("hub.example",)) as server:
        async with connected(ClusterConfig(server.url, server.ca_data)) as transport:
            with pytest.raises(Unreachable):
                await transport.request("GET", "/")
        async with connected(ClusterConfig(server.url, server.ca_data, tls_server_name="hub.example")) as transport:
            assert (await transport.request("GET", "/")).code == 200


async def test_path_prefix_of_the_server_is_kept() -> None:
    async with (
        serving(answer_ok, tls=False) as server,
        connected(ClusterConfig(server.url + "/k8s/clusters/c-1")) as transport,
    ):
        await transport.request("GET", "/version")
    assert server.requests[0].path == "/k8s/clusters/c-1/version"


async def test_impersonation_repeats_groups() -> None:
    as_ = Impersonation("bob", groups=["a", "b"], extra={"scopes": ["x"]})
    async with (
        serving(answer_ok, tls=False) as server,
        connected(ClusterConfig(server.url, credentials=auth.bearer("t"), impersonate=as_)) as transport,
    ):
        await transport.request("GET", "/")
    headers = server.requests[0].headers
    assert headers["authorization"] == "Bearer t"
    assert headers["impersonate-user"] == "bob"
    assert headers.getall("impersonate-group") == ["a", "b"]
    assert headers["impersonate-extra-scopes"] == "x"


class Renewed:
    """Credentials that are renewed each time they are refused."""

    def __init__(self, *identities: Identity) -> None:
        self.identities = list(identities)

    async def identity(self) -> Identity:
        return self.identities[0]

    def refused(self, identity: Identity) -> bool:
        if len(self.identities) > 1:
            self.identities.pop(0)
            return True
        return False


async def only_new_token(request: web.BaseRequest) -> web.StreamResponse:
    if request.headers.get("authorization") == "Bearer new":
        return await answer_ok(request)
    return web.json_response({"kind": "Status", "reason": "Unauthorized", "message": "no"}, status=401)


async def test_credentials_are_renewed_once_after_401() -> None:
    async with serving(only_new_token, tls=False) as server:
        renewed = Renewed(Identity("Bearer old"), Identity("Bearer new"))
        async with connected(ClusterConfig(server.url, credentials=renewed)) as transport:
            assert (await transport.request("POST", "/", body=b"{}")).code == 200
            assert (await transport.request("GET", "/")).code == 200
        assert len(server.requests) == 3
        async with connected(ClusterConfig(server.url, credentials=auth.bearer("old"))) as transport:
            with pytest.raises(Unauthorized):
                await Client(transport).get(scheme.NAMESPACES, "a")
        assert len(server.requests) == 4


async def test_a_stream_renews_its_credentials_too() -> None:
    async with serving(only_new_token, tls=False) as server:
        renewed = Renewed(Identity("Bearer old"), Identity("Bearer new"))
        config = ClusterConfig(server.url, credentials=renewed)
        async with connected(config) as transport, transport.stream("/") as lines:
            assert len([line async for line in lines]) == 1


async def test_a_new_certificate_gets_new_connections_and_running_watches_stay() -> None:
    proceed = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/watch":
            return await answer_ok(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"n":1}\n')
        await proceed.wait()
        await response.write(b'{"n":2}\n')
        return response

    async with serving(handler) as server:
        old, new = (Identity(certificate=c, key=k) for c, k in map(server.client_pair, ("old", "new")))
        renewed = Renewed(old, new)
        config = ClusterConfig(server.url, server.ca_data, credentials=renewed)
        async with connected(config) as transport, transport.stream("/watch") as lines:
            assert await anext(lines) == b'{"n":1}'
            renewed.refused(old)
            await transport.request("GET", "/")
            proceed.set()
            assert await anext(lines) == b'{"n":2}'
    assert server.peers == ["old", "new"]


async def test_watch_lines_errors_and_silence() -> None:
    hold = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/expired":
            return web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"long":"' + b"x" * 1_600_000 + b'"}\n{"split"')
        await response.write(b":1}\n")
        if request.path == "/silent":
            await hold.wait()
        return response

    async with serving(handler) as server, connected(ClusterConfig(server.url, server.ca_data)) as transport:
        async with transport.stream("/") as lines:
            got = [line async for line in lines]
        assert len(got[0]) == 1_600_011
        assert got[1:] == [b'{"split":1}']
        with pytest.raises(Expired):
            async with transport.stream("/expired"):
                pass
        with pytest.raises(Unreachable, match="timed out"):
            async with transport.stream("/silent", idle_timeout_seconds=0.2) as lines:
                async for _ in lines:
                    pass
        hold.set()


async def test_a_stream_cut_in_the_middle_is_unreachable() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'{"n":1}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(handler, tls=False) as server, connected(ClusterConfig(server.url)) as transport:
        with pytest.raises(Unreachable):
            async with transport.stream("/") as lines:
                async for _ in lines:
                    pass


async def test_refused_and_slow_are_unreachable() -> None:
    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(10)
        return await answer_ok(request)

    async with serving(slow, tls=False) as server, connected(ClusterConfig(server.url)) as transport:
        with pytest.raises(Unreachable, match="timed out"):
            await transport.request("GET", "/", timeout_seconds=0.1)
        url = server.url
    async with connected(ClusterConfig(url)) as transport:
        with pytest.raises(Unreachable, match="refused"):
            await transport.request("GET", "/")


async def test_watches_do_not_use_up_the_connections_of_requests() -> None:
    hold = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/watch":
            return await answer_ok(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await hold.wait()
        return response

    async with serving(handler, tls=False) as server:
        transport = HttpTransport(ClusterConfig(server.url), connections=1)
        async with transport.stream("/watch"), transport.stream("/watch"):
            assert (await transport.request("GET", "/", timeout_seconds=5)).code == 200
            hold.set()
        await transport.close()


async def test_a_client_over_http() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path.endswith("/missing"):
            return web.json_response(
                {"kind": "Status", "code": 404, "reason": "NotFound", "message": "gone"}, status=404
            )
        return await answer_ok(request)

    async with serving(handler, tls=False) as server, connected(ClusterConfig(server.url)) as transport:
        client = Client(transport)
        assert (await client.get(scheme.CONFIGMAPS, "a", "default")).meta.name == "a"
        with pytest.raises(NotFound, match="gone"):
            await client.get(scheme.CONFIGMAPS, "missing", "default")


async def test_a_proxy_is_asked_for_a_tunnel() -> None:
    asked: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    config = ClusterConfig(
        "https://member.example:6443", proxy_url=f"http://127.0.0.1:{port}", proxy_headers={"x-tenant": "a"}
    )
    async with listening, connected(config) as transport:
        with pytest.raises(Unreachable):
            await transport.request("GET", "/")
    assert asked[0].startswith("CONNECT member.example:6443 ")
    assert "x-tenant: a" in asked[0].lower()
