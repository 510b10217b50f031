"""`hansa gateway`: the gateway of one member with its identity."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hansa.app.connect import connected
from hansa.app.run import split_address
from hansa.app.up import stopped
from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError
from hansa.runtime import logs
from hansa.runtime.clock import SystemClock
from hansa.runtime.health import HealthServer
from hansa.service.gateway.envoy import find_envoy
from hansa.service.gateway.gateway import Gateway
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.settings import Settings
from hansa.service.identity.keeper import Identity, Keeper


class MemberGateway:
    """Gateway and identity of one member. `hub` acts as the member; `envoy` is the command that starts Envoy.

    Raises ConfigError when the folder cannot be used or Envoy is missing.
    """

    def __init__(
        self,
        hub: Client,
        member: Client,
        directory: Path,
        settings: Settings,
        clock: Clock,
        *,
        envoy: Sequence[str] = (),
    ) -> None:
        self.gateway = Gateway(member, directory, settings, clock, envoy=envoy or [find_envoy()])
        self._keeper = Keeper(hub, member, Layout(directory).identity, clock, self._use)

    async def run(self) -> None:
        """Until cancelled; Envoy ends with it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.gateway.run(), name="gateway")
            group.create_task(self._keeper.run(), name="gateway identity")

    def _use(self, identity: Identity) -> None:
        self.gateway.use(identity.pair, identity.authorities)


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Kubeconfigs: of the member, and of the hub as that member. `drain_seconds`: how long it may take leave."""

    kubeconfig: Path | None
    context: str | None
    hub_kubeconfig: Path
    hub_context: str | None
    directory: Path
    settings: Settings
    drain_seconds: float
    health_address: str | None
    log_format: logs.Format


async def serve(options: GatewayOptions, say: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM; then it drains, unless a second one comes. Raises ConfigError."""
    logs.configure(format_=options.log_format)
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(connected(options.kubeconfig, options.context))
        hub = await stack.enter_async_context(connected(options.hub_kubeconfig, options.hub_context))
        served = MemberGateway(hub, member, options.directory, options.settings, SystemClock())
        stack.enter_context(_alone_in(options.directory))
        if options.health_address is not None:
            host, port = split_address(options.health_address, "--health-address")
            health = HealthServer(host, port, checks={"gateway": served.gateway.fault})
            await health.start()
            stack.push_async_callback(health.stop)
            say(f"health and metrics on http://{host}:{health.port}")
        settings = options.settings
        say(f"gateway on {settings.address}, for other gateways on {settings.inbound}:{settings.port}")
        running = asyncio.create_task(served.run(), name="member gateway")
        await _until_one(running, stopped())
        if not running.done():
            say(f"draining, for {options.drain_seconds:g} s at most")
            half = options.drain_seconds / 2
            await _until_one(running, served.gateway.drain(half, half), stopped())
        running.cancel()
        try:
            await running
        except asyncio.CancelledError:
            say("stopped")


async def _until_one(running: asyncio.Task[None], *others: Coroutine[None, None, None]) -> None:
    """Until one of them has ended; `others` are cancelled then."""
    tasks = [asyncio.create_task(one) for one in others]
    await asyncio.wait((running, *tasks), return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _alone_in(directory: Path) -> Generator[None, None, None]:
    """No other gateway uses the folder meanwhile. Raises ConfigError."""
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"--dir {directory}: another gateway uses it; give each a folder of its own") from error
        yield
