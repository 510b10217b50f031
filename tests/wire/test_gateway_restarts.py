"""Every process of a federation restarted under load, as a platform engineer runs them: programs, TLS, kubeconfigs.

Cluster a imports what b and c serve; a client in a sends a request every 20 ms, and another asks a's two name servers
for the service. What is asserted are numbers of failures.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import pytest
import yaml
from tests.support.lab.cluster import NAMESPACE, PORT, SERVICE, a_namespace
from tests.support.lab.load import Load, Pod, Span
from tests.support.lab.loopback import Loopback, a_loopback
from tests.support.lab.names import DOMAIN, Resolver
from tests.wire.kubectl_server import TlsServer

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.routing import Route
from hansa.apiserver.embedded import ADMIN
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client
from hansa.kube.errors import ApiError
from hansa.rig.ports import free_ports
from hansa.runtime.process import Process

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60.0
DNS_PORT = 5353
IN_FLIGHT = 2
"""Requests that whatever ends may take along."""


@dataclass
class Program:
    """A `hansa` command that says on /readyz when it serves."""

    process: Process
    health: int

    @classmethod
    def of(cls, log: Path, health: int, *arguments: str | Path) -> Program:
        command = [sys.executable, "-m", "hansa.cli", *map(str, arguments), "--health-address", f"127.0.0.1:{health}"]
        environment = {"PYTHONPATH": str(ROOT / "src")}
        return cls(Process(str(arguments[0]), command, log, environment=environment), health)

    async def start(self) -> None:
        await self.process.start()
        async with asyncio.timeout(WAIT_SECONDS), aiohttp.ClientSession() as session:
            while True:
                self.process.check()
                with suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{self.health}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        await self.process.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()


async def hansa(*arguments: str | Path) -> None:
    """A command that ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hansa.cli", *map(str, arguments)),
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with suppress(ApiError):
                if await check():
                    return
            await asyncio.sleep(0.1)


@dataclass
class Federation:
    directory: Path
    addresses: Loopback
    servers: dict[str, TlsServer]
    programs: dict[str, Program] = field(default_factory=dict[str, Program])

    def api(self, name: str) -> Client:
        return Client(InProcessTransport(name, self.servers[name].embedded, user=ADMIN), qps=0)

    def program(self, name: str, *arguments: str | Path) -> Program:
        (health,) = free_ports(1, set())
        self.programs[name] = Program.of(self.directory / f"{name}.log", health, *arguments)
        return self.programs[name]

    def gateway(self, cluster: str, suffix: str = "") -> Program:
        return self.program(
            f"gateway-{cluster}{suffix}",
            *("gateway", "--kubeconfig", self.servers[cluster].kubeconfig),
            *("--hub-kubeconfig", self.directory / f"{cluster}-on-hub", "--dir", self.directory / f"{cluster}{suffix}"),
            *("--address", self.addresses.gateway(cluster), "--workers", "1", "--drain-seconds", "1"),
        )

    def name_server(self, number: int) -> Program:
        host, port = self.name_servers[number]
        return self.program(
            f"dns-{number}",
            *("dns", "--kubeconfig", self.servers["a"].kubeconfig, "--listen", f"{host}:{port}"),
            *("--state", self.directory / f"zone-{number}"),
        )

    @property
    def name_servers(self) -> list[tuple[str, int]]:
        return [(self.addresses.pod(letter), DNS_PORT) for letter in "xy"]

    async def join(self, cluster: str) -> None:
        hub = self.servers["hub"].kubeconfig
        await hansa("join", cluster, "--kubeconfig", hub, "--cluster-kubeconfig", self.servers[cluster].kubeconfig)
        await hansa("enrol", cluster, "--kubeconfig", hub, "-o", self.directory / f"{cluster}-on-hub")
        annotations = {names.GATEWAYS_ANNOTATION: f"{self.addresses.gateway(cluster)}:15443"}
        await self.api("hub").patch(scheme.CLUSTERS, cluster, None, {"metadata": {"annotations": annotations}})
        api = self.api(cluster)
        for obj in [a_namespace(NAMESPACE), *yaml.safe_load_all((ROOT / "deploy" / "gateway.yaml").read_text())]:
            await api.create(await api.discovery.resource_for(Item.of(obj).gvk), obj)

    async def export(self, cluster: str) -> None:
        api, meta = self.api(cluster), {"name": SERVICE, "namespace": NAMESPACE}
        ports: Json = {"name": PORT, "port": 80, "targetPort": 8080}
        await api.create(
            scheme.SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [ports]}}
        )
        slice_meta = {"name": f"{SERVICE}-1", "namespace": NAMESPACE, "labels": {names.SERVICE_LABEL: SERVICE}}
        pods = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": slice_meta,
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.addresses.pod(cluster)], "conditions": {"ready": True}}],
            "ports": [{"name": PORT, "port": 8080, "protocol": "TCP"}],
        }
        await api.create(scheme.ENDPOINT_SLICES, pods)

        async def known() -> bool:
            await api.list(scheme.SERVICE_EXPORTS, NAMESPACE)
            return True

        await eventually(known)
        kind = {"apiVersion": scheme.SERVICE_EXPORTS.api_version, "kind": "ServiceExport"}
        await api.create(scheme.SERVICE_EXPORTS, {**kind, "metadata": meta})

    async def route(self, *clusters: str) -> Route:
        """How a reaches the service, once these serve it."""
        found: list[Route] = []

        async def known() -> bool:
            item = await self.api("a").get(scheme.SERVICE_IMPORTS, SERVICE, NAMESPACE)
            found.append(msgspec.json.decode(item.annotations.get(names.ROUTE_ANNOTATION, ""), type=Route))
            serving = {one.cluster for one in found[-1].backends if one.weight}
            return serving == set(clusters) and all(port.listen for port in found[-1].ports)

        await eventually(known)
        return found[-1]


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncGenerator[Federation, None]:
    async with AsyncExitStack() as stack:
        addresses = stack.enter_context(a_loopback())
        servers: dict[str, TlsServer] = {}
        for name in ("hub", "a", "b", "c"):
            (tmp_path / f"{name}-api").mkdir()
            servers[name] = TlsServer(tmp_path / f"{name}-api", pods_on_loopback=True, on_disk=True)
            await servers[name].start()
            stack.push_async_callback(servers[name].stop)
        found = Federation(tmp_path, addresses, servers)
        hub = servers["hub"].kubeconfig
        await hansa("init", "--kubeconfig", hub)
        control_plane = found.program("control-plane", "run", "--kubeconfig", hub, "--no-leader-elect")
        stack.push_async_callback(_stop_all, found)
        await asyncio.gather(*map(found.join, "abc"))
        await control_plane.start()
        for cluster in "bc":
            pod = Pod.at(addresses.pod(cluster), 8080, cluster)
            await pod.start()
            stack.push_async_callback(pod.kill)
            await found.export(cluster)
        await asyncio.gather(*(found.gateway(cluster).start() for cluster in "abc"))
        yield found


async def _stop_all(federation: Federation) -> None:
    await asyncio.gather(*(program.process.kill() for program in federation.programs.values()))


async def test_every_process_is_restarted_under_load(federation: Federation) -> None:
    route = await federation.route("b", "c")
    (port,) = route.ports
    servers = [federation.name_server(number) for number in range(2)]
    await asyncio.gather(*(server.start() for server in servers))
    load = Load.on(federation.addresses.gateway("a"), port.listen)
    resolver = Resolver(".".join((SERVICE, NAMESPACE, "svc", *DOMAIN)), federation.name_servers)
    await load.start()
    await resolver.start()
    await load.until("b", "c")
    await resolver.answered()

    async def seen(what: str, *work: Callable[[], Awaitable[None]]) -> Span:
        start = len(load.results)
        for one in work:
            await one()
        await load.some(100)
        span = Span(load.results[start:])
        print(f"{what} restarted: {span}")
        return span

    for name, server in federation.servers.items():
        assert (await seen(f"API server of {name}", server.stop, server.start)).failed == 0
    for name in ("control-plane", "dns-0", "dns-1", "gateway-c", "gateway-b"):
        assert (await seen(name, federation.programs[name].restart)).failed <= IN_FLIGHT
    for cluster in "bc":
        killed = await seen(f"Envoy of {cluster}", lambda cluster=cluster: kill_envoy(federation, cluster))
        assert killed.failed <= IN_FLIGHT
    own, beside = federation.programs["gateway-a"], federation.gateway("a", "+")
    assert (await seen("gateway-a, another beside it", beside.start, own.stop)).failed <= IN_FLIGHT
    alone = await seen("gateway-a, with nothing beside it", beside.restart)
    assert {one["error"] for one in alone.results} <= {"", "ConnectionRefusedError", "ConnectionResetError", "closed"}
    print(f"names meanwhile: {len(resolver.answers)} questions, {resolver.failed} without an answer")
    assert resolver.failed == 0

    # and they all still work together
    await federation.api("b").delete(scheme.SERVICE_EXPORTS, SERVICE, NAMESPACE)
    assert (await load.until("c", count=50)).failed == 0
    await federation.route("c")
    await resolver.stop()
    await load.stop()


async def kill_envoy(federation: Federation, cluster: str) -> None:
    parent = federation.programs[f"gateway-{cluster}"].process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    assert children
    for child in children:
        os.kill(int(child), signal.SIGKILL)
