"""The specifications of the conformance suite that need names and packets: D1 to D3, H1 to H3, C1 to C5.

Pods ask with nslookup and nc, as the suite's do. Names are answered by `hansa dns` or by CoreDNS alone, services'
addresses by the real kube-proxy, and requests go from pod to pod or through the gateways.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from pathlib import Path

import pytest
import pytest_asyncio
from tests.real.services.hello import ANOTHER, EXPORTER, MEMBERS, NUMBER, OTHER, Hello, addresses, targets
from tests.support.lab.node import BY_COREDNS, BY_HANSA
from tests.support.lab.programs import Programs, find_programs
from tests.support.lab.wired import Wired, wired
from tests.support.objects import SERVICES, STATEFUL_SETS
from tests.support.rig import Rig, real

from hansa.api import names

PROGRAMS = find_programs()
pytestmark = [
    pytest.mark.skipif(isinstance(PROGRAMS, str), reason=str(PROGRAMS)),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
# who answers for names has nothing to do with the way that packets take, and the reverse
names_alone = pytest.mark.parametrize("rig", ["gateways"], indirect=True)
packets_alone = pytest.mark.parametrize("resolver", [BY_HANSA], indirect=True)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Wired, None]:
    assert isinstance(PROGRAMS, Programs)
    async with wired(tmp_path_factory.mktemp("wired"), MEMBERS, PROGRAMS) as built:
        yield built


@pytest.fixture(params=[BY_HANSA, BY_COREDNS], ids=["hansa-dns", "coredns"])
def resolver(request: pytest.FixtureRequest) -> str:
    """The name server of the pods that ask."""
    return request.param


@pytest_asyncio.fixture(loop_scope="module", params=["gateways", "direct"])
async def rig(request: pytest.FixtureRequest, lab: Wired, tmp_path: Path) -> AsyncGenerator[Rig, None]:
    """Members whose pods reach each other, or only through gateways."""
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]
    direct = request.param == "direct"
    async with real(lab.kubeconfig, digest, tmp_path, MEMBERS) as rig, lab.one_network() if direct else nullcontext():
        for name, node in lab.nodes.items():
            between = {names.NETWORK_ANNOTATION: "lab"} if direct else {names.GATEWAYS_ANNOTATION: node.gateway}
            await rig.annotate_cluster(name, between)
        yield rig


@pytest_asyncio.fixture(loop_scope="module")
async def hello(lab: Wired, rig: Rig, resolver: str) -> Hello:
    hello = Hello(lab, rig, resolver)
    await hello.open()
    return hello


@names_alone
async def test_d1_the_name_is_the_clusterset_address(hello: Hello) -> None:
    await hello.serve(EXPORTER)
    await hello.export()
    for member in MEMBERS:
        ips = (await hello.imported(member))["spec"]["ips"]
        assert ips
        await hello.hears(member, f"nslookup {hello.name}", lambda said, ips=ips: addresses(said) == ips)


@names_alone
async def test_d2_the_name_has_one_target(hello: Hello) -> None:
    """TCP and UDP have the same port, and records the same are one."""
    await hello.serve(EXPORTER)
    await hello.export()
    for member in MEMBERS:
        await hello.hears(
            member, f"nslookup -type=SRV {hello.name}", lambda said: targets(said) == [(NUMBER, hello.name)]
        )


@names_alone
async def test_d3_a_local_name_is_the_local_service(hello: Hello) -> None:
    await hello.serve(EXPORTER)
    await hello.export()
    service = await hello.rig.get(EXPORTER, SERVICES, "hello", hello.rig.namespace)
    assert service is not None
    own = service["spec"]["clusterIP"]
    await hello.hears(EXPORTER, f"nslookup {hello.local}", lambda said: addresses(said) == [own])
    assert own not in (await hello.imported(EXPORTER))["spec"]["ips"]
    assert await hello.ask(OTHER, f"nslookup {hello.local}") == ""
    assert addresses(await hello.ask(OTHER, f"nslookup {hello.name}")) == (await hello.imported(OTHER))["spec"]["ips"]


@names_alone
async def test_h1_a_headless_name_is_all_ready_pods(hello: Hello) -> None:
    await hello.serve(EXPORTER, replicas=2, clusterIP="None")
    await hello.export()
    pods = await hello.pods(EXPORTER, 2)
    for member in MEMBERS:
        await hello.hears(member, f"nslookup {hello.name}", lambda said: addresses(said) == pods)


@names_alone
async def test_h2_a_pod_of_a_stateful_set_has_a_name_of_its_own(hello: Hello) -> None:
    await hello.serve(EXPORTER, STATEFUL_SETS, replicas=2, clusterIP="None")
    await hello.export()
    pods = await hello.pods(EXPORTER, 2)
    for member in MEMBERS:
        found: dict[str, str] = {}

        async def published(member: str = member, found: dict[str, str] = found) -> None:
            endpoints = (await hello.services.the_slice(member, source=EXPORTER))["endpoints"]
            found.update({each["hostname"]: each["addresses"][0] for each in endpoints if each["conditions"]["ready"]})
            assert sorted(found) == ["hello-0", "hello-1"] and sorted(found.values()) == pods

        await hello.rig.eventually(published)
        for host, address in found.items():
            name = f"{host}.{EXPORTER}.{hello.name}"
            await hello.hears(member, f"nslookup {name}", lambda said, address=address: addresses(said) == [address])


@names_alone
async def test_h3_a_headless_name_has_a_target_for_each_pod(hello: Hello) -> None:
    await hello.serve(EXPORTER, replicas=2, clusterIP="None")
    await hello.export()
    pods = await hello.pods(EXPORTER, 2)
    wanted = [(NUMBER, f"{address.replace('.', '-')}.{EXPORTER}.{hello.name}") for address in pods]
    for member in MEMBERS:
        await hello.hears(member, f"nslookup -type=SRV {hello.name}", lambda said: targets(said) == sorted(wanted))


async def test_c1_nobody_answers_without_an_export(hello: Hello) -> None:
    await hello.serve(EXPORTER)
    await hello.answers_at_home(EXPORTER)
    for member in MEMBERS:
        for _ in range(20):
            assert "pod ip" not in await hello.ask(member, hello.request())


async def test_c2_an_exported_service_answers_everywhere(hello: Hello) -> None:
    await hello.serve(EXPORTER)
    await hello.export()
    await hello.everybody_reaches(EXPORTER)


async def test_c3_only_the_exporter_answers(hello: Hello) -> None:
    for member in MEMBERS:
        await hello.serve(member)
    await hello.export()
    await hello.answers_at_home(OTHER)
    await hello.everybody_reaches(EXPORTER)


async def test_c4_a_number_belongs_to_who_exported_it_first(hello: Hello) -> None:
    """Both call their port the same, so the other's number is nobody's."""
    await hello.serve(EXPORTER)
    await hello.export()
    await hello.rig.later(1.1)
    await hello.serve(OTHER, number=ANOTHER)
    await hello.services.export(OTHER)
    for member in MEMBERS:
        await hello.services.told(member, "Conflict", "True", "PortConflict")
    await hello.answers_at_home(OTHER, ANOTHER)
    await hello.everybody_reaches(EXPORTER)
    for member in MEMBERS:
        assert await hello.ask(member, hello.request(ANOTHER)) == ""


async def test_c5_ports_lead_to_who_has_them(hello: Hello) -> None:
    await hello.serve(EXPORTER)
    await hello.export()
    await hello.rig.later(1.1)
    await hello.serve(OTHER, port="another", number=ANOTHER)
    await hello.services.export(OTHER)
    await hello.answers_at_home(OTHER, ANOTHER)
    await hello.everybody_reaches(EXPORTER)
    await hello.everybody_reaches(OTHER, ANOTHER)


@packets_alone
async def test_a_port_needs_no_name(hello: Hello) -> None:
    await hello.serve(EXPORTER, port="")
    await hello.export()
    await hello.everybody_reaches(EXPORTER)


@packets_alone
async def test_udp_goes_where_pods_reach_each_other(hello: Hello, request: pytest.FixtureRequest) -> None:
    """Gateways do not carry it."""
    await hello.serve(EXPORTER)
    await hello.export()
    question = hello.request(NUMBER, "-u", "-w", "1")
    await hello.hears(EXPORTER, question, lambda said: "pod ip" in said)
    if request.node.callspec.params["rig"] == "direct":
        await hello.hears(OTHER, question, lambda said: "pod ip" in said)
    else:
        assert await hello.ask(OTHER, question) == ""
