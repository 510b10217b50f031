"""Three clusters in network namespaces with the same pod addresses: what fails while something breaks.

Every test prints what it saw; asserted are numbers of failed requests, never times. A request is a connection of its
own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.lab.cluster import LISTEN, NAMESPACE, SERVICE, VIRTUAL, Hub, Lab, a_hub, to
from tests.support.lab.load import Load, Pod, Span, Talker
from tests.support.lab.names import HOST, NameServer, Resolver
from tests.support.lab.net import GATEWAY, POD, Net, a_net, why_not

from hansa.service.gateway.settings import Settings

WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
PODS = (POD, 8080)
NAME = f"{SERVICE}.{NAMESPACE}.svc.clusterset.local"
REGIONS = {"a": "r1", "b": "r1", "c": "r2"}


@dataclass
class World:
    net: Net
    hub: Hub
    labs: dict[str, Lab]
    pods: dict[str, Pod]
    loads: list[Load] = field(default_factory=list[Load])

    async def load(self, cluster: str, host: str = GATEWAY, port: int = LISTEN, *, limit: float = 5.0) -> Load:
        """Requests from a pod of a cluster to its gateway."""
        load = Load.on(host, port, self.net.prefix(cluster), limit=limit)
        await load.start()
        self.loads.append(load)
        return load

    def kill_gateway(self, cluster: str) -> None:
        served = self.labs[cluster].served
        assert served is not None
        pid = served.gateway.envoy_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def cut(self, cut: bool = True) -> None:
        """Take all API servers away, or give them back."""
        self.hub.cut(cut)
        for lab in self.labs.values():
            lab.cut(cut)

    @asynccontextmanager
    async def names(self, cluster: str) -> AsyncGenerator[tuple[NameServer, Resolver], None]:
        """A name server of a cluster, asked all the time."""
        lab = self.labs[cluster]
        server = NameServer(lab.client(), lab.directory.with_name(f"{lab.directory.name}.zone"))
        resolver = Resolver(NAME, [])
        await server.start()
        resolver.servers = [(HOST, server.port)]
        await resolver.start()
        try:
            await resolver.answered()
            yield server, resolver
        finally:
            await resolver.stop()
            await server.stop()

    async def everybody_reaches(self, clusters: str) -> None:
        for lab in self.labs.values():
            await lab.serving()
        for lab in self.labs.values():
            await lab.reaches(*(name for name in clusters if name != lab.name))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World, None]:
    """Each cluster exports the service with one pod and imports it: own pod first, then its region, then the rest."""
    async with AsyncExitStack() as stack:
        net = stack.enter_context(a_net("abc"))
        hub = await stack.enter_async_context(a_hub("abc"))
        world = World(net, hub, {}, {})
        for name, region in REGIONS.items():
            settings = Settings(GATEWAY, inbound_address=net.public(name))
            world.labs[name] = Lab(name, region, settings, tmp_path / name, hub, net.prefix(name))
            world.pods[name] = Pod.at(POD, 8080, name, net.prefix(name))
        for pod in world.pods.values():
            await pod.start()
            stack.push_async_callback(pod.kill)
        for lab in world.labs.values():
            await lab.start()
            stack.push_async_callback(lab.stop)
        for lab in world.labs.values():
            others = [one for one in world.labs.values() if one is not lab]
            await lab.knows(*others)
            await lab.exports(PODS)
            await lab.imports(to(lab, 0), *(to(one, 1 if one.region == lab.region else 2) for one in others))
        await world.everybody_reaches("abc")
        yield world
        for load in world.loads:
            await load.stop()


def tell(what: str, span: Span) -> Span:
    print(f"{what}: {span}")
    return span


def tell_names(what: str, resolver: Resolver) -> None:
    print(f"names {what}: {len(resolver.answers)} questions, {resolver.failed} without an answer")


async def test_clusters_with_the_same_pod_addresses_reach_each_other(world: World) -> None:
    direct = await world.load("a", POD, 8080)
    await direct.until("a")
    await world.pods["a"].kill()
    await direct.until("", count=10)
    through = await world.load("a")
    await through.until("b")
    span = tell("through the gateways", await through.some())
    assert (span.failed, set(span.by)) == (0, {"b"})
    assert set(Span(direct.results).by) == {"a"}, "a pod address means a pod of the own cluster"


async def test_local_pods_die_and_come_back(world: World) -> None:
    load = await world.load("a")
    await load.until("a")
    await world.pods["a"].kill()
    assert tell("local pod killed", await load.until("b")).failed <= 2
    await world.pods["a"].start()
    assert tell("local pod back", await load.until("a")).failed == 0
    await world.labs["a"].pods()
    assert tell("local pod withdrawn", await load.until("b")).failed == 0
    span = tell("afterwards", await load.some(100))
    assert (span.failed, set(span.by)) == (0, {"b"})


async def test_the_gateway_of_another_cluster_is_killed(world: World) -> None:
    await world.labs["a"].pods()
    load = await world.load("a")
    await load.until("b")
    world.kill_gateway("b")
    assert tell("gateway of b killed", await load.until("c")).failed <= 2
    assert tell("gateway of b back", await load.until("b")).failed == 0


async def test_a_link_is_cut_silently(world: World) -> None:
    await world.labs["a"].pods()
    load = await world.load("a")
    await load.until("b")
    world.net.cut("b")
    assert tell("link of b cut", await load.until("c")).failed <= 2
    span = tell("while it is cut", await load.some(100))
    assert (span.failed, set(span.by)) == (0, {"c"})
    world.net.cut("b", False)
    assert tell("link of b back", await load.until("b")).failed == 0


async def test_what_is_under_way_when_a_link_is_cut_is_given_up(world: World) -> None:
    """After half a minute, in which a link that comes back costs nothing; Linux alone would go on for a quarter of an
    hour."""
    await world.labs["a"].pods()
    load = await world.load("a")
    await load.until("b")
    talker = Talker.to(GATEWAY, LISTEN, world.net.prefix("a"))
    await talker.start()
    assert await talker.ask() == "b"
    world.net.cut("b")
    assert await talker.ask(60) == ""
    await talker.kill()


async def test_two_clusters_lose_each_other_while_the_third_reaches_both(world: World) -> None:
    """Each judges by what it reaches itself: a goes to c instead of b, b stays with itself, c is not touched."""
    await world.labs["a"].pods()
    from_a, from_b, from_c = [await world.load(name) for name in "abc"]
    await from_a.until("b")
    await from_b.until("b")
    await from_c.until("c")
    world.net.part("a", "b")
    assert tell("a without b", await from_a.until("c")).failed <= 2
    for name, load in (("a", from_a), ("b", from_b), ("c", from_c)):
        assert tell(f"from {name} while a and b are parted", await load.some(100)).failed == 0
    world.net.part("a", "b", False)
    assert tell("a with b again", await from_a.until("b")).failed == 0
    assert Span(from_b.results).failed == Span(from_c.results).failed == 0


@pytest.mark.timeout(7200)
async def test_hub_and_members_are_away(world: World, outage_seconds: float) -> None:
    """Nothing is lost, clusters still watch over each other, and names still resolve. `--outage-seconds` says how long
    nothing else happens."""
    await world.labs["a"].pods()
    load = await world.load("a")
    await load.until("b")
    async with world.names("a") as (server, resolver):
        world.cut()
        for lab in world.labs.values():
            assert lab.certificate_seconds() > outage_seconds, "certificates do not outlive the outage"
        assert tell(f"{outage_seconds:g} s without any API server", await load.during(outage_seconds)).failed == 0
        world.kill_gateway("b")
        assert tell("gateway of b killed without any API server", await load.until("c")).failed <= 2
        assert tell("gateway of b back without any API server", await load.until("b")).failed == 0
        tell_names("meanwhile", resolver)
        assert (resolver.failed, set(resolver.answers)) == (0, {(VIRTUAL,)})
        await world.labs["a"].stop_gateway()
        await world.labs["a"].start_gateway()
        await load.until("b")
        assert tell("after a restart without any API server", await load.some()).failed == 0
        await server.stop()
        await server.start()
        await resolver.answered()
        world.cut(False)
        await world.labs["a"].pods(PODS)
        assert tell("with them again", await load.until("a")).failed == 0


async def test_gateways_are_rolled_under_load(world: World) -> None:
    """A second one beside the first, which drains: nobody notices, whoever's gateway it is."""
    await world.labs["a"].pods()
    loads = [await world.load("a") for _ in range(3)]
    for name in ("c", "b", "a", "a", "a"):
        await loads[0].until("b")
        starts = [len(load.results) for load in loads]
        await world.labs[name].roll()
        spans = [Span(load.results[start:]) for load, start in zip(loads, starts, strict=True)]
        assert tell(f"gateway of {name} rolled", Span.of(spans)).failed == 0
    assert tell("afterwards", await loads[0].some(100)).failed == 0


async def test_everything_is_restarted_under_load(world: World) -> None:
    """Failures only while the caller's own gateway is away; another cluster's restart costs nothing."""
    await world.labs["a"].pods()
    load = await world.load("a")
    await load.until("b")
    for name in ("c", "b"):
        before = len(load.results)
        await world.labs[name].stop_gateway()
        await world.labs[name].start_gateway()
        await world.everybody_reaches("bc")
        await load.until("b")
        assert tell(f"gateway of {name} restarted", Span(load.results[before:])).failed <= 2
    await world.pods["b"].kill()
    assert tell("pod of b killed, and nobody has told its cluster", await load.until("c")).failed <= 200
    span = tell("while it is dead", await load.some(100))
    assert (span.failed, set(span.by)) == (0, {"c"})
    await world.pods["b"].start()
    assert tell("pod of b back", await load.until("b")).failed == 0
    before = len(load.results)
    await world.labs["a"].stop_gateway()
    await world.labs["a"].start_gateway()
    await load.until("b")
    own = tell("the caller's own gateway restarted", Span(load.results[before:]))
    refused = [one for one in own.results if one["error"]]
    assert all(one["error"] in ("ConnectionRefusedError", "ConnectionResetError", "closed") for one in refused)
    assert tell("afterwards", await load.some(100)).failed == 0
