"""`hansa run`: the control plane against any hub, until it is told to stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.app.account import hub_as_account
from hansa.app.admission import served
from hansa.app.control_plane import ControlPlane, Settings
from hansa.app.up import stopped
from hansa.control.cluster.credentials import config_of
from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError, NotFound
from hansa.kube.http import HttpTransport
from hansa.runtime import logs
from hansa.runtime.clock import SystemClock
from hansa.runtime.health import HealthServer
from hansa.runtime.lease import Election

LEASE = "hansa"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Requests per second are for each server; 0 means no limit."""

    kubeconfig: Path | None
    context: str | None
    health_address: str
    webhook_address: str | None
    kube_api_qps: float
    kube_api_burst: int
    cluster_api_qps: float
    cluster_api_burst: int
    leader_elect: bool
    log_format: logs.Format
    settings: Settings = Settings()


async def run(options: RunOptions, say: Callable[[str], None]) -> None:
    """Raises ConfigError when the hub cannot be used as it is, or an address is taken."""
    logs.configure(format_=options.log_format)
    hub_config = config.load(options.kubeconfig, options.context)
    hub = await hub_as_account(hub_config, qps=options.kube_api_qps, burst=options.kube_api_burst)
    await _check_installed(hub)
    say(f"hub {hub.server}, as system:serviceaccount:{names.HANSA_NAMESPACE}:hansa")
    clock = SystemClock()

    def connect(cluster: Cluster, secret: Mapping[str, bytes]) -> Client:
        transport = HttpTransport(config_of(cluster, secret))
        return Client(transport, qps=options.cluster_api_qps, burst=options.cluster_api_burst)

    state = _State()
    host, port = split_address(options.health_address, "--health-address")
    health = HealthServer(host, port, checks={"control-plane": state.fault})
    await health.start()
    say(f"health and metrics on http://{host}:{health.port}")

    async def work() -> None:
        plane = ControlPlane(hub, clock, connect, options.settings)
        state.plane = plane
        async with plane.running():
            say("the control plane is running")
            await stopped()

    async def serve_webhooks(stack: AsyncExitStack) -> None:
        if options.webhook_address is not None:
            address = split_address(options.webhook_address, "--webhook-address")
            url = await stack.enter_async_context(served(hub, *address, clock))
            say(f"webhooks on {url}")

    try:
        async with AsyncExitStack() as stack:
            # every replica serves webhooks, leader or not
            await serve_webhooks(stack)
            if options.leader_elect:
                identity = f"{socket.gethostname()}_{os.getpid()}"
                say(f"waiting for the lease {names.HANSA_NAMESPACE}/{LEASE}")
                await Election(hub, names.HANSA_NAMESPACE, LEASE, identity).run(work)
            else:
                await work()
    finally:
        await health.stop()
        await hub.close()


class _State:
    """What readiness is asked of: the control plane, once there is one."""

    def __init__(self) -> None:
        self.plane: ControlPlane | None = None

    def fault(self) -> str:
        return "waiting to be leader" if self.plane is None else self.plane.why_not_ready()


def split_address(address: str, flag: str) -> tuple[str, int]:
    """`127.0.0.1:8080` in parts. Raises ConfigError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{flag} {address}: wanted HOST:PORT, such as 127.0.0.1:10357")
    return host.strip("[]"), int(port)


async def _check_installed(hub: Client) -> None:
    try:
        await hub.list(scheme.CLUSTERS)
    except NotFound as error:
        raise ConfigError(f"{hub.server} does not serve Clusters: run `hansa init` on it first") from error
