"""An embedded server over TLS, with the kubeconfig of its administrator."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from hansa.apiserver.embedded import Embedded, Keys, start_embedded
from hansa.apiserver.http import Running, serve, server_context
from hansa.base.certificates import KeyPair, issue_client, issue_server
from hansa.runtime.clock import LoopClock


class TlsServer:
    """It keeps its port and its data, in `folder`, when it is stopped and started again."""

    def __init__(self, folder: Path, *, pods_on_loopback: bool = False, on_disk: bool = False) -> None:
        self._folder = folder
        self._pods_on_loopback = pods_on_loopback
        self._directory = folder if on_disk else None
        self._clock = LoopClock()
        self._keys = Keys.fresh("test", self._clock)
        serving = issue_server(self._keys.authority, ["127.0.0.1", "localhost"], self._clock.now())
        authority = self._keys.authority.certificate
        for name, content in (("server.crt", serving.certificate), ("server.key", serving.key), ("ca.crt", authority)):
            (folder / name).write_bytes(content)
        self._port = 0
        self.kubeconfig = folder / "kubeconfig"

    async def start(self) -> None:
        files = (str(self._folder / name) for name in ("server.crt", "server.key", "ca.crt"))
        self.embedded = await start_embedded(
            "test",
            clock=self._clock,
            directory=self._directory,
            keys=self._keys,
            pods_on_loopback=self._pods_on_loopback,
        )
        self.running = await serve(self.embedded.server, port=self._port, context=server_context(*files))
        self._port = self.running.port
        client = issue_client(self._keys.authority, "system:admin", ["system:masters"], self._clock.now())
        document = kubeconfig_of(self.running.url, self._keys.authority.certificate, client)
        self.kubeconfig.write_text(json.dumps(document))

    async def stop(self) -> None:
        await self.running.stop()
        await self.embedded.stop()


@asynccontextmanager
async def embedded_server(
    folder: Path, *, pods_on_loopback: bool = False
) -> AsyncGenerator[tuple[Embedded, Running, Path], None]:
    """The server, where it listens, and the kubeconfig."""
    server = TlsServer(folder, pods_on_loopback=pods_on_loopback)
    await server.start()
    try:
        yield server.embedded, server.running, server.kubeconfig
    finally:
        await server.stop()


def kubeconfig_of(url: str, authority: bytes, client: KeyPair) -> dict[str, object]:
    def packed(content: bytes) -> str:
        return base64.b64encode(content).decode()

    user = {"client-certificate-data": packed(client.certificate), "client-key-data": packed(client.key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority-data": packed(authority)}}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
