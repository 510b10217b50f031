"""A federation in one process: hub and members are embedded servers, time is virtual, members can be cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import GVK, Json, Resource
from hansa.apiserver.embedded import ADMIN, Embedded, Keys, start_embedded
from hansa.apiserver.message import UserInfo
from hansa.app.inprocess import InProcessTransport
from hansa.base.names import execution_namespace
from hansa.control import pipeline
from hansa.control.context import Context, Options
from hansa.control.interpreter import Interpreter
from hansa.control.place.estimators import Estimator
from hansa.control.place.placer import Placer
from hansa.dialect import karmada, kubefed
from hansa.interpret.convention.karmada import KARMADA
from hansa.interpret.convention.kubefed import KUBEFED
from hansa.kube.client import Client
from hansa.kube.errors import NotFound, Unreachable
from hansa.kube.transport import Answer
from hansa.runtime.cache import Cache
from hansa.runtime.clock import LoopClock
from hansa.runtime.controller import Controller
from hansa.runtime.fleet import Fleet
from hansa.runtime.patience import Traffic
from hansa.runtime.recorder import Recorder
from hansa.service import hub as service
from hansa.service.controllers import controllers as services
from hansa.service.identity import signer
from hansa.service.silence import STALE_AFTER_SECONDS

WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Tap:
    """Stands between the control plane and the servers; what it raises, the control plane sees."""

    def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
        """A request is about to reach the server; an answer keeps it from there."""
        return None

    def after(self, server: str, method: str, path: str) -> None:
        """It has been carried out, and its answer is on the way back."""


@dataclass
class Wire(InProcessTransport):
    """A transport that counts writes, and that can be cut: then nothing gets through, and open watches break."""

    server: str
    embedded: Embedded
    writes: list[str] = field(default_factory=list)
    cut: bool = False
    tap: Tap | None = None
    user: UserInfo = ADMIN

    def __post_init__(self) -> None:
        super().__init__(self.server, self.embedded, user=self.user)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> Answer:
        if self.cut:
            raise Unreachable(self.server, "cut off")
        if method in WRITES:
            self.writes.append(f"{method} {path}")
        instead = self.tap.before(self.server, method, path, body) if self.tap is not None else None
        if instead is not None:
            return instead
        answer = await super().request(
            method, path, query=query, headers=headers, body=body, timeout_seconds=timeout_seconds
        )
        if self.tap is not None:
            self.tap.after(self.server, method, path)
        return answer

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        idle_timeout_seconds: float | None = None,
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        if self.cut:
            raise Unreachable(self.server, "cut off")
        async with super().stream(
            path, query=query, headers=headers, idle_timeout_seconds=idle_timeout_seconds
        ) as lines:
            yield self._until_cut(lines)

    async def _until_cut(self, lines: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for line in lines:
            if self.cut:
                raise Unreachable(self.server, "cut off")
            yield line


class ControlPlane:
    """The dialects and the pipeline, as one process runs them."""

    def __init__(self, federation: Federation) -> None:
        self.wire = Wire("hub", federation.servers["hub"], tap=federation.tap, user=federation.hub_user)
        self.members: dict[str, Wire] = {}
        self._federation = federation
        client = Client(self.wire, qps=0)
        traffic = Traffic()
        self.cache = Cache(client)
        self.fleet = Fleet()
        self.recorder = Recorder(client, "hansa", clock=federation.clock, traffic=traffic)
        interpret = Interpreter().ask
        context = Context(
            hub=client,
            cache=self.cache,
            fleet=self.fleet,
            recorder=self.recorder,
            clock=federation.clock,
            interpret=interpret,
            connect=self._connect,
            options=federation.options,
            traffic=traffic,
            conventions={KARMADA.name: KARMADA, KUBEFED.name: KUBEFED},
        )
        placer = Placer(self.cache, federation.clock, federation.options.gates, estimators=federation.estimators)
        gates = karmada.Options(gates=federation.options.gates)
        hub = karmada.Hub(
            client, self.cache, self.recorder, federation.clock, interpret, placer.at_birth, gates, traffic
        )
        self.parts = [*pipeline.controllers(context, placer), *karmada.controllers(hub)]
        self.parts += signer.controllers(client, self.cache, federation.clock)
        if federation.speaks_kubefed:
            self.parts += kubefed.controllers(kubefed.Hub(client, self.cache, self.recorder, federation.clock))
        if federation.serves_services:
            hub = service.Hub(client, self.cache, self.fleet, self.recorder, federation.clock)
            self.parts += services(hub, stale_after_seconds=federation.stale_after_seconds)
        self._tasks = [asyncio.create_task(part.run(), name=part.name) for part in self.parts]

    def _connect(self, cluster: Cluster, secret: Mapping[str, bytes]) -> Client:
        name = cluster.metadata.name
        cut = self._federation.is_cut(name)
        self.members[name] = Wire(name, self._federation.servers[name], cut=cut, tap=self._federation.tap)
        return Client(self.members[name], qps=0)

    @property
    def idle(self) -> bool:
        return all(part.queue.idle for part in self.parts if isinstance(part, Controller))

    @property
    def writes(self) -> list[str]:
        """Writes to all servers, but for events."""
        wires = [self.wire, *self.members.values()]
        return [write for wire in wires for write in wire.writes if "/events" not in write]

    def forget_writes(self) -> None:
        for wire in (self.wire, *self.members.values()):
            wire.writes.clear()

    async def stop(self, *, flush_seconds: float = 2.0) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.recorder.close(flush_seconds)
        await self.fleet.close()
        await self.cache.close()
        for result in results:
            if isinstance(result, Exception):
                raise result


class Federation:
    """Servers by name; `hub` is among them. The users' own clients are not counted."""

    def __init__(
        self,
        clock: LoopClock,
        servers: dict[str, Embedded],
        *,
        speaks_kubefed: bool = False,
        serves_services: bool = False,
        tap: Tap | None = None,
        hub_user: UserInfo = ADMIN,
    ) -> None:
        self.hub_user = hub_user
        self.clock = clock
        self.tap = tap
        self.speaks_kubefed = speaks_kubefed
        self.serves_services = serves_services
        self.servers = servers
        self.options = Options()
        """Of the control planes that start from now on."""
        self.stale_after_seconds = STALE_AFTER_SECONDS
        """Likewise."""
        self.estimators: list[Estimator] = []
        """Asked by every control plane of this federation; tests add theirs."""
        self.clients = {name: Client(Wire(name, server), qps=0) for name, server in servers.items()}
        self.hub = self.clients["hub"]
        self._cut: set[str] = set()
        self.plane = ControlPlane(self)

    # -- what a test does ---------------------------------------------------------------------------------------------

    async def add_server(self, name: str, keys: Keys, service_range: str) -> None:
        """One more member to be, with Services of those addresses; it stops with the others."""
        self.servers[name] = await start_embedded(name, clock=self.clock, keys=keys, service_cidr=service_range)
        self.clients[name] = Client(Wire(name, self.servers[name]), qps=0)

    async def join(self, *names: str, labels: Mapping[str, str] | None = None, **spec: Any) -> None:
        """Register members with their credentials, as `hansa join` leaves them."""
        for name in names:
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": "karmada-cluster"},
                "stringData": {"token": "anything"},
            }
            await self.hub.create(scheme.SECRETS, secret)
            cluster = {
                "apiVersion": "cluster.karmada.io/v1alpha1",
                "kind": "Cluster",
                "metadata": {"name": name, "labels": dict(labels or {})},
                "spec": {
                    "syncMode": "Push",
                    "apiEndpoint": f"https://{name}",
                    "secretRef": {"namespace": "karmada-cluster", "name": name},
                    **spec,
                },
            }
            await self.hub.create(scheme.CLUSTERS, cluster)

    async def apply(self, *objects: Json, server: str = "hub") -> list[Item]:
        """Create, or replace what is there."""
        client = self.clients[server]
        found: list[Item] = []
        for obj in objects:
            resource = await self._resource(server, obj["apiVersion"], obj["kind"])
            metadata = obj["metadata"]
            try:
                old = await client.get(resource, metadata["name"], metadata.get("namespace"))
            except NotFound:
                found.append(await client.create(resource, obj))
            else:
                version = old.meta.resource_version
                updated = {**obj, "metadata": {**old.json()["metadata"], **metadata, "resourceVersion": version}}
                found.append(await client.update(resource, updated))
        return found

    async def get(self, server: str, what: Resource, name: str, namespace: str | None = None) -> Json | None:
        try:
            return (await self.clients[server].get(what, name, namespace)).json()
        except NotFound:
            return None

    async def works(self, cluster: str) -> list[Json]:
        page = await self.hub.list(scheme.WORKS, execution_namespace(cluster))
        return [item.json() for item in page.items]

    def cut(self, name: str, cut: bool = True) -> None:
        """Cut a member off from the control plane, or let it back."""
        (self._cut.add if cut else self._cut.discard)(name)
        wire = self.plane.members.get(name)
        if wire is not None:
            wire.cut = cut

    def is_cut(self, name: str) -> bool:
        return name in self._cut

    async def settle(self, seconds: float = 3.0, limit_seconds: float = 300.0) -> None:
        """Until nothing has been written for so many (virtual) seconds and no key waits."""
        passed = 0.0
        while passed < limit_seconds:
            before = self._versions()
            await asyncio.sleep(seconds)
            passed += seconds
            if before == self._versions() and self.plane.idle:
                return
        raise AssertionError(f"still restless after {limit_seconds} s: {self.plane.writes[-20:]}")

    async def restart(self) -> None:
        """A new process in place of the old one."""
        await self.plane.stop()
        self.plane = ControlPlane(self)

    def _versions(self) -> list[int]:
        return [server.context.storage.version for server in self.servers.values()]

    async def _resource(self, server: str, api_version: str, kind: str) -> Resource:
        return await self.clients[server].discovery.resource_for(GVK.of(api_version, kind))


@asynccontextmanager
async def running(
    keys: Keys,
    crds: Sequence[Json],
    *,
    speaks_kubefed: bool,
    serves_services: bool = False,
    members: Sequence[str] = ("member1", "member2", "member3"),
    tap: Tap | None = None,
    hub_user: UserInfo = ADMIN,
) -> AsyncGenerator[Federation, None]:
    clock = LoopClock()
    servers: dict[str, Embedded] = {}
    for name in ("hub", *members):
        definitions = crds if name == "hub" else []
        servers[name] = await start_embedded(name, clock=clock, extra_crds=definitions, keys=keys)
    hub = Client(Wire("hub", servers["hub"]), qps=0)
    for name in ("karmada-cluster", "kube-federation-system"):
        await hub.create(scheme.NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    built = Federation(
        clock,
        servers,
        speaks_kubefed=speaks_kubefed,
        serves_services=serves_services,
        tap=tap,
        hub_user=hub_user,
    )
    try:
        yield built
    finally:
        await built.plane.stop(flush_seconds=0.0)
        for server in servers.values():
            await server.stop()
