"""What a pod in an embedded member does to reach a service, and where it and others live on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import Any

import pytest

from hansa.api import names
from hansa.api.meta import Json
from hansa.api.scheme import ENDPOINT_SLICES, SERVICES
from hansa.apiserver.embedded import ADMIN, start_embedded
from hansa.app.client_pod import ClientPod, RequestFailed, Tally
from hansa.app.inprocess import InProcessTransport
from hansa.app.loopback import DNS_PORT, FIRST_BLOCK, LAST_BLOCK, MemberAddresses, choose_block
from hansa.kube.client import Client
from hansa.runtime.clock import SystemClock


def slice_of(name: str, endpoints: list[Json], ports: list[Json]) -> Json:
    labels = {names.SERVICE_LABEL: "web"}
    meta = {"name": name, "namespace": "default", "labels": labels}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": meta,
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }


def endpoint(address: str, *, ready: bool | None = None) -> Json:
    return {"addresses": [address]} | ({} if ready is None else {"conditions": {"ready": ready}})


async def test_an_address_leads_to_ready_endpoints_of_its_service_by_the_name_of_the_port() -> None:
    server = await start_embedded("member", clock=SystemClock())
    client = Client(InProcessTransport("member", server, user=ADMIN), qps=0)
    ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]
    meta = {"name": "web", "namespace": "default"}
    service: Any = await client.create(
        SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": ports}}
    )
    address = service.json()["spec"]["clusterIP"]
    both = [{"name": "http", "port": 8080}, {"name": "admin", "port": 8081}]
    ready = [endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=True), endpoint("10.0.0.3", ready=False)]
    await client.create(ENDPOINT_SLICES, slice_of("a", ready, both))
    await client.create(ENDPOINT_SLICES, slice_of("b", [endpoint("10.0.0.4")], [{"name": "http", "port": 20001}]))
    pod = ClientPod(client, "default", "127.0.0.1:1")
    try:
        async with pod.running():
            chosen = Counter(pod.endpoint_of(address, 80) for _ in range(300))
            assert set(chosen) == {("10.0.0.1", 8080), ("10.0.0.2", 8080), ("10.0.0.4", 20001)}
            assert min(chosen.values()) > 50
            assert pod.endpoint_of(address, 81) in {("10.0.0.1", 8081), ("10.0.0.2", 8081)}
            assert pod.endpoint_of(address, 82) is None
            assert pod.endpoint_of("10.9.9.9", 80) is None
    finally:
        await server.stop()


async def test_a_name_server_that_is_not_there_is_a_failed_request() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    pod = ClientPod(Client(InProcessTransport("none", None)), "default", f"127.0.0.1:{port}")  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        with pytest.raises(RequestFailed, match="does not answer"):
            await pod.get("web.default.svc.clusterset.local", 80)


def test_a_tally_tells_who_answered_last_and_for_how_long_requests_failed() -> None:
    tally = Tally()
    for at, cluster in enumerate(["east", "east", "", "", "west", "west", "west"]):
        if cluster:
            tally.note(cluster)
        else:
            tally.fail("refused", float(at))
    assert (tally.last, tally.in_a_row, dict(tally.answered)) == ("west", 3, {"east": 2, "west": 3})
    assert (len(tally.failed), tally.failing_seconds) == (2, 1.0)


def test_members_have_ranges_of_their_own() -> None:
    ranges = {MemberAddresses(17, position).pods for position in range(200)}
    assert len(ranges) == 200
    here = MemberAddresses(17, 3)
    assert (here.pods, here.gateway, here.dns) == ("127.17.3.0/24", "127.17.3.1", "127.17.3.53")


def test_a_block_that_is_in_use_is_left_alone() -> None:
    first = choose_block("some folder")
    assert FIRST_BLOCK <= first <= LAST_BLOCK
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((MemberAddresses(first, 0).dns, DNS_PORT))
        assert choose_block("some folder") != first
