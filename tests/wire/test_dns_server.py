"""The name server's sockets: many questions over one connection, too many connections, clients that stop half-way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from dnslib import RCODE, DNSRecord

from hansa.kube.errors import ConfigError
from hansa.service.dns import server as sockets
from hansa.service.dns.reply import Replies
from hansa.service.dns.server import Server
from hansa.service.dns.zone import Service, Zone

DOMAIN = ("clusterset", "local")
WEB = "web.shop.svc.clusterset.local"


@asynccontextmanager
async def serving() -> AsyncGenerator[Server, None]:
    replies = Replies(DOMAIN, lambda: 0.0)
    replies.serve(Zone.of(DOMAIN, 1, [Service("shop", "web", headless=False, addresses=("10.96.0.1",))]))
    server = Server(replies, "127.0.0.1", 0)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def query(id_: int = 1) -> bytes:
    record = DNSRecord.question(WEB, "A")
    record.header.id = id_
    return bytes(record.pack())


def framed(packet: bytes) -> bytes:
    return len(packet).to_bytes(2, "big") + packet


async def answer(reader: asyncio.StreamReader) -> DNSRecord:
    async with asyncio.timeout(10):
        length = int.from_bytes(await reader.readexactly(2), "big")
        return DNSRecord.parse(await reader.readexactly(length))


async def ask_udp(server: Server, packet: bytes) -> DNSRecord:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect((server.host, server.port))
        await loop.sock_sendall(client, packet)
        async with asyncio.timeout(10):
            return DNSRecord.parse(await loop.sock_recv(client, 4096))


async def test_one_connection_carries_many_questions_at_once() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"".join(framed(query(id_)) for id_ in range(200)))
        assert [(await answer(reader)).header.id for _ in range(200)] == list(range(200))
        writer.close()


async def test_a_question_in_pieces_is_a_question() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        for byte in framed(query()):
            writer.write(bytes([byte]))
            await writer.drain()
        assert str((await answer(reader)).rr[0].rdata) == "10.96.0.1"
        writer.close()


@pytest.mark.parametrize("hostile", [b"\0\0", b"\0\5hello", framed(b"\0\1\x80\0" + query()[4:])])
async def test_what_is_no_question_ends_its_connection_and_no_other(hostile: bytes) -> None:
    async with serving() as server:
        kept_reader, kept = await asyncio.open_connection(server.host, server.port)
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(hostile)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        kept.write(framed(query()))
        assert (await answer(kept_reader)).header.rcode == RCODE.NOERROR
        for each in (writer, kept):
            each.close()


async def test_more_connections_than_there_may_be_are_closed_and_those_there_are_go_on(monkeypatch: Any) -> None:
    monkeypatch.setattr(sockets, "CONNECTIONS", 3)
    async with serving() as server:
        opened = [await asyncio.open_connection(server.host, server.port) for _ in range(3)]
        for reader, writer in opened:
            writer.write(framed(query()))
            await answer(reader)
        reader, late = await asyncio.open_connection(server.host, server.port)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        for reader, writer in opened:
            writer.write(framed(query()))
            assert (await answer(reader)).header.rcode == RCODE.NOERROR
            writer.close()
        late.close()


async def test_who_stays_silent_is_let_go(monkeypatch: Any) -> None:
    monkeypatch.setattr(sockets, "IDLE_SECONDS", 0.05)
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(framed(query())[:7])
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_datagrams_that_make_no_sense_stop_nothing() -> None:
    async with serving() as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for size in (0, 1, 11, 12, 13, 600, 5000, 65000):
                client.sendto(b"\1" * size, (server.host, server.port))
        assert (await ask_udp(server, query())).header.rcode == RCODE.NOERROR


async def test_an_address_that_is_taken_is_named() -> None:
    async with serving() as server:
        with pytest.raises(ConfigError, match=f"--listen 127.0.0.1:{server.port}: address in use"):
            await Server(Replies(DOMAIN, lambda: 0.0), server.host, server.port).start()
