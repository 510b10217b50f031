"""A service that tells who answers, and pods that ask for it as those of the conformance suite do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.lab.wired import Wired
from tests.support.objects import DEPLOYMENTS, STATEFUL_SETS, deployment, metadata
from tests.support.rig import Rig
from tests.support.services import Services, hello_service

from hansa.api.meta import Json, Resource

EXPORTER, OTHER = MEMBERS = ("member1", "member2")
NUMBER, ANOTHER = 42, 43
AFFINITY: Json = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}}}
ADDRESS = re.compile(r"^Name:\s*\S+\s+Address:\s*(\S+)", re.MULTILINE)
TARGET = re.compile(r"service = \d+ \d+ (\d+) (\S+?)\.?$", re.MULTILINE)


@dataclass
class Hello:
    """The service `hello` of a namespace, and in each member a pod that asks for it, of the name server `resolver`."""

    lab: Wired
    rig: Rig
    resolver: str

    @property
    def services(self) -> Services:
        return Services(self.rig)

    @property
    def name(self) -> str:
        return f"hello.{self.rig.namespace}.svc.clusterset.local"

    @property
    def local(self) -> str:
        return f"hello.{self.rig.namespace}.svc.cluster.local"

    async def open(self) -> None:
        """Until pods can ask: afterwards silence means something."""
        for member in MEMBERS:
            await self.rig.eventually(lambda member=member: self.rig.apply(self._asker(), server=member))
            await self.hears(
                member, "nslookup kubernetes.default.svc.cluster.local", lambda said: bool(addresses(said))
            )

    async def serve(
        self,
        member: str,
        kind: Resource = DEPLOYMENTS,
        *,
        port: str = "tcp",
        number: int = NUMBER,
        replicas: int = 1,
        **service: object,
    ) -> None:
        """Pods that say who they are, by TCP and UDP, and the Service before them."""
        ports: Sequence[Json] = [{"name": port, "port": number, "protocol": "TCP"}]
        if port == "tcp":
            ports = [*ports, {"name": "udp", "port": number, "protocol": "UDP"}]
        pod = {"containers": [answering(each["protocol"], number) for each in ports]}
        workload = deployment("hello", self.rig.namespace, replicas=replicas, pod=pod)
        if kind == STATEFUL_SETS:
            workload = {**workload, "kind": kind.kind, "spec": {**workload["spec"], "serviceName": "hello"}}
        before = hello_service(self.rig.namespace, ports=ports, **AFFINITY, **service)
        await self.rig.apply(workload, before, server=member)

    async def export(self) -> None:
        """From the exporter, and wait until all import it."""
        await self.services.export(EXPORTER)
        await self.services.is_imported(*MEMBERS)

    async def imported(self, member: str) -> Json:
        found = await self.services.imported(member)
        assert found is not None
        return found

    async def pods(self, member: str, count: int) -> Sequence[str]:
        """Addresses of so many pods, once they have them."""
        found: list[str] = []

        async def there() -> None:
            found[:] = await self.services.pods(member)
            assert len(found) == count

        await self.rig.eventually(there)
        return found

    async def ask(self, member: str, command: str) -> str:
        """What the command prints in the pod that asks."""
        return await self.lab.sandboxes[member].run(self.rig.namespace, "asker", command)

    async def hears(self, member: str, command: str, right: Callable[[str], bool], times: int = 1) -> None:
        """Wait for so many right answers in a row."""
        heard: list[str] = []

        async def right_in_a_row() -> None:
            heard.clear()
            for _ in range(times):
                heard.append(await self.ask(member, command))
                assert right(heard[-1]), (member, command, heard)

        await self.rig.eventually(right_in_a_row)

    async def everybody_reaches(self, member: str, number: int = NUMBER, times: int = 10) -> None:
        """In each member, so many answers in a row come from the one pod of this member."""
        (address,) = await self.pods(member, 1)
        for asking in MEMBERS:
            await self.hears(asking, self.request(number), lambda said: said.strip() == f"pod ip {address}", times)

    async def answers_at_home(self, member: str, number: int = NUMBER) -> None:
        """Wait until the member's own Service does, by a pod of its own."""
        await self.hears(member, f"echo hi | nc {self.local} {number}", lambda said: "pod ip" in said)

    def request(self, number: int = NUMBER, *flags: str) -> str:
        return f"echo hi | nc {' '.join((*flags, self.name, str(number)))}"

    def _asker(self) -> Json:
        container = {"name": "asker", "image": "busybox"}
        spec = {
            "containers": [container],
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": [self.resolver]},
            "terminationGracePeriodSeconds": 0,
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata("asker", self.rig.namespace), "spec": spec}


def addresses(said: str) -> Sequence[str]:
    """What nslookup found."""
    return sorted(ADDRESS.findall(said))


def targets(said: str) -> Sequence[tuple[int, str]]:
    """Ports and names of SRV records that nslookup found."""
    return sorted((int(port), name) for port, name in TARGET.findall(said))


def answering(protocol: str, number: int) -> Json:
    """A container that tells its pod's address."""
    return {
        "name": protocol.lower(),
        "image": "alpine/socat",
        "command": ["socat", f"{protocol}-LISTEN:{number},reuseaddr,fork", "SYSTEM:echo pod ip $ADDRESS"],
        "env": [{"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    }
