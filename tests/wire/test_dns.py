"""Names of imported services, asked with the real dig of a server that reads a member."""

from __future__ import annotations

import asyncio
import copy
import re
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import ClientSession
from tests.support.services import as_v1alpha1
from tests.wire.dig import ask, dig, needs_dig
from tests.wire.dns_cases import CASES, IMPORTS, SLICES, Answer, imported, service
from tests.wire.kubectl_server import embedded_server

from hansa.api.crd import all_crds
from hansa.api.meta import Json, Resource
from hansa.api.scheme import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CRDS,
    ENDPOINT_SLICES,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_IMPORTS,
)
from hansa.apiserver.embedded import ADMIN, Embedded, start_embedded
from hansa.apiserver.message import UserInfo
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client
from hansa.kube.errors import Invalid, NotFound, Unreachable
from hansa.kube.transport import Answer as HttpAnswer
from hansa.runtime.clock import SystemClock
from hansa.service.dns.keeper import ZoneKeeper
from hansa.service.dns.reply import Replies
from hansa.service.dns.server import Server
from hansa.service.dns.state import ZoneFile
from hansa.service.dns.zone import Service

pytestmark = needs_dig

DOMAIN = ("clusterset", "local")
DEFINITION = next(crd for crd in all_crds() if crd["metadata"]["name"] == "serviceimports.multicluster.x-k8s.io")
WEB = service("web")


class Away(InProcessTransport):
    """A member that does not answer."""

    def __init__(self) -> None:
        super().__init__("away", None)  # type: ignore[arg-type]

    async def request(self, *_: object, **__: object) -> HttpAnswer:
        raise Unreachable("away", "connection refused")


@asynccontextmanager
async def member(*crds: Json) -> AsyncGenerator[tuple[Embedded, Client], None]:
    server = await start_embedded("member", clock=SystemClock(), extra_crds=crds)
    client = Client(InProcessTransport("member", server, user=ADMIN), qps=0)
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    try:
        yield server, client
    finally:
        await server.stop()


@asynccontextmanager
async def served(client: Client, file: Path | None = None) -> AsyncGenerator[Server, None]:
    replies = Replies(DOMAIN, time.time)
    server = Server(replies, "127.0.0.1", 0)
    await server.start()
    keeper = ZoneKeeper(
        client, DOMAIN, replies.serve, SystemClock(), file=ZoneFile(file) if file else None, longest_seconds=60
    )
    task = asyncio.create_task(keeper.run())
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


async def imports(client: Client, *objects: Json) -> None:
    for obj in objects:
        await client.create(SERVICE_IMPORTS, obj)


async def until(server: Server, name: str, holds: Callable[[str], bool], *flags: str) -> str:
    async with asyncio.timeout(20):
        while not holds(text := await dig(server.host, server.port, *flags, name, "A")):
            await asyncio.sleep(0.05)
    return text


def answers(text: str) -> bool:
    return "status: NOERROR" in text


async def test_every_question_of_the_table_gets_its_answer() -> None:
    async with member(DEFINITION) as (_, client):
        await imports(client, *IMPORTS)
        for found in SLICES:
            await client.create(ENDPOINT_SLICES, found)
        async with served(client) as server:
            await until(server, WEB, answers)
            got: dict[str, Answer] = {}
            for case in CASES:
                got[case.title] = await ask(case, server.host, server.port)
            assert got == {case.title: case.answer for case in CASES}


async def test_an_answer_says_who_is_asked_and_how_long_it_holds() -> None:
    async with member(DEFINITION) as (_, client), served(client) as server:
        await imports(client, IMPORTS[0])
        text = await until(server, WEB.upper(), answers)
        assert f"{WEB.upper()} 5 IN A 10.96.0.10" in " ".join(text.split())
        assert "flags: qr aa;" in text and "udp: 1232" in text
        assert "rd" in (await dig(server.host, server.port, "+recurse", WEB)).split("flags: ")[1].split(";")[0]


async def test_the_wrong_version_of_edns_and_other_operations_are_named() -> None:
    async with member(DEFINITION) as (_, client), served(client) as server:
        await until(server, WEB, lambda text: "status: NXDOMAIN" in text)
        assert "status: BADVERS" in await dig(server.host, server.port, "+edns=1", "+noednsneg", WEB)
        assert "status: NOTIMP" in await dig(server.host, server.port, "+opcode=STATUS", WEB)


async def test_before_the_member_has_been_read_nothing_is_absent() -> None:
    async with served(Client(Away())) as server:
        assert "status: SERVFAIL" in await dig(server.host, server.port, WEB)
        assert "status: REFUSED" in await dig(server.host, server.port, "example.com")


async def test_imports_come_change_and_go() -> None:
    async with member(DEFINITION) as (_, client), served(client) as server:
        await until(server, WEB, lambda text: "status: NXDOMAIN" in text)
        await imports(client, IMPORTS[0])
        await until(server, WEB, lambda text: "10.96.0.10" in text)
        await client.patch(SERVICE_IMPORTS, "web", "shop", {"spec": {"ips": ["10.96.0.99"]}})
        await until(server, WEB, lambda text: "10.96.0.99" in text and "10.96.0.10" not in text)
        await client.delete(SERVICE_IMPORTS, "web", "shop")
        await until(server, WEB, lambda text: "status: NXDOMAIN" in text)


async def test_a_member_that_serves_the_old_version_only_and_the_new_one_later() -> None:
    old, new = IMPORTS[0], imported("api", (("http", "TCP", 80),), ("10.96.0.11",))
    v1alpha1 = SERVICE_IMPORTS._replace(version="v1alpha1")
    name, versions = DEFINITION["metadata"]["name"], DEFINITION["spec"]["versions"]
    async with member(as_v1alpha1(DEFINITION)) as (_, client), served(client) as server:
        await client.create(v1alpha1, {**old, "apiVersion": v1alpha1.api_version})
        await until(server, WEB, lambda text: "10.96.0.10" in text)
        await client.patch(CRDS, name, None, {"spec": {"versions": versions}})
        await client.patch(CRDS, name, None, {"status": {"storedVersions": ["v1beta1"]}}, subresource="status")
        await client.patch(CRDS, name, None, {"spec": {"versions": [v for v in versions if v["name"] == "v1beta1"]}})
        await created(client, new)
        await until(server, service("api"), lambda text: "10.96.0.11" in text)
        await until(server, WEB, lambda text: "10.96.0.10" in text)


async def created(client: Client, obj: Json) -> None:
    """As soon as its version is served."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await imports(client, obj)
            except (NotFound, Invalid):
                await asyncio.sleep(0.1)


async def test_without_the_definition_it_says_so_and_begins_when_it_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with member() as (_, client), served(client) as server:
        async with asyncio.timeout(20):
            while "deploy/crds" not in caplog.text:
                await asyncio.sleep(0.05)
        assert "status: SERVFAIL" in await dig(server.host, server.port, WEB)
        await client.create(CRDS, DEFINITION)
        await created(client, imported("web", (("http", "TCP", 80),), ("10.96.0.10",)))
        await until(server, WEB, lambda text: "10.96.0.10" in text)


async def test_what_was_known_is_served_after_a_restart_while_the_member_is_away(tmp_path: Path) -> None:
    file = tmp_path / "zone.json"
    async with member(DEFINITION) as (_, client), served(client, file) as server:
        await imports(client, IMPORTS[0])
        await until(server, WEB, answers)
        async with asyncio.timeout(20):
            while not file.exists() or b"10.96.0.10" not in file.read_bytes():
                await asyncio.sleep(0.05)
    async with served(Client(Away()), file) as server:
        assert "10.96.0.10" in await dig(server.host, server.port, WEB)
    # and what went meanwhile goes once the member is read again
    async with member(DEFINITION) as (_, client), served(client, file) as server:
        await until(server, WEB, lambda text: "status: NXDOMAIN" in text)


async def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as (embedded, _, kubeconfig):
        client = Client(InProcessTransport("test", embedded, user=ADMIN), qps=0)
        await client.create(CRDS, DEFINITION)
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hansa.cli", "dns", f"--kubeconfig={kubeconfig}", "--listen=127.0.0.1:0"),
            *(f"--state={tmp_path / 'zone.json'}", "--health-address=127.0.0.1:0"),
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(20):
                said = [(await process.stderr.readline()).decode() for _ in range(2)]
            dns, health = (int(match[1]) for line in said if (match := re.search(r"127\.0\.0\.1:(\d+)", line)))
            await until(Server(Replies(DOMAIN, time.time), "127.0.0.1", dns), WEB, lambda text: "NXDOMAIN" in text)
            async with ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{health}/readyz") as answer:
                    assert answer.status == 200
                async with session.get(f"http://127.0.0.1:{health}/metrics") as answer:
                    metrics = await answer.text()
            assert 'hansa_dns_queries_total{rcode="NXDOMAIN",type="A"}' in metrics
            assert 'hansa_dns_services{type="Headless"} 0.0' in metrics
            assert float(re.findall(r"^hansa_dns_zone_age_seconds (.*)", metrics, re.MULTILINE)[0]) < 10
        finally:
            process.terminate()
            await process.communicate()
        assert process.returncode == 0


MANIFEST: list[Json] = list(yaml.safe_load_all((Path(__file__).parents[2] / "deploy" / "dns.yaml").read_text()))
ROLE, PEERS_ROLE = (document["rules"] for document in MANIFEST if "rules" in document)


def granted(kind: str, rules: list[Json], namespace: str = "") -> list[tuple[Resource, Json]]:
    meta = {"name": "hansa-dns"} | ({"namespace": namespace} if namespace else {})
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": kind, "metadata": meta, "rules": rules}
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": f"{kind}Binding",
        "metadata": meta,
        "roleRef": {"apiGroup": api, "kind": kind, "name": "hansa-dns"},
        "subjects": [{"kind": "User", "apiGroup": api, "name": "dns"}],
    }
    cluster = kind == "ClusterRole"
    return [
        (CLUSTER_ROLES if cluster else ROLES, role),
        (CLUSTER_ROLE_BINDINGS if cluster else ROLE_BINDINGS, binding),
    ]


@pytest.mark.parametrize("missing", [None, *((rule, verb) for rule in range(2) for verb in ("list", "watch"))])
async def test_it_needs_the_rights_that_the_documentation_names_and_no_others(
    missing: tuple[int, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    rules = copy.deepcopy(ROLE)
    if missing is not None:
        rules[missing[0]]["verbs"].remove(missing[1])
    async with member(DEFINITION) as (server, administrator):
        meta = {"name": "hansa-system"}
        await administrator.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        for resource, obj in (*granted("ClusterRole", rules), *granted("Role", PEERS_ROLE, "hansa-system")):
            await administrator.create(resource, obj)
        await imports(administrator, IMPORTS[0])
        client = Client(InProcessTransport("member", server, user=UserInfo("dns", ("system:authenticated",))), qps=0)
        async with served(client) as dns:
            if missing is None:
                await until(dns, WEB, answers)
                await administrator.patch(SERVICE_IMPORTS, "web", "shop", {"spec": {"ips": ["10.96.0.99"]}})
                await until(dns, WEB, lambda text: "10.96.0.99" in text)
                assert "does not let us" not in caplog.text
            else:
                resource = ROLE[missing[0]]["resources"][0]
                async with asyncio.timeout(20):
                    while f"does not let us {missing[1]} {resource}" not in caplog.text:
                        await asyncio.sleep(0.02)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\0" * 100])
async def test_a_zone_file_that_is_too_old_or_damaged_is_not_served(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "zone.json"
    ZoneFile(file).save("here", [Service("shop", "web", headless=False, addresses=("10.96.0.10",))])
    if content is None:
        ZoneFile(file).touch(time.time() - 61)
    else:
        file.write_bytes(content)
    async with served(Client(Away()), file) as server:
        assert "status: SERVFAIL" in await dig(server.host, server.port, WEB)
    assert str(file) in caplog.text
    # it is replaced as soon as the member is read
    async with member(DEFINITION) as (_, client), served(client, file) as server:
        await imports(client, IMPORTS[0])
        await until(server, WEB, answers)
        async with asyncio.timeout(20):
            while b"10.96.0.10" not in file.read_bytes() or (ZoneFile(file).age_seconds(time.time()) or 0.0) > 30:
                await asyncio.sleep(0.05)
