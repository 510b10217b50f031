"""Three clusters on loopback addresses, joined by their gateways: who answers, and how many requests fail."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.lab.cluster import LISTEN, NAMESPACE, SERVICE, Lab, a_hub, to
from tests.support.lab.load import Load, Pod, Talk
from tests.support.lab.loopback import Loopback, a_loopback

from hansa.api import names, scheme
from hansa.kube.errors import NotFound
from hansa.service.gateway.settings import Settings

POD_PORT = 8080
ROOT = Path(__file__).parents[2]


@dataclass
class Three:
    """Clusters a and b in one region, c in another; each with one pod."""

    a: Lab
    b: Lab
    c: Lab
    pods: dict[str, Pod]
    addresses: Loopback

    def pod(self, lab: Lab) -> tuple[str, int]:
        return self.addresses.pod(lab.name), POD_PORT


@pytest.fixture
async def three(tmp_path: Path) -> AsyncGenerator[Three, None]:
    async with AsyncExitStack() as stack:
        addresses = stack.enter_context(a_loopback())
        hub = await stack.enter_async_context(a_hub("abc"))
        labs = [
            Lab(name, region, Settings(addresses.gateway(name)), tmp_path / name, hub)
            for name, region in (("a", "r1"), ("b", "r1"), ("c", "r2"))
        ]
        pods = {name: Pod.at(addresses.pod(name), POD_PORT, name) for name in "abc"}
        for pod in pods.values():
            await pod.start()
            stack.push_async_callback(pod.kill)
        for lab in labs:
            await lab.start()
            stack.push_async_callback(lab.stop)
        for lab in labs:
            others = [one for one in labs if one is not lab]
            await lab.knows(*others)
            ways = [to(one, 1 if one.region == lab.region else 2) for one in others]
            await lab.exports((addresses.pod(lab.name), POD_PORT))
            await lab.imports(to(lab, 0), *ways)
        for lab in labs:
            await lab.serving()
        for lab in labs:
            await lab.reaches(*(one.name for one in labs if one is not lab))
        a, b, c = labs
        yield Three(a, b, c, pods, addresses)


async def load_of(lab: Lab, stack: AsyncExitStack) -> Load:
    load = Load.on(lab.settings.address, LISTEN)
    await load.start()
    stack.push_async_callback(load.stop)
    return load


def envoy_of(lab: Lab) -> int:
    assert lab.served is not None
    pid = lab.served.gateway.envoy_pid
    assert pid is not None
    return pid


async def test_requests_go_to_the_nearest_that_serves(three: Three) -> None:
    """Local first, then the region, then the rest, and back."""
    async with AsyncExitStack() as stack:
        load = await load_of(three.a, stack)
        await load.until("a")
        quiet = await load.some()
        assert (quiet.failed, set(quiet.by)) == (0, {"a"})

        await three.pods["a"].kill()
        moved = await load.until("b")
        print(f"local pod killed: {moved}")
        assert moved.failed <= 2
        await three.pods["a"].start()
        back = await load.until("a")
        print(f"local pod back: {back}")
        assert back.failed == 0

        await three.a.pods()
        withdrawn = await load.until("b")
        print(f"local pod withdrawn: {withdrawn}")
        assert withdrawn.failed == 0
        after = await load.some()
        assert (after.failed, set(after.by)) == (0, {"b"}), "it is healthy, but withdrawn"

        os.kill(envoy_of(three.b), signal.SIGKILL)
        moved = await load.until("c")
        print(f"gateway of b killed: {moved}")
        assert moved.failed <= 2
        back = await load.until("b")
        print(f"gateway of b back: {back}")
        assert back.failed == 0

        await three.a.pods(three.pod(three.a))
        back = await load.until("a")
        print(f"local pod announced again: {back}")
        assert back.failed == 0


async def test_a_cluster_without_ready_pods_is_left_at_once(three: Three) -> None:
    """Other gateways find out by themselves: nobody has to tell them."""
    async with AsyncExitStack() as stack:
        await three.a.pods()
        load = await load_of(three.a, stack)
        await load.until("b")
        await three.b.pods()
        moved = await load.until("c")
        print(f"no pods in b: {moved}")
        assert moved.failed == 0


async def test_the_gateway_serves_without_any_api_server(three: Three) -> None:
    """Member and hub are away, and the gateway is started anew."""
    three.a.cut()
    three.a.hub.cut()
    async with AsyncExitStack() as stack:
        load = await load_of(three.a, stack)
        await load.until("a")
        quiet = await load.some()
        assert quiet.failed == 0
        await three.a.stop_gateway()
        await three.a.start_gateway()
        await three.a.serving()
        await load.until("a")
        again = await load.some()
        assert (again.failed, set(again.by)) == (0, {"a"})


async def test_a_cluster_that_has_left_is_neither_asked_nor_let_in(three: Three) -> None:
    async with AsyncExitStack() as stack:
        for lab in (three.a, three.c):
            await lab.pods()
        from_a, from_c = await load_of(three.a, stack), await load_of(three.c, stack)
        await from_a.until("b")
        await from_c.until("b")
        # c leaves: the others are told
        await three.a.knows(three.b)
        await three.b.knows(three.a)
        await from_c.until("", count=20)
        stays = await from_a.some()
        assert (stays.failed, set(stays.by)) == (0, {"b"})


async def test_connections_that_are_open_stay_open(three: Three) -> None:
    """Whatever changes around them: pods are withdrawn, a cluster leaves, the import goes."""
    talk = await Talk.with_pod(three.a.settings.address, LISTEN)
    async with AsyncExitStack() as stack:
        stack.callback(talk.close)
        load = await load_of(three.a, stack)
        assert await talk.ask() == b"a"
        await three.a.pods()
        await load.until("b")
        assert await talk.ask() == b"a"
        await three.a.knows(three.c)
        await load.until("c")
        assert await talk.ask() == b"a"
        await three.a.api.delete(scheme.SERVICE_IMPORTS, SERVICE, NAMESPACE)
        await load.until("", count=20)
        assert await talk.ask() == b"a"


async def test_a_gateway_that_drains_finishes_what_is_under_way(three: Three) -> None:
    assert three.a.served is not None
    gateway = three.a.served.gateway
    talk = await Talk.with_pod(three.a.settings.address, LISTEN)
    async with AsyncExitStack() as stack:
        stack.callback(talk.close)
        load = await load_of(three.a, stack)
        await load.until("a")
        draining = asyncio.create_task(gateway.drain(0, 60))
        await load.until("", count=20)
        assert "drains" in gateway.fault()
        assert await talk.ask() == b"a"
        assert not draining.done()
        talk.close()
        async with asyncio.timeout(30):
            await draining


async def test_the_member_is_told_how_its_peers_are(three: Three) -> None:
    async def told() -> str:
        try:
            item = await three.a.api.get(scheme.CONFIGMAPS, names.GATEWAY_ADDRESSES, names.HANSA_NAMESPACE)
        except NotFound:
            return ""
        data = item.json()["data"]
        assert data[names.GATEWAY_ADDRESSES_KEY] == three.a.settings.address
        return data[names.GATEWAY_HEALTH_KEY]

    async with asyncio.timeout(30):
        while '"peers":{"b":{"healthy":1,"endpoints":1},"c":{"healthy":1,"endpoints":1}}' not in await told():
            await asyncio.sleep(0.2)
        await three.b.stop_gateway()
        while '"b":{"healthy":0,"endpoints":1}' not in await told():
            await asyncio.sleep(0.2)
    assert three.a.served is not None
    assert three.a.served.gateway.rejected == 0


def test_two_runs_take_different_addresses() -> None:
    with a_loopback() as one, a_loopback() as other:
        assert one != other


async def test_pods_end_with_the_run_that_started_them() -> None:
    """However it ends."""
    with a_loopback() as addresses:
        pod = [addresses.pod("a"), 8080, "a"]
        run = (
            "import asyncio\nfrom tests.support.lab.load import Pod\n"
            f"async def main():\n pod = Pod.at(*{pod!r})\n await pod.start()\n print('started', flush=True)\n"
            " await asyncio.sleep(1000)\nasyncio.run(main())"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", run), env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert (await process.stdout.readline()).strip() == b"started"
        talk = await Talk.with_pod(addresses.pod("a"), 8080)
        assert await talk.ask() == b"a"
        process.kill()
        await process.wait()
        async with asyncio.timeout(30):
            assert await talk.reader.read() == b"", "its connection ends with it"
        talk.close()
