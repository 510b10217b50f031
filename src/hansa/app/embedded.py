"""A federation of embedded servers in this process: hub and members, served over TLS, members acted out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.api.names import FIELD_MANAGER
from hansa.apiserver.builtin import plugins
from hansa.apiserver.embedded import ADMIN, Embedded, start_embedded
from hansa.apiserver.http import Running, serve, server_context
from hansa.apiserver.message import UserInfo
from hansa.app.identity import ServerIdentity, identity_of
from hansa.app.inprocess import InProcessTransport
from hansa.app.kubeconfigs import Access
from hansa.app.loopback import MemberAddresses
from hansa.app.state import HUB, StateFolder
from hansa.base.clock import Clock
from hansa.dialect.kubefed import types
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError
from hansa.sim.member import SimulatedMember

SIMULATION = "hansa-sim"
"""Field manager of the members' acted-out controllers: not the control plane's."""
REGIONS = 3
"""Members are spread over so many regions, each with two zones."""


@dataclass
class Server:
    """One embedded server that listens."""

    name: str
    embedded: Embedded
    serving: Running
    identity: ServerIdentity

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.serving.port}"

    def client(self, user: UserInfo = ADMIN, *, field_manager: str = FIELD_MANAGER) -> Client:
        """A client in this process, without limits on its rate."""
        return Client(InProcessTransport(self.name, self.embedded, user=user), qps=0, field_manager=field_manager)

    def client_with_token(self, token: str) -> Client:
        return Client(InProcessTransport(self.name, self.embedded, token=token), qps=0)

    @property
    def access(self) -> Access:
        authority = self.identity.keys.authority.certificate
        return Access(self.name, self.url, authority, self.identity.admin)


@dataclass
class EmbeddedFederation:
    """Start with `start`. `servers` has the hub first."""

    folder: StateFolder
    members: Sequence[str]
    clock: Clock
    loopback: Mapping[str, MemberAddresses] = field(default_factory=dict[str, MemberAddresses])
    """Members whose pods really answer, and where."""
    servers: dict[str, Server] = field(default_factory=dict[str, Server])
    _loops: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    @property
    def hub(self) -> Server:
        return self.servers[HUB]

    async def start(self, say: Callable[[str], None]) -> None:
        """Raises ConfigError when a port of the folder has been taken by somebody else."""
        names = (HUB, *self.members)
        ports = self.folder.ports(names)
        federated = [one.crd for one in types.enablements(types.NATIVE_TYPES)]
        say(f"starting {len(names)} API servers")
        for position, name in enumerate(names):
            definitions = [*all_crds(), *federated] if name == HUB else []
            self.servers[name] = await self._start(name, ports[name], definitions, position)
        for position, name in enumerate(self.members):
            self._loops.append(asyncio.create_task(self._simulate(name, position), name=f"member {name}"))

    async def stop(self) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for server in self.servers.values():
            await server.serving.stop()
            await server.embedded.stop()

    async def _start(self, name: str, port: int, definitions: Sequence[Json], position: int) -> Server:
        identity = identity_of(self.folder, name, self.clock)
        embedded = await start_embedded(
            name,
            clock=self.clock,
            directory=self.folder.data(name),
            extra_crds=definitions,
            keys=identity.keys,
            service_cidr=f"10.{96 + position % 128}.0.0/16",
            # templates on the hub are no workloads: a Pod there gets no account, as on Karmada's API server
            admission_plugins=plugins.ALL - {"ServiceAccount"} if name == HUB else plugins.ALL,
            pods_on_loopback=name in self.loopback,
        )
        context = server_context(str(identity.certificate_file), str(identity.key_file), str(identity.authority_file))
        try:
            serving = await serve(embedded, "127.0.0.1", port, context)
        except OSError as error:
            await embedded.stop()
            raise ConfigError(
                f"{name}: port {port} on 127.0.0.1 is in use by another program ({error.strerror or error}). Stop it or"
                f" remove {self.folder.directory / 'ports.json'} so that other ports are chosen"
            ) from error
        return Server(name, embedded, serving, identity)

    async def _simulate(self, name: str, position: int) -> None:
        region, zones = topology(position)
        client = self.servers[name].client(field_manager=SIMULATION)
        pods = self.loopback[name].pods if name in self.loopback else None
        await SimulatedMember(name, client, clock=self.clock, region=region, zones=zones, loopback=pods).run()


def topology(position: int) -> tuple[str, tuple[str, ...]]:
    """Region and zones of the member at that place."""
    region = f"region{position % REGIONS + 1}"
    return region, (f"{region}-a", f"{region}-b")
