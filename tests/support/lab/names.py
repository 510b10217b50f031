"""A name server of a cluster, and a resolver that asks for names all the time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dnslib import DNSRecord

from hansa.api import names
from hansa.kube.client import Client
from hansa.runtime.clock import SystemClock
from hansa.service.dns.keeper import ZoneKeeper
from hansa.service.dns.reply import Replies
from hansa.service.dns.server import Server
from hansa.service.dns.state import ZoneFile

HOST = "127.0.0.1"
DOMAIN = tuple(names.CLUSTERSET.split("."))
PAUSE_SECONDS, LIMIT_SECONDS = 0.02, 1.0
LONGEST_SECONDS = 24 * 3600.0


@dataclass
class NameServer:
    """What `hansa dns --state` runs, on a port that it keeps."""

    client: Client
    state: Path
    port: int = 0
    server: Server | None = None
    task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        replies = Replies(DOMAIN, time.time)
        self.server = Server(replies, HOST, self.port)
        await self.server.start()
        self.port = self.server.port
        file = ZoneFile(self.state)
        keeper = ZoneKeeper(
            self.client, DOMAIN, replies.serve, SystemClock(), file=file, longest_seconds=LONGEST_SECONDS
        )
        self.task = asyncio.create_task(keeper.run())

    async def stop(self) -> None:
        if self.task is not None and self.server is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            await self.server.stop()


@dataclass
class Resolver:
    """Asks the servers for the addresses of `name`, one after the other until one answers."""

    name: str
    servers: Sequence[tuple[str, int]]
    answers: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    """Empty ones are failures."""
    task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def answered(self) -> None:
        async with asyncio.timeout(30):
            while not (self.answers and self.answers[-1]):
                await asyncio.sleep(PAUSE_SECONDS)
        self.answers.clear()

    @property
    def failed(self) -> int:
        return self.answers.count(())

    async def _run(self) -> None:
        while True:
            self.answers.append(await self._once())
            await asyncio.sleep(PAUSE_SECONDS)

    async def _once(self) -> tuple[str, ...]:
        for server in self.servers:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(LIMIT_SECONDS):
                    if found := await self._ask(server):
                        return found
        return ()

    async def _ask(self, server: tuple[str, int]) -> tuple[str, ...]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(server)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, bytes(DNSRecord.question(self.name, "A").pack()))
            answer = DNSRecord.parse(await loop.sock_recv(client, 4096))
        return tuple(str(record.rdata) for record in answer.rr)
