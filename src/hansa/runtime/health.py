"""The small HTTP server for probes and metrics: /livez, /healthz, /readyz, /metrics."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from hansa.kube.errors import ConfigError

Check = Callable[[], str | None]
"""None when all is well, otherwise what is not."""


class HealthServer:
    """Serves on `host`:`port` (0: any free one). Liveness is that the event loop answers; readiness is `checks`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        checks: Mapping[str, Check] | None = None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.host = host
        self.port = port
        self._checks: dict[str, Check] = dict(checks or {})
        self._registry = registry
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address cannot be had."""
        runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            await runner.cleanup()
            why = "address in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
            raise ConfigError(
                f"health server: cannot listen on {self.host}:{self.port}: {why}; choose another address"
            ) from error
        self._runner = runner
        with suppress(IndexError):
            self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="only GET\n")
        path = request.path.rstrip("/") or "/"
        if path in ("/livez", "/healthz"):
            return web.Response(text="ok\n")
        if path == "/readyz":
            return self._readiness(verbose="verbose" in request.query)
        if path == "/metrics":
            return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
        return web.Response(status=404, text="not found\n")

    def _readiness(self, *, verbose: bool) -> web.Response:
        found = {name: check() for name, check in self._checks.items()}
        ready = not any(found.values())
        if ready and not verbose:
            return web.Response(text="ok\n")
        lines = [f"[-] {name}: {fault}" if fault else f"[+] {name} ok" for name, fault in found.items()]
        lines.append("ready" if ready else "not ready")
        return web.Response(status=200 if ready else 503, text="\n".join(lines) + "\n")
