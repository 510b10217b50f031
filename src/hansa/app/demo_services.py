"""A service exported by two clusters, used from three: found by name, reached by gateways, kept up when pods go."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from hansa.api import names
from hansa.api.routing import server_name
from hansa.app.client_pod import ClientPod, RequestFailed, Tally
from hansa.app.connect import connected
from hansa.app.demo import Expectation, Finding, Kubectl, observe
from hansa.kube.errors import ConfigError

MEMBERS = ("member1", "member2", "member3")
EXPORTERS, LOCAL, REMOTE, OTHER = MEMBERS[:2], "member1", "member2", "member3"
EXPORTED, BY_GATEWAY = EXAMPLES = ("services.yaml", "services-proxy.yaml")
NAMESPACE, SERVICE, PORT, PORT_NAME = "shop", "web", 80, "http"
NAME = f"{SERVICE}.{NAMESPACE}.svc.{names.CLUSTERSET}"
REQUESTS = 50
PAUSE_SECONDS = 0.02
"""Between requests."""
STEADY = 25
"""Answers of one cluster in a row that count as a switch."""
SWITCH_SECONDS = 45.0
HYBRID_FAILS_SECONDS = 5.0
"""How long requests to pods that went may fail: until the derived Service's endpoints have changed."""
PROXY_FAILS_SECONDS = 0.5
"""The same where a gateway stands between: it tries others at once, only what is under way is lost."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    found: str
    holds: bool

    @classmethod
    def of(cls, finding: Finding) -> Step:
        wanted = finding.expectation
        return cls(f"{wanted.context}: {wanted.title}", finding.found or "(none)", finding.holds)


class Walk:
    """Through a running federation of MEMBERS. `reach`: by member, where its name server and gateway are."""

    def __init__(self, kubeconfig: Path, reach: Mapping[str, Mapping[str, str]], say: Say) -> None:
        self._kubeconfig = kubeconfig
        self._kubectl = Kubectl(kubeconfig)
        self._reach = reach
        self._say = say
        self._pods: dict[str, ClientPod] = {}

    async def go(self, examples: Path) -> list[Step]:
        """Every step, in order, up to the first that does not hold: each needs what those before it have led to.

        Raises ConfigError when kubectl refuses what it is given.
        """
        await self._apply(examples / EXPORTED)
        steps = [Step.of(finding) for finding in await observe(self._kubectl, exported(), lambda _, __: None)]
        async with AsyncExitStack() as stack:
            for member in MEMBERS:
                client = await stack.enter_async_context(connected(self._kubeconfig, member))
                self._pods[member] = ClientPod(client, NAMESPACE, self._reach[member]["dns"])
                await stack.enter_async_context(self._pods[member].running())
            for step in (
                self._found_by_name,
                self._reached_through_gateways,
                self._strangers_are_refused,
                self._stays_local,
                lambda: self._switches(f"pods of {LOCAL} taken away", [REMOTE], REMOTE, HYBRID_FAILS_SECONDS),
                lambda: self._switches(f"pods of {LOCAL} are back", list(EXPORTERS), LOCAL, 0.0),
                lambda: self._always_by_gateway(examples / BY_GATEWAY),
                lambda: self._switches(f"pods of {LOCAL} taken away again", [REMOTE], REMOTE, PROXY_FAILS_SECONDS),
                lambda: self._switches(f"pods of {LOCAL} are back again", list(EXPORTERS), LOCAL, 0.0),
                self._gone,
            ):
                if not all(done.holds for done in steps):
                    break
                steps.append(await step())
        return steps

    # -- steps -------------------------------------------------------------------------------------------------------

    async def _found_by_name(self) -> Step:
        code, wanted, err = await self._kubectl.run(
            OTHER, "get", "-n", NAMESPACE, "serviceimport", SERVICE, "-o", "jsonpath={.spec.ips[0]}"
        )
        host, _, port = self._reach[OTHER]["dns"].rpartition(":")
        if shutil.which("dig"):
            title, found = f"dig @{host} -p {port} {NAME}", await _dig(host, port)
        else:
            title, found = f"{NAME} asked of {host}:{port}", " ".join((await self._pods[OTHER].resolve(NAME))[1])
        return Step(f"{OTHER}: {title}", found if code == 0 else err, code == 0 and found == wanted != "")

    async def _reached_through_gateways(self) -> Step:
        await self._answered(OTHER, EXPORTERS)
        tally, endpoints = Tally(), set[str]()
        for _ in range(REQUESTS):
            await self._ask(OTHER, tally, endpoints)
        gateway = self._host(OTHER, "gateway")
        return Step(
            f"{OTHER}: {REQUESTS} requests, by its own gateway {gateway}, answered by clusters that export",
            f"{_shown(tally)}, by {', '.join(sorted(endpoints)) or 'none'}",
            not tally.failed and endpoints == {gateway} and set(tally.answered) == set(EXPORTERS),
        )

    async def _strangers_are_refused(self) -> Step:
        address = self._reach[LOCAL]["gateway"]
        found = await _without_certificate(address)
        return Step(f"{LOCAL}: its gateway {address} asked without a certificate", found, found.startswith("refused"))

    async def _stays_local(self) -> Step:
        await self._answered(LOCAL, (LOCAL,))
        tally, endpoints = Tally(), set[str]()
        for _ in range(REQUESTS):
            await self._ask(LOCAL, tally, endpoints)
        return Step(
            f"{LOCAL}: {REQUESTS} requests, answered by its own pods",
            _shown(tally),
            not tally.failed and set(tally.answered) == {LOCAL},
        )

    async def _switches(self, title: str, clusters: list[str], to: str, fails_seconds: float) -> Step:
        """Place the pods in `clusters` while requests go on in LOCAL, until `to` answers all of them."""
        placement = {"spec": {"placement": {"clusterAffinity": {"clusterNames": clusters}}}}
        self._say(f"kubectl patch propagationpolicy web-pods: {title}")
        await self._changed(
            "patch", "propagationpolicy", "web-pods", "--type=merge", f"--patch={json.dumps(placement)}"
        )
        tally = Tally()
        switched = await self._ask_until(LOCAL, tally, lambda: tally.last == to and tally.in_a_row >= STEADY)
        return Step(
            f"{LOCAL}: {title}, then {to} answers",
            _shown(tally) + ("" if switched else f", no switch in {SWITCH_SECONDS:g} s"),
            switched and tally.failing_seconds <= fails_seconds,
        )

    async def _always_by_gateway(self, policy: Path) -> Step:
        await self._apply(policy)
        gateway = self._host(LOCAL, "gateway")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SWITCH_SECONDS
        tally, endpoints = Tally(), set[str]()
        while endpoints != {gateway} and loop.time() < deadline:
            endpoints.clear()
            await self._ask(LOCAL, tally, endpoints)
            await asyncio.sleep(PAUSE_SECONDS)
        return Step(
            f"{LOCAL}: mode proxy, requests go by its gateway {gateway}",
            f"{_shown(tally)}, by {', '.join(endpoints) or 'none'}",
            not tally.failed and endpoints == {gateway} and tally.last == LOCAL,
        )

    async def _gone(self) -> Step:
        self._say("kubectl delete serviceexport web")
        await self._changed("delete", "serviceexport", SERVICE)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SWITCH_SECONDS
        found: dict[str, str] = {}
        while set(found.values()) != {"NXDOMAIN"} and loop.time() < deadline:
            await asyncio.sleep(0.2)
            found = {member: (await pod.resolve(NAME))[0] for member, pod in self._pods.items()}
        return Step(
            "no longer exported: the name is gone everywhere",
            ", ".join(f"{member} {code}" for member, code in found.items()),
            set(found.values()) == {"NXDOMAIN"},
        )

    # -- within ------------------------------------------------------------------------------------------------------

    async def _answered(self, member: str, clusters: Collection[str]) -> None:
        """Until each of `clusters` has answered `member`, or SWITCH_SECONDS have passed.

        A name has its address before it has endpoints, as that of any Service has.
        """
        tally = Tally()
        await self._ask_until(member, tally, lambda: tally.answered.keys() >= set(clusters))

    async def _ask_until(self, member: str, tally: Tally, done: Callable[[], bool]) -> bool:
        """Whether it came to be `done` in SWITCH_SECONDS."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SWITCH_SECONDS
        while not done() and loop.time() < deadline:
            await self._ask(member, tally, set())
            await asyncio.sleep(PAUSE_SECONDS)
        return done()

    async def _ask(self, member: str, tally: Tally, endpoints: set[str]) -> None:
        try:
            reply = await self._pods[member].get(NAME, PORT)
        except RequestFailed as error:
            tally.fail(str(error), asyncio.get_running_loop().time())
        else:
            tally.note(reply.cluster)
            endpoints.add(reply.endpoint.rpartition(":")[0])

    def _host(self, member: str, what: str) -> str:
        return self._reach[member][what].rpartition(":")[0]

    async def _apply(self, example: Path) -> None:
        self._say(f"kubectl apply -f {example}")
        await self._kubectl.apply(example)

    async def _changed(self, *arguments: str) -> None:
        code, _, err = await self._kubectl.run("hub", "-n", NAMESPACE, *arguments)
        if code:
            raise ConfigError(f"kubectl {' '.join(arguments)} failed: {err}")


def exported() -> list[Expectation]:
    """What the example leads to before anybody asks for the service."""
    export = ("-n", NAMESPACE, "serviceexport", SERVICE)
    imported = ("-n", NAMESPACE, "serviceimport", SERVICE)
    valid = "{.status.conditions[?(@.type=='Valid')].status}"
    ready = ("-n", NAMESPACE, "deployment", "web")
    return [
        *(Expectation("services", member, export, valid, "True") for member in EXPORTERS),
        *(Expectation("services", member, ready, "{.status.readyReplicas}", "2") for member in EXPORTERS),
        *(Expectation("services", member, imported, "{.spec.type}", "ClusterSetIP") for member in MEMBERS),
        *(
            Expectation("services", member, imported, "{.status.clusters[*].cluster}", " ".join(EXPORTERS))
            for member in MEMBERS
        ),
    ]


def _shown(tally: Tally) -> str:
    answered = ", ".join(f"{cluster} {count}" for cluster, count in sorted(tally.answered.items())) or "nobody"
    why = f" in {tally.failing_seconds:.1f} s ({tally.failed[-1]})" if tally.failed else ""
    return f"answered by {answered}; failed {len(tally.failed)}{why}"


async def _dig(host: str, port: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("dig", f"@{host}", "-p", port, "+short", NAME, "A"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return " ".join(out.decode().split())


async def _without_certificate(address: str) -> str:
    """What a gateway does with a client that shows no certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, _, port = address.rpartition(":")
    asked = server_name(PORT_NAME, SERVICE, NAMESPACE)
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=asked)
            # with TLS 1.3 the client is through before the server has looked at its certificate
            writer.write(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
            answer = await reader.read(1024)
            writer.close()
    except ssl.SSLError as error:
        return f"refused: {error.reason}"
    except (OSError, TimeoutError) as error:
        return f"no connection: {error or type(error).__name__}"
    return "answered" if answer else "refused: connection closed"
