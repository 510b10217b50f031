"""Name servers and gateways of embedded members, on loopback, in this process; each gateway has an Envoy of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hansa.api import names, scheme
from hansa.apiserver.message import UserInfo
from hansa.app.embedded import EmbeddedFederation
from hansa.app.gateway import MemberGateway
from hansa.app.loopback import DNS_PORT, GATEWAY_PORT, MemberAddresses
from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.kube.errors import AlreadyExists, ConfigError
from hansa.service.dns.keeper import ZoneKeeper
from hansa.service.dns.reply import Replies
from hansa.service.dns.server import Server
from hansa.service.dns.state import ZoneFile
from hansa.service.gateway.settings import Settings

READY_SECONDS = 60.0
_DOMAIN = tuple(names.CLUSTERSET.split("."))


@dataclass(frozen=True, slots=True)
class MemberNetwork:
    """What one member has: a name server that listens, its zone, and a gateway."""

    name: str
    server: Server
    keeper: ZoneKeeper
    gateway: MemberGateway

    @property
    def fault(self) -> str | None:
        """What is waited for."""
        return self.keeper.why_not_ready() or self.gateway.gateway.fault()


@asynccontextmanager
async def networks(
    federation: EmbeddedFederation, addresses: Mapping[str, MemberAddresses], directory: Path, clock: Clock
) -> AsyncGenerator[None, None]:
    """All members' until the block ends. Raises ConfigError when an address is taken, or they are not ready in time."""
    hub = federation.hub.client()
    async with AsyncExitStack() as stack:
        made = [_network(federation, name, each, directory / name, clock) for name, each in sorted(addresses.items())]
        for network in made:
            await network.server.start()
            stack.push_async_callback(network.server.stop)
            await _make_room(federation.servers[network.name].client())
            await _advertise(hub, network.name, addresses[network.name])
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [
            group.create_task(run(), name=f"{network.name} network")
            for network in made
            for run in (network.keeper.run, network.gateway.run)
        ]
        stack.callback(_cancel, tasks)
        await _ready(made)
        yield


def _network(
    federation: EmbeddedFederation, name: str, addresses: MemberAddresses, directory: Path, clock: Clock
) -> MemberNetwork:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    member = federation.servers[name].client()
    as_member = UserInfo(f"{names.MEMBER_USER_PREFIX}{name}", (names.MEMBERS_GROUP, "system:authenticated"))
    replies = Replies(_DOMAIN, time.time)
    keeper = ZoneKeeper(
        member,
        _DOMAIN,
        replies.serve,
        clock,
        servers=(addresses.dns,),
        file=ZoneFile(directory / "zone.json"),
        longest_seconds=24 * 3600,
    )
    settings = Settings(addresses.gateway, port=GATEWAY_PORT)
    gateway = MemberGateway(federation.hub.client(as_member), member, directory / "gateway", settings, clock)
    return MemberNetwork(name, Server(replies, addresses.dns, DNS_PORT), keeper, gateway)


async def _make_room(member: Client) -> None:
    """The namespace in which the hub and the gateway leave word for each other."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.HANSA_NAMESPACE}}
    with suppress(AlreadyExists):
        await member.create(scheme.NAMESPACES, namespace)


async def _advertise(hub: Client, name: str, addresses: MemberAddresses) -> None:
    """Tell the hub where the others reach the member's gateway."""
    annotations = {names.GATEWAYS_ANNOTATION: f"{addresses.gateway}:{GATEWAY_PORT}"}
    await hub.patch(scheme.CLUSTERS, name, None, {"metadata": {"annotations": annotations}})


async def _ready(made: list[MemberNetwork]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while faults := {network.name: fault for network in made if (fault := network.fault)}:
        if time.monotonic() > deadline:
            waited = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
            raise ConfigError(f"services are not ready after {READY_SECONDS:g} s: {waited}")
        await asyncio.sleep(0.05)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
