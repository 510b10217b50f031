"""A member whose API server is away for longer than `--service-stale-after`, on real Kubernetes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from dnslib import QTYPE, RCODE, DNSRecord
from tests.support.commands import Kubectl, hansa, in_background, running
from tests.support.services import HELLO_PORTS, endpoint, export, hello_service, slice_by_hand

from hansa.api import names
from hansa.api.meta import Json
from hansa.rig.binaries import MissingBinaries, find_binaries
from hansa.rig.federation import RealFederation
from hansa.rig.ports import free_ports
from hansa.service.silence import GRACE_SECONDS, LISTEN_SECONDS

try:
    BINARIES = find_binaries()
except MissingBinaries as missing:
    pytest.skip(str(missing), allow_module_level=True)

SILENT, OTHER = "member1", "member2"
SPACE = "shop"
POD = {SILENT: "10.21.0.1", OTHER: "10.22.0.1"}
NAME = f"hello.{SPACE}.svc.{names.CLUSTERSET}"
DEADLINE_SECONDS = 120 + 2 * (GRACE_SECONDS + LISTEN_SECONDS)
SLICES = ("get", "endpointslices", "-n", SPACE, "-l", names.IMPORT_NAME_LABEL)
IDENTITY = ("get", "serviceimport", "hello", "-n", SPACE, "-o", "jsonpath={.metadata.uid}")


def exported(member: str) -> list[Json]:
    """A headless service without selector, its one endpoint, and its export."""
    service = hello_service(SPACE, ports=HELLO_PORTS[:1], clusterIP="None")
    del service["spec"]["selector"]
    endpoints = slice_by_hand(SPACE, [endpoint(POD[member])], port=("tcp", 42))
    return [service, endpoints, export(SPACE)]


def ask(port: int) -> Sequence[str]:
    """Addresses of the service, as the name server says; its code when there are none."""
    try:
        packet = DNSRecord.question(NAME, "A").send("127.0.0.1", port, timeout=2)
    except OSError as error:
        return [str(error)]
    reply = DNSRecord.parse(packet)
    return sorted(str(each.rdata) for each in reply.rr if each.rtype == QTYPE.A) or [RCODE[reply.header.rcode]]


def until(read: Callable[[], Sequence[str]], wanted: Sequence[str]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (found := list(read())) != list(wanted):
        assert time.monotonic() < deadline, f"{found} instead of {wanted}"
        time.sleep(0.5)


@pytest.mark.timeout(700)
async def test_endpoints_of_a_silent_cluster_go_and_return_with_it(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        members = (SILENT, OTHER)
        federation = await stack.enter_async_context(
            RealFederation(tmp_path / "rig", members, binaries=BINARIES, durable=False)
        )
        kubectl = Kubectl(tmp_path)
        kubectl.kubeconfig.write_text(yaml.safe_dump(federation.kubeconfig()))
        hub = ("--kubeconfig", kubectl.kubeconfig, "--context", "hub")
        assert hansa("init", *hub).returncode == 0
        for member in members:
            reached = ("--cluster-kubeconfig", kubectl.kubeconfig, "--cluster-context", member)
            assert hansa("join", member, *hub, *reached).returncode == 0
        flat = f"{names.NETWORK_ANNOTATION}=flat"
        assert kubectl("hub", "annotate", "clusters", *members, flat).returncode == 0
        stack.enter_context(running(kubectl.kubeconfig, tmp_path / "run.log", "--service-stale-after", "5s"))
        (port,) = free_ports(1)
        beside = ("--kubeconfig", kubectl.kubeconfig, "--context", OTHER, "--listen", f"127.0.0.1:{port}")
        stack.enter_context(in_background(tmp_path / "dns.log", "dns", *beside))

        for member in members:
            assert kubectl(member, "create", "namespace", SPACE).returncode == 0
            served = ("get", "crd", "serviceexports.multicluster.x-k8s.io", "-o", "jsonpath={.metadata.name}")
            assert kubectl.until(member, served, served[2]) == served[2]
            done = kubectl(member, "apply", "-f", "-", stdin=yaml.safe_dump_all(exported(member)))
            assert done.returncode == 0, done.stderr

        def published() -> Sequence[str]:
            jsonpath = "jsonpath={.items[*].endpoints[*].addresses[*]}"
            return sorted(kubectl(OTHER, *SLICES, "-o", jsonpath).stdout.split())

        both, one = [POD[SILENT], POD[OTHER]], [POD[OTHER]]
        until(published, both)
        until(lambda: ask(port), both)
        before = kubectl(OTHER, *IDENTITY).stdout

        await federation.members[SILENT].stop()
        until(published, one)
        until(lambda: ask(port), one)
        assert before and kubectl(OTHER, *IDENTITY).stdout == before
        ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].message}'
        message = kubectl(OTHER, "get", "serviceimport", "hello", "-n", SPACE, "-o", ready).stdout
        assert message.startswith(f"{SILENT}: not heard of since ") and message.endswith("endpoints are withdrawn")

        await federation.members[SILENT].start()
        until(published, both)
        until(lambda: ask(port), both)
        assert kubectl(OTHER, *IDENTITY).stdout == before
        assert "Traceback" not in (tmp_path / "run.log").read_text()
