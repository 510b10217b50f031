"""Probes and metrics over HTTP."""

from __future__ import annotations

import aiohttp
import pytest

from hansa.kube.errors import ConfigError
from hansa.runtime.health import HealthServer


async def ask(server: HealthServer, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_probes_and_metrics() -> None:
    fault: str | None = "policies are not synced"
    server = HealthServer("127.0.0.1", 0, checks={"caches": lambda: fault})
    await server.start()
    try:
        assert await ask(server, "/livez") == (200, "ok\n")
        assert await ask(server, "/healthz") == (200, "ok\n")
        assert await ask(server, "/readyz") == (503, "[-] caches: policies are not synced\nnot ready\n")
        fault = None
        assert await ask(server, "/readyz") == (200, "ok\n")
        assert await ask(server, "/readyz?verbose") == (200, "[+] caches ok\nready\n")
        code, text = await ask(server, "/metrics")
        assert code == 200
        assert "hansa_reconcile_seconds" in text
        assert "hansa_queue_depth" in text
        assert (await ask(server, "/nothing"))[0] == 404
    finally:
        await server.stop()


async def test_a_port_that_is_taken_is_a_plain_error() -> None:
    first = HealthServer("127.0.0.1", 0)
    await first.start()
    try:
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{first.port}: address in use"):
            await HealthServer("127.0.0.1", first.port).start()
    finally:
        await first.stop()
