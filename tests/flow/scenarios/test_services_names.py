"""Names of imported services, each row of the standard's DNS specification: what a member has, asked as a query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dnslib import QTYPE, RCODE, DNSRecord
from tests.support.objects import deployment
from tests.support.rig import Rig
from tests.support.services import Services, exported, hello_service

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.runtime.clock import LoopClock
from hansa.service.dns.keeper import ZoneKeeper
from hansa.service.dns.reply import Replies

FIRST, SECOND = "member1", "member2"
FLAT = {names.NETWORK_ANNOTATION: "flat"}
ZONE = "clusterset.local"


class Server:
    """A name server beside one member, without its sockets."""

    def __init__(self, replies: Replies, services: Services) -> None:
        self._replies = replies
        self._services = services

    def below(self, name: str) -> str:
        return f"{name}.{self._services.namespace}.svc.{ZONE}"

    def ask(self, name: str, qtype: str = "A") -> tuple[str, list[str]]:
        """Code, and the data of the answers in order."""
        reply = self._replies.udp(bytes(DNSRecord.question(name, qtype).pack()))
        assert reply is not None
        record = DNSRecord.parse(reply)
        if not record.rr and record.header.rcode in (RCODE.NOERROR, RCODE.NXDOMAIN):
            assert [QTYPE[each.rtype] for each in record.auth] == ["SOA"], record
        return RCODE[record.header.rcode], sorted(str(each.rdata) for each in record.rr)


@asynccontextmanager
async def beside(rig: Rig, member: str, services: Services) -> AsyncGenerator[Server, None]:
    loop = asyncio.get_running_loop()
    replies = Replies(("clusterset", "local"), loop.time)
    server = Server(replies, services)
    assert server.ask(server.below("hello"))[0] == "SERVFAIL", "nothing is known yet"
    keeper = ZoneKeeper(rig.clients[member], ("clusterset", "local"), replies.serve, LoopClock())
    task = asyncio.create_task(keeper.run())
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


NONE: tuple[str, list[str]] = ("NXDOMAIN", [])
NODATA: tuple[str, list[str]] = ("NOERROR", [])


async def test_a_service_with_an_address(rig: Rig) -> None:
    services = await exported(rig, FIRST)
    made = await services.imported(SECOND)
    assert made
    async with beside(rig, SECOND, services) as server:
        hello = server.below("hello")

        async def known() -> None:
            assert server.ask(hello) == ("NOERROR", made["spec"]["ips"])

        await rig.eventually(known)
        assert server.ask(f"dns-version.{ZONE}", "TXT") == ("NOERROR", ['"1.0.0"'])
        assert server.ask(hello, "SRV") == ("NOERROR", [f"0 100 42 {hello}."]), "two ports of one number are one record"
        for port in ("_tcp._tcp", "_udp._udp"):
            assert server.ask(f"{port}.{hello}", "SRV") == ("NOERROR", [f"0 100 42 {hello}."])
        assert server.ask(f"_tcp._udp.{hello}", "SRV") == NONE
        assert server.ask(hello, "AAAA") == server.ask(hello, "TXT") == NODATA
        assert server.ask(server.below(f"{FIRST}.hello")) == NONE, "one cluster's share has no name"
        assert server.ask(server.below("other")) == NONE
        assert server.ask("hello.default.svc.cluster.local")[0] == "REFUSED"
        await rig.apply(deployment("hello", rig.namespace, replicas=0), server=FIRST)

        async def nobody_is_ready() -> None:
            assert not await services.slices(FIRST)

        await rig.eventually(nobody_is_ready)
        await known()
        await services.unexport(FIRST)

        async def gone() -> None:
            assert server.ask(hello) == NONE

        await rig.eventually(gone)


def stateful(rig: Rig, *, replicas: int) -> Json:
    pods = deployment("hello", rig.namespace, replicas=replicas)
    pods["spec"] |= {"serviceName": "hello"}
    return {**pods, "kind": "StatefulSet"}


async def test_a_headless_service_names_its_pods(rig: Rig) -> None:
    services = Services(rig)
    for member in (FIRST, SECOND):
        await rig.apply(hello_service(rig.namespace, clusterIP="None"), stateful(rig, replicas=2), server=member)
        await services.export(member)
    await services.is_imported(*rig.members)
    async with beside(rig, "member3", services) as server:
        hello = server.below("hello")

        async def of_both() -> None:
            every: list[str] = []
            for member in (FIRST, SECOND):
                pods = await rig.list(member, scheme.PODS, rig.namespace, labels="app=hello")
                assert len(pods) == 2
                for pod in pods:
                    address, host = pod["status"]["podIP"], pod["metadata"]["name"]
                    assert server.ask(server.below(f"{host}.{member}.hello")) == ("NOERROR", [address])
                    assert server.ask(server.below(f"{host}.hello")) == NONE, "without its cluster"
                    every.append(address)
            assert server.ask(hello) == ("NOERROR", sorted(every))
            targets = [f"0 100 42 hello-{n}.{member}.{hello}." for n in (0, 1) for member in (FIRST, SECOND)]
            for name in (hello, f"_tcp._tcp.{hello}", f"_udp._udp.{hello}"):
                assert server.ask(name, "SRV") == ("NOERROR", targets)

        await rig.eventually(of_both)
        assert server.ask(server.below(f"{FIRST}.hello"))[1] == []
        for member in (FIRST, SECOND):
            await rig.apply(stateful(rig, replicas=0), server=member)

        async def nobody() -> None:
            assert server.ask(hello) == NONE

        await rig.eventually(nobody)
