"""`hansa dns`: names of imported services, beside one member, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import REGISTRY

from hansa.api import names
from hansa.app.connect import connected
from hansa.app.run import split_address
from hansa.app.up import stopped
from hansa.kube.errors import ConfigError
from hansa.runtime import logs
from hansa.runtime.clock import SystemClock
from hansa.runtime.health import HealthServer
from hansa.service.dns.keeper import ZoneKeeper
from hansa.service.dns.metrics import ZoneCollector
from hansa.service.dns.reply import Replies
from hansa.service.dns.server import Server
from hansa.service.dns.state import ZoneFile

_DOMAIN = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
DOMAIN_LENGTH = 100
"""Characters of a domain: room is needed for service, namespace, cluster and host before it."""


@dataclass(frozen=True, slots=True)
class DnsOptions:
    """`listen`: HOST:PORT, each for UDP and TCP. `state`: file of the last known zone."""

    kubeconfig: Path | None
    context: str | None
    listen: tuple[str, ...]
    domain: str = names.CLUSTERSET
    state: Path | None = None
    state_age_seconds: float = 86400.0
    health_address: str | None = None
    log_format: logs.Format = "console"


async def run(options: DnsOptions, say: Callable[[str], None]) -> None:
    """Raises ConfigError when an address or the state file cannot be had."""
    logs.configure(format_=options.log_format)
    domain = options.domain.rstrip(".").lower()
    if not _DOMAIN.fullmatch(domain) or len(domain) > DOMAIN_LENGTH:
        raise ConfigError(f"--domain {options.domain}: wanted a domain such as {names.CLUSTERSET}")
    labels = tuple(domain.split("."))
    file = None if options.state is None else ZoneFile(options.state)
    if file is not None:
        file.check()
    replies = Replies(labels, time.time)
    servers = [Server(replies, *split_address(address, "--listen")) for address in options.listen]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(options.kubeconfig, options.context))
        for server in servers:
            await server.start()
            stack.push_async_callback(server.stop)
            say(f"serving {domain} on {server.host}:{server.port}, UDP and TCP")
        keeper = ZoneKeeper(
            client,
            labels,
            replies.serve,
            SystemClock(),
            servers=tuple(server.host for server in servers if _is_specific(server.host)),
            file=file,
            longest_seconds=options.state_age_seconds,
        )
        REGISTRY.register(ZoneCollector(lambda: (keeper.zone, keeper.age_seconds())))
        if options.health_address is not None:
            host, port = split_address(options.health_address, "--health-address")
            health = HealthServer(host, port, checks={"zone": keeper.why_not_ready})
            await health.start()
            stack.push_async_callback(health.stop)
            say(f"health and metrics on http://{host}:{health.port}")
        await _until_stopped(keeper)


async def _until_stopped(keeper: ZoneKeeper) -> None:
    """Raises what ends the keeper, which only a fault can."""
    keeping = asyncio.create_task(keeper.run(), name="zone keeper")
    stop = asyncio.create_task(stopped(), name="signals")
    await asyncio.wait((keeping, stop), return_when=asyncio.FIRST_COMPLETED)
    for task in (keeping, stop):
        task.cancel()
    for outcome in await asyncio.gather(keeping, stop, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def _is_specific(host: str) -> bool:
    """Whether it is an address that clients can use."""
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
