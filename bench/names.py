"""`hansa dns` beside members of a bench, and a client that asks it over UDP."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dnslib import RCODE, DNSRecord

ASK_SECONDS = 0.01
PATIENCE_SECONDS = 60.0


class Asker:
    """Asks one name server, one query at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", port))
        self._ids = itertools.count(1)

    def close(self) -> None:
        self._socket.close()

    async def addresses(self, name: str) -> list[str]:
        """As soon as there are any, looked for every hundredth of a second. Raises TimeoutError."""
        reply = await self._until(name, lambda reply: bool(reply.rr))
        return sorted(str(record.rdata) for record in reply.rr)

    async def serves(self) -> None:
        """Wait until it knows what there is. Raises TimeoutError."""
        await self._until("unknown.svc.clusterset.local", lambda reply: reply.header.rcode == RCODE.NXDOMAIN)

    async def _until(self, name: str, enough: Callable[[DNSRecord], bool]) -> DNSRecord:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                reply = await self._ask(name)
                if enough(reply):
                    return reply
                await asyncio.sleep(ASK_SECONDS)

    async def _ask(self, name: str) -> DNSRecord:
        loop = asyncio.get_running_loop()
        query = DNSRecord.question(name, "A")
        query.header.id = next(self._ids) & 0xFFFF
        await loop.sock_sendall(self._socket, bytes(query.pack()))
        return DNSRecord.parse(await loop.sock_recv(self._socket, 4096))


@asynccontextmanager
async def beside(url: str) -> AsyncGenerator[Asker, None]:
    """A name server of the member with that URL, which takes everybody."""
    with TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(url)))
        command = [sys.executable, "-m", "hansa.cli", "dns", f"--kubeconfig={kubeconfig}", "--listen=127.0.0.1:0"]
        process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
        assert process.stderr is not None
        try:
            said = (await process.stderr.readline()).decode()
            port = re.search(r"127\.0\.0\.1:(\d+)", said)
            if port is None:
                raise RuntimeError(f"hansa dns: {said}")
            asker = Asker(int(port[1]))
            try:
                await asker.serves()
                yield asker
            finally:
                asker.close()
        finally:
            process.terminate()
            await process.wait()


def _kubeconfig(url: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "member", "cluster": {"server": url}}],
        "users": [{"name": "anybody", "user": {}}],
        "contexts": [{"name": "member", "context": {"cluster": "member", "user": "anybody"}}],
        "current-context": "member",
    }
