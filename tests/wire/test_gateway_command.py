"""`hansa enrol` and `hansa gateway` as a platform engineer starts them: processes, kubeconfigs, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.support.federation import Wire
from tests.support.lab.cluster import a_namespace
from tests.support.lab.load import Pod, Talk
from tests.support.lab.loopback import Loopback, a_loopback
from tests.wire.kubectl_server import embedded_server

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.item import Item
from hansa.api.routing import Backend, Peer, Peers, Route, RoutePort
from hansa.install import enrol
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.clock import SystemClock
from hansa.runtime.process import ends_with_parent
from hansa.service.identity import signer

ROOT = Path(__file__).parents[2]
LISTEN = 20000
WAIT_SECONDS = 30.0


@dataclass
class Place:
    """A hub that signs and a member, both over TLS."""

    directory: Path
    hub: Path
    member: Path
    member_api: Client
    addresses: Loopback

    @property
    def address(self) -> str:
        """Of its gateway."""
        return self.addresses.gateway("a")

    @property
    def access(self) -> Path:
        """The member's, to the hub."""
        return self.directory / "member1-on-hub.kubeconfig"

    async def enrol(self) -> None:
        code, text = await said(await hansa("enrol", "member1", "--kubeconfig", self.hub, "-o", self.access))
        assert code == 0, text

    async def gateway(self, directory: str, port: int, drain_seconds: float = 0) -> asyncio.subprocess.Process:
        """`port`: of its health."""
        return await hansa(
            *("gateway", "--kubeconfig", self.member, "--hub-kubeconfig", self.access),
            *("--dir", self.directory / directory, "--address", self.address),
            *("--health-address", f"127.0.0.1:{port}", "--drain-seconds", str(drain_seconds)),
        )


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place, None]:
    async with AsyncExitStack() as stack:
        addresses = stack.enter_context(a_loopback())
        kubeconfigs: dict[str, Path] = {}
        clients: dict[str, Client] = {}
        for name in ("hub", "member"):
            (tmp_path / name).mkdir()
            started = embedded_server(tmp_path / name, pods_on_loopback=True)
            server, _, kubeconfigs[name] = await stack.enter_async_context(started)
            client = clients[name] = Client(Wire(name, server), qps=0)
            for obj in all_crds():
                await client.create(scheme.CRDS, obj)
            await client.create(scheme.NAMESPACES, a_namespace(names.HANSA_NAMESPACE))
        hub = clients["hub"]
        for obj in enrol.permissions():
            await hub.create(await hub.discovery.resource_for(Item.of(obj).gvk), obj)
        meta = {"name": "member1"}
        cluster = {"apiVersion": scheme.CLUSTERS.api_version, "kind": "Cluster", "metadata": meta}
        await hub.create(scheme.CLUSTERS, cluster | {"spec": {"syncMode": "Push"}})
        cache = Cache(hub)
        tasks = [asyncio.create_task(part.run()) for part in signer.controllers(hub, cache, SystemClock())]
        yield Place(tmp_path, kubeconfigs["hub"], kubeconfigs["member"], clients["member"], addresses)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cache.close()


async def hansa(*arguments: str | Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return await asyncio.create_subprocess_exec(
        *ends_with_parent([sys.executable, "-m", "hansa.cli", *map(str, arguments)]),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def said(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(WAIT_SECONDS):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def describe(place: Place) -> None:
    """One imported service, served by an own pod and another cluster."""
    member = place.member_api
    other_gateway = f"{place.addresses.gateway('b')}:15443"
    told = Peers(cluster="member1", clusterset=names.CLUSTERSET, peers=(Peer(cluster="b", gateways=(other_gateway,)),))
    data = {names.PEERS_KEY: msgspec.json.encode(told).decode()}
    meta = {"name": names.PEERS, "namespace": names.HANSA_NAMESPACE}
    await member.create(scheme.CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    own = Backend(cluster="member1", tier=0, weight=1, ports=("http",))
    other = Backend(cluster="b", tier=1, weight=1, ports=("http",))
    port = RoutePort(name="http", port=80, listen=LISTEN)
    route = Route(mode="proxy", ports=(port,), own=own, backends=(other,))
    annotations = {names.ROUTE_ANNOTATION: msgspec.json.encode(route).decode()}
    obj = {
        "apiVersion": scheme.SERVICE_IMPORTS.api_version,
        "kind": "ServiceImport",
        "metadata": {"name": "web", "namespace": "default", "annotations": annotations},
        "spec": {"type": "ClusterSetIP", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
    }
    await member.create(scheme.SERVICE_IMPORTS, obj)
    pods = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "namespace": "default", "labels": {names.SERVICE_LABEL: "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [place.addresses.pod("a")], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
    await member.create(scheme.ENDPOINT_SLICES, pods)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


async def until_ready(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while process.returncode is None:
            if await readiness(port) == "ok\n":
                return
            await asyncio.sleep(0.1)
        raise AssertionError(await said(process))


async def listens(place: Place, *, wanted: bool) -> None:
    """Until the port of the import is taken, or free again."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(place.address, LISTEN)
                writer.close()
                found = True
            except ConnectionError:
                found = False
            if found is wanted:
                return
            await asyncio.sleep(0.1)


async def readiness(port: int) -> str:
    """What its health says; empty when nobody answers."""
    async with aiohttp.ClientSession() as session:
        with suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                return await answer.text()
    return ""


async def until_it_says(port: int, what: str) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while what not in await readiness(port):
            await asyncio.sleep(0.1)


async def test_a_gateway_from_the_command_line(place: Place) -> None:
    await place.enrol()
    assert stat.S_IMODE(place.access.stat().st_mode) == 0o600
    await describe(place)
    port = free_port()
    process = await place.gateway("d", port)
    await until_ready(port, process)
    await listens(place, wanted=True)
    process.send_signal(signal.SIGTERM)
    code, text = await said(process)
    assert code == 0, text
    await listens(place, wanted=False)

    process = await place.gateway("d", port)
    await listens(place, wanted=True)
    process.kill()
    await said(process)
    await listens(place, wanted=False)  # Envoy does not outlive it


async def test_a_port_that_is_taken_shows_in_its_readiness_until_it_is_free(place: Place) -> None:
    await describe(place)
    await place.enrol()
    port = free_port()
    with socket.create_server((place.address, LISTEN)):
        process = await place.gateway("d", port)
        await until_it_says(port, "Envoy does not listen for import/default/web/http")
    # and when it is free, it is taken
    await until_ready(port, process)
    await listens(place, wanted=True)
    process.send_signal(signal.SIGTERM)
    assert (await said(process))[0] == 0


async def test_a_gateway_that_is_told_to_end_drains_while_another_takes_over(place: Place) -> None:
    """A rolling update: the second is ready before the first is told to end."""
    await describe(place)
    await place.enrol()
    pod = Pod.at(place.addresses.pod("a"), 8080, "a")
    await pod.start()
    ports = free_port(), free_port()
    first = await place.gateway("first", ports[0], drain_seconds=4)
    await until_ready(ports[0], first)
    talk = await Talk.with_pod(place.address, LISTEN)
    assert await talk.ask() == b"a"
    second = await place.gateway("second", ports[1], drain_seconds=1000)
    await until_ready(ports[1], second)

    first.send_signal(signal.SIGTERM)
    await until_it_says(ports[0], "it drains")
    assert await talk.ask() == b"a"
    talk.close()
    code, text = await said(first)
    assert (code, "are cut" in text) == (0, False), text
    talk = await Talk.with_pod(place.address, LISTEN)
    assert await talk.ask() == b"a"
    talk.close()

    second.send_signal(signal.SIGTERM)
    await until_it_says(ports[1], "it drains")
    second.send_signal(signal.SIGTERM)  # whoever cannot wait
    assert (await said(second))[0] == 0
    await listens(place, wanted=False)
    await pod.kill()


async def test_two_gateways_do_not_share_a_folder(place: Place) -> None:
    await describe(place)
    await place.enrol()
    port = free_port()
    first = await place.gateway("d", port)
    await until_ready(port, first)
    code, text = await said(await place.gateway("d", free_port()))
    assert code == 1
    assert "another gateway uses it" in text
    assert await readiness(port) == "ok\n"
    first.send_signal(signal.SIGTERM)
    assert (await said(first))[0] == 0


async def test_what_is_wrong_is_said_in_one_line(place: Place) -> None:
    code, text = await said(await hansa("enrol", "stranger", "--kubeconfig", place.hub))
    assert code == 1
    assert "there is no Cluster stranger" in text
    assert "hansa join" in text
    code, text = await said(
        await hansa("gateway", "--hub-kubeconfig", place.hub, "--dir", place.directory, "--address", "gateway.local")
    )
    assert code == 2
    assert "'gateway.local' is not an IP address" in text
    deep = place.directory / ("x" * 120)
    code, text = await said(
        await hansa(
            *("gateway", "--kubeconfig", place.member, "--hub-kubeconfig", place.hub, "--dir", deep),
            *("--address", place.address),
        )
    )
    assert code == 1
    assert "take a shorter one" in text
