"""`hansa up --real`: the federation on real Kubernetes processes, with webhooks served and nodes and pods acted out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import yaml

from hansa.api import scheme
from hansa.api.names import FIELD_MANAGER
from hansa.app.account import hub_as_account
from hansa.app.admission import served
from hansa.app.control_plane import ControlPlane, Settings
from hansa.app.embedded import SIMULATION, topology
from hansa.app.state import FederationSpec, StateFolder
from hansa.app.up import announce, health_of, stopped, wait_ready
from hansa.control.cluster.credentials import connect
from hansa.dialect.kubefed import types
from hansa.install.init import init
from hansa.install.join import JoinRequest, join
from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError
from hansa.kube.http import HttpTransport
from hansa.rig.cluster import NotReady
from hansa.rig.federation import RealFederation
from hansa.rig.ports import HOST
from hansa.runtime.clock import SystemClock
from hansa.runtime.process import ProcessEnded
from hansa.sim.member import SimulatedMember

Say = Callable[[str], None]


async def serve(folder: StateFolder, spec: FederationSpec, say: Say) -> None:
    """Run until SIGINT or SIGTERM. Raises ConfigError when programs are missing or one of them ends."""
    federation = RealFederation(folder.directory / "data", spec.members, durable=False)
    say(f"starting Kubernetes for {', '.join(spec.servers)}")
    try:
        await federation.start()
    except (NotReady, ProcessEnded) as error:
        raise ConfigError(str(error)) from error
    try:
        folder.write_private(folder.kubeconfig, yaml.safe_dump(federation.kubeconfig()).encode())
        async with AsyncExitStack() as stack:
            await _run(folder, spec, stack, say)
    finally:
        say("stopping")
        await federation.stop()


async def _run(folder: StateFolder, spec: FederationSpec, stack: AsyncExitStack, say: Say) -> None:
    clients = {name: _client(folder, name) for name in spec.servers}
    for client in clients.values():
        stack.push_async_callback(client.close)
    hub = clients["hub"]
    await init(hub, say, federated=types.enablements(types.DEFAULT_TYPES))
    for position, name in enumerate(spec.members):
        region, zones = topology(position)
        acting = _client(folder, name, field_manager=SIMULATION)
        stack.push_async_callback(acting.close)
        member = SimulatedMember(name, acting, region=region, zones=zones, controllers=False)
        await stack.enter_async_context(in_background(member.run(), name))
    hub_config = config.load(folder.kubeconfig, "hub")
    account = await hub_as_account(hub_config, qps=0, burst=1)
    clock = SystemClock()
    url = await stack.enter_async_context(served(account, HOST, folder.ports(["webhook"])["webhook"], clock))
    say(f"webhooks on {url}")
    plane = ControlPlane(account, clock, connect, Settings())
    await stack.enter_async_context(plane.running())
    say(f"joining {len(spec.members)} members")
    joined = {item.meta.name for item in (await hub.list(scheme.CLUSTERS)).items}
    await asyncio.gather(
        *(_join(folder, hub, clients[name], name, i) for i, name in enumerate(spec.members) if name not in joined)
    )
    await wait_ready(hub, spec.members, plane)
    async with health_of(folder, plane) as health:
        announce(folder, spec, health, say)
        await stopped()


async def _join(folder: StateFolder, hub: Client, member: Client, name: str, position: int) -> None:
    region, zones = topology(position)
    reached = config.load(folder.kubeconfig, name)
    request = JoinRequest(
        name, reached.server, provider="rig", region=region, zones=zones, ca_data=reached.ca_data or b""
    )
    await join(hub, member, request, lambda _: None)


def _client(folder: StateFolder, name: str, *, field_manager: str = FIELD_MANAGER) -> Client:
    return Client(HttpTransport(config.load(folder.kubeconfig, name)), qps=0, field_manager=field_manager)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], name: str) -> AsyncGenerator[None, None]:
    """Run `work` until the block ends."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
