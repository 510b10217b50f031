"""Pods of image hansa/echo answer on loopback as long as they are ready, and not a moment longer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from hansa.api.meta import Json
from hansa.api.scheme import DEPLOYMENTS, ENDPOINT_SLICES, EVENTS, PODS, SERVICES
from hansa.apiserver.embedded import ADMIN, start_embedded
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client
from hansa.kube.errors import ApiError
from hansa.runtime.clock import SystemClock
from hansa.sim.echo import echoes
from hansa.sim.member import SimulatedMember

PORT = 8080
RANGE = f"127.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}.0/24"
"""Another one for each process, so that tests can run beside each other."""


def workload(image: str = "hansa/echo:1", replicas: int = 2) -> list[tuple[Any, Json]]:
    container = {"name": "web", "image": image, "ports": [{"name": "http", "containerPort": PORT}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": "web"}}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    meta = {"name": "web", "namespace": "default"}
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    service = {"selector": {"app": "web"}, "ports": ports}
    return [
        (DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}),
        (SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service}),
    ]


@asynccontextmanager
async def acting() -> AsyncGenerator[tuple[SimulatedMember, Client], None]:
    server = await start_embedded("member", clock=SystemClock(), pods_on_loopback=True)
    client = Client(InProcessTransport("member", server, user=ADMIN), qps=0)
    member = SimulatedMember("east", client, loopback=RANGE, speed=10)
    task = asyncio.create_task(member.run())
    try:
        yield member, client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


async def addresses(client: Client, count: int) -> list[str]:
    """The ready addresses of the Service, once there are so many."""
    async with asyncio.timeout(20):
        while True:
            slices = [item.json() for item in (await client.list(ENDPOINT_SLICES, "default")).items]
            found = [
                endpoint["addresses"][0]
                for one in slices
                for endpoint in one.get("endpoints") or []
                if endpoint["conditions"]["ready"]
            ]
            if len(found) == count and (count == 0 or slices):
                return sorted(found)
            await asyncio.sleep(0.02)


async def ended(reader: asyncio.StreamReader) -> None:
    """Until the other side has closed, or cut the connection off."""
    async with asyncio.timeout(20):
        with suppress(ConnectionError):
            while await reader.read(1024):
                pass


async def refuses(address: str) -> bool:
    try:
        _, writer = await asyncio.open_connection(address, PORT)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def create(client: Client, objects: list[tuple[Any, Json]]) -> None:
    async with asyncio.timeout(20):
        for resource, obj in objects:
            await client.create(resource, obj)


async def test_a_ready_pod_answers_and_says_who_it_is() -> None:
    async with acting() as (_, client), ClientSession(connector=TCPConnector()) as session:
        await create(client, workload())
        for address in await addresses(client, 2):
            for _ in range(2):  # over the same connection
                async with session.post(f"http://{address}:{PORT}/any/path", data=b"x" * 100_000) as answer:
                    said = await answer.json()
                    pod = (await client.get(PODS, said["pod"], said["namespace"])).json()
                    assert said["cluster"] == "east" and said["node"] == pod["spec"]["nodeName"]
                    assert said["ip"] == address == pod["status"]["podIP"]


async def test_lines_that_are_no_requests_are_answered_too() -> None:
    async with acting() as (_, client):
        await create(client, workload(replicas=1))
        (address,) = await addresses(client, 1)
        reader, writer = await asyncio.open_connection(address, PORT)
        writer.write(b"hello\nagain\n")
        first, second = await reader.readline(), await reader.readline()
        assert first == second and b'"cluster":"east"' in first
        writer.write(b"x" * 100_000)
        await ended(reader)
        writer.close()


async def test_a_pod_that_goes_closes_at_once_connections_too() -> None:
    async with acting() as (_, client):
        await create(client, workload(replicas=1))
        (address,) = await addresses(client, 1)
        reader, writer = await asyncio.open_connection(address, PORT)
        await client.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 0}})
        await ended(reader)
        assert await refuses(address)
        writer.close()
        assert await addresses(client, 0) == []


async def test_a_node_that_falls_silent_answers_no_more_until_it_is_found() -> None:
    async with acting() as (member, client):
        await create(client, workload(replicas=1))
        (address,) = await addresses(client, 1)
        node = next(item.json()["spec"]["nodeName"] for item in (await client.list(PODS, "default")).items)
        member.lose_node(node)
        assert await refuses(address)
        member.find_node(node)
        async with asyncio.timeout(20):
            while await refuses(address):
                await asyncio.sleep(0.02)


async def test_a_pod_whose_address_is_taken_is_not_ready_until_it_is_free() -> None:
    taken = await asyncio.start_server(lambda _, writer: writer.close(), RANGE.replace(".0/24", ".65"), PORT)
    async with acting() as (_, client):
        await create(client, workload(replicas=1))
        async with asyncio.timeout(20):
            while True:
                events = [item.json() for item in (await client.list(EVENTS, "default")).items]
                if any(event["reason"] == "FailedToListen" for event in events):
                    break
                await asyncio.sleep(0.02)
        assert await addresses(client, 0) == []
        taken.close()
        await taken.wait_closed()
        assert await addresses(client, 1) == [RANGE.replace(".0/24", ".65")]


async def test_without_loopback_nothing_listens_and_loopback_is_no_endpoint() -> None:
    server = await start_embedded("member", clock=SystemClock())
    client = Client(InProcessTransport("member", server, user=ADMIN), qps=0)
    try:
        endpoint = {"addresses": ["127.0.0.9"]}
        with pytest.raises(ApiError, match="may not be in the loopback range"):
            await client.create(
                ENDPOINT_SLICES,
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": {"name": "x", "namespace": "default"},
                    "addressType": "IPv4",
                    "endpoints": [endpoint],
                },
            )
    finally:
        await server.stop()


def test_which_images_answer() -> None:
    for image in ("hansa/echo", "hansa/echo:1", "hansa/echo:v1@sha256:abc"):
        assert echoes(image)
    for image in ("nginx", "hansa/echoes", "example.com/hansa/echo", "fake/echo"):
        assert not echoes(image)
