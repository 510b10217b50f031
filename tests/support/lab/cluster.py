"""A member with a gateway, as its own API server sees it; and the hub that signs for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tests.support.federation import Wire

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.api.routing import Backend, Peer, Peers, Route, RoutePort
from hansa.apiserver.embedded import Embedded, start_embedded
from hansa.apiserver.message import UserInfo
from hansa.app.gateway import MemberGateway
from hansa.base.certificates import expires_at
from hansa.install import enrol
from hansa.kube.client import Client
from hansa.kube.errors import NotFound
from hansa.runtime.cache import Cache
from hansa.runtime.clock import SystemClock
from hansa.service.gateway.envoy import AdminError, Envoy, find_envoy
from hansa.service.gateway.health import peer_health
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Site
from hansa.service.identity import signer

NAMESPACE, SERVICE, PORT = "shop", "web", "http"
LISTEN = 20000
VIRTUAL = "10.96.0.80"
"""What the service's name resolves to."""
READY_SECONDS = 30.0
LEAVE_SECONDS, FINISH_SECONDS = 0.5, 10.0


async def put(client: Client, resource: Resource, obj: Json) -> None:
    """Create, or bring to what is given."""
    meta = obj["metadata"]
    try:
        await client.patch(resource, meta["name"], meta.get("namespace"), obj)
    except NotFound:
        await client.create(resource, obj)


def a_namespace(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


@dataclass
class Hub:
    """An embedded hub with the signer of gateways at work. `cut` takes it from all members."""

    server: Embedded
    wires: list[Wire] = field(default_factory=list[Wire])
    is_cut: bool = False

    def as_member(self, name: str) -> Client:
        user = UserInfo(f"{names.MEMBER_USER_PREFIX}{name}", (names.MEMBERS_GROUP, "system:authenticated"))
        self.wires.append(Wire("hub", self.server, user=user, cut=self.is_cut))
        return Client(self.wires[-1], qps=0)

    @property
    def admin(self) -> Client:
        return Client(Wire("hub", self.server), qps=0)

    def cut(self, cut: bool = True) -> None:
        self.is_cut = cut
        for wire in self.wires:
            wire.cut = cut


@asynccontextmanager
async def a_hub(clusters: Sequence[str]) -> AsyncGenerator[Hub, None]:
    server = await start_embedded("hub", clock=SystemClock(), extra_crds=all_crds())
    client = Client(Wire("hub", server), qps=0)
    await client.create(scheme.NAMESPACES, a_namespace(names.HANSA_NAMESPACE))
    for obj in enrol.permissions():
        await client.create(await client.discovery.resource_for(Item.of(obj).gvk), obj)
    for name in clusters:
        cluster = {
            "apiVersion": scheme.CLUSTERS.api_version,
            "kind": "Cluster",
            "metadata": {"name": name},
            "spec": {"syncMode": "Push"},
        }
        await client.create(scheme.CLUSTERS, cluster)
    cache = Cache(client)
    tasks = [asyncio.create_task(part.run()) for part in signer.controllers(client, cache, SystemClock())]
    try:
        yield Hub(server)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cache.close()
        await server.stop()


@dataclass
class Lab:
    """One member with its gateway. `prefix`: what its Envoy is started with."""

    name: str
    region: str
    settings: Settings
    directory: Path
    hub: Hub
    prefix: Sequence[str] = ()
    server: Embedded | None = None
    wires: list[Wire] = field(default_factory=list[Wire])
    is_cut: bool = False
    served: MemberGateway | None = None
    task: asyncio.Task[None] | None = None

    @property
    def public(self) -> str:
        return f"{self.settings.inbound}:{self.settings.port}"

    @property
    def api(self) -> Client:
        """For the test itself: it is never cut."""
        assert self.server is not None
        return Client(Wire(self.name, self.server), qps=0)

    async def start(self) -> None:
        """Its API server with an empty namespace, then the gateway."""
        self.server = await start_embedded(self.name, clock=SystemClock(), extra_crds=all_crds(), pods_on_loopback=True)
        for namespace in (names.HANSA_NAMESPACE, NAMESPACE):
            await self.api.create(scheme.NAMESPACES, a_namespace(namespace))
        await self.start_gateway()

    def client(self) -> Client:
        """For what runs beside it; `cut` takes its API server away."""
        assert self.server is not None
        self.wires.append(Wire(self.name, self.server, cut=self.is_cut))
        return Client(self.wires[-1], qps=0)

    async def start_gateway(self) -> None:
        member, hub = self.client(), self.hub.as_member(self.name)
        command = [*self.prefix, find_envoy()]
        self.served = MemberGateway(hub, member, self.directory, self.settings, SystemClock(), envoy=command)
        self.task = asyncio.create_task(self.served.run(), name=f"gateway {self.name}")

    async def stop_gateway(self) -> None:
        await _ended(self.task)

    async def roll(self) -> None:
        """A second gateway takes its place beside the first; then the first drains, and ends."""
        first, task = self.served, self.task
        assert first is not None
        self.directory = self.directory.with_name(f"{self.directory.name}+")
        await self.start_gateway()
        await self.serving()
        await first.gateway.drain(LEAVE_SECONDS, FINISH_SECONDS)
        await _ended(task)

    async def stop(self) -> None:
        await self.stop_gateway()
        if self.server is not None:
            await self.server.stop()

    def cut(self, cut: bool = True) -> None:
        """Take its API server from what runs beside it, or give it back."""
        self.is_cut = cut
        for wire in self.wires:
            wire.cut = cut

    def certificate_seconds(self) -> float:
        """How long its gateway's certificate holds from now."""
        certificate = (Layout(self.directory).identity / "tls.crt").read_bytes()
        return (expires_at(certificate) - SystemClock().now()).total_seconds()

    async def serving(self) -> None:
        """Until its Envoy has taken on all that it was told."""
        assert self.served is not None
        async with asyncio.timeout(READY_SECONDS):
            while self.served.gateway.fault() or not await self._listens():
                if self.task is not None and self.task.done():
                    self.task.result()
                await asyncio.sleep(0.05)

    async def reaches(self, *clusters: str) -> None:
        """Until its Envoy has found every endpoint in these healthy."""
        site = msgspec.json.decode(Layout(self.directory).site.read_bytes(), type=Site)
        async with asyncio.timeout(READY_SECONDS):
            while True:
                found = peer_health(await self.ask("/clusters?format=json"), site)
                if all(name in found and found[name].healthy == found[name].endpoints for name in clusters):
                    return
                await asyncio.sleep(0.05)

    async def counter(self, name: str) -> int:
        """A counter of its Envoy, over all listeners."""
        stats = await self.ask(f"/stats?format=json&filter={name}$")
        return sum(one.get("value", 0) for one in stats["stats"])

    async def ask(self, path: str) -> Json:
        """Its Envoy's administration."""
        return await Envoy([], Layout(self.directory), self.settings).ask(path)

    async def _listens(self) -> bool:
        """Listeners as many as the last configuration names, and none of it refused."""
        wanted = msgspec.json.decode(Layout(self.directory).listeners.read_bytes())["resources"]
        try:
            return len((await self.ask("/listeners?format=json")).get("listener_statuses", [])) == len(wanted) > 0
        except AdminError:
            return False

    # -- what the control plane and the member's own controllers write ------------------------------------------------

    async def knows(self, *others: Lab) -> None:
        """Its peers are these."""
        peers = tuple(Peer(cluster=one.name, region=one.region, gateways=(one.public,)) for one in others)
        told = Peers(cluster=self.name, clusterset=names.CLUSTERSET, region=self.region, peers=peers)
        data = {names.PEERS_KEY: msgspec.json.encode(told).decode()}
        meta = {"name": names.PEERS, "namespace": names.HANSA_NAMESPACE}
        await put(
            self.api, scheme.CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        )

    async def imports(self, own: Backend | None, *backends: Backend, service: str = SERVICE, **route: object) -> None:
        """The service, by this route; `own` is set where this cluster exports it too."""
        listen = route.pop("listen", LISTEN)
        port = RoutePort(name=PORT, port=80, listen=listen)  # type: ignore[arg-type]
        decided = Route(mode="proxy", ports=(port,), own=own, backends=backends, **route)  # type: ignore[arg-type]
        annotations = {names.ROUTE_ANNOTATION: msgspec.json.encode(decided).decode()}
        meta = {"name": service, "namespace": NAMESPACE, "annotations": annotations}
        ports = [{"name": PORT, "port": 80, "protocol": "TCP"}]
        spec = {"type": "ClusterSetIP", "ips": [VIRTUAL], "ports": ports}
        obj = {"apiVersion": scheme.SERVICE_IMPORTS.api_version, "kind": "ServiceImport", "metadata": meta}
        await put(self.api, scheme.SERVICE_IMPORTS, obj | {"spec": spec})

    async def exports(self, *addresses: tuple[str, int], service: str = SERVICE) -> None:
        """The service, with these ready pods."""
        meta = {"name": service, "namespace": NAMESPACE}
        obj = {"apiVersion": scheme.SERVICE_EXPORTS.api_version, "kind": "ServiceExport", "metadata": meta}
        await put(self.api, scheme.SERVICE_EXPORTS, obj)
        valid = {"type": "Valid", "status": "True", "reason": "Valid", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        await self.api.patch(
            scheme.SERVICE_EXPORTS, service, NAMESPACE, {"status": {"conditions": [valid]}}, subresource="status"
        )
        await self.pods(*addresses, service=service)

    async def pods(self, *addresses: tuple[str, int], service: str = SERVICE) -> None:
        """What the member's own controller says of the service's ready pods."""
        for number in range(3):
            host, port = addresses[number] if number < len(addresses) else ("", 1)
            endpoints = [{"addresses": [host], "conditions": {"ready": True}}] if host else []
            labels = {names.SERVICE_LABEL: service, names.MANAGED_BY_LABEL: "endpointslice-controller.k8s.io"}
            obj = {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": f"{service}-{number}", "namespace": NAMESPACE, "labels": labels},
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": [{"name": PORT, "port": port, "protocol": "TCP"}],
            }
            await put(self.api, scheme.ENDPOINT_SLICES, obj)


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def to(lab: Lab, tier: int, weight: int = 1) -> Backend:
    """A way to that cluster."""
    return Backend(cluster=lab.name, tier=tier, weight=weight, ports=(PORT,))
