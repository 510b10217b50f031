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


@asynccontextmanager
async def embedded_server(
    folder: Path, *, pods_on_loopback: bool = False
) -> AsyncGenerator[tuple[Embedded, Running, Path], None]:
    """The server, where it listens, and the kubeconfig."""
    clock = LoopClock()
    keys = Keys.fresh("test", clock)
    serving = issue_server(keys.authority, ["127.0.0.1", "localhost"], clock.now())
    for name, content in (
        ("server.crt", serving.certificate),
        ("server.key", serving.key),
        ("ca.crt", keys.authority.certificate),
    ):
        (folder / name).write_bytes(content)
    context = server_context(str(folder / "server.crt"), str(folder / "server.key"), str(folder / "ca.crt"))
    embedded = await start_embedded("test", clock=clock, keys=keys, pods_on_loopback=pods_on_loopback)
    running = await serve(embedded.server, context=context)
    kubeconfig = folder / "kubeconfig"
    client = issue_client(keys.authority, "system:admin", ["system:masters"], clock.now())
    kubeconfig.write_text(json.dumps(kubeconfig_of(running.url, keys.authority.certificate, client)))
    try:
        yield embedded, running, kubeconfig
    finally:
        await running.stop()
        await embedded.stop()


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
