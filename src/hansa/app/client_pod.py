"""What a pod does to reach a service: ask its cluster's name server, then connect to the address that it is told.

In a real cluster kube-proxy makes that address lead to an endpoint. Embedded members have no kube-proxy and nobody
listens at their Services' addresses, so `ClientPod.endpoint_of` does here what kube-proxy does there, from the same
objects: the Service that has the address, and the ready endpoints in its EndpointSlices, one of them by chance. All
else is as it would be: the name server is asked over UDP, and requests go over TCP to pods or to the gateway.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import msgspec
from dnslib import RCODE, DNSRecord

from hansa.api import names
from hansa.api.meta import Json
from hansa.api.scheme import ENDPOINT_SLICES, SERVICES
from hansa.kube.client import Client
from hansa.runtime.informer import Informer

REQUEST_SECONDS = 2.0


class RequestFailed(Exception):
    """There was no answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`cluster` and `pod` answered; `endpoint` is what was connected to."""

    cluster: str
    pod: str
    endpoint: str


@dataclass(slots=True)
class Tally:
    """Requests one after the other: how many each cluster answered, what failed, who answered last and how often."""

    answered: Counter[str] = field(default_factory=Counter[str])
    failed: list[str] = field(default_factory=list[str])
    last: str = ""
    in_a_row: int = 0

    _failed_at: list[float] = field(default_factory=list[float])

    def note(self, cluster: str) -> None:
        """An answer of `cluster`."""
        self.in_a_row = self.in_a_row + 1 if cluster == self.last else 1
        self.last = cluster
        self.answered[cluster] += 1

    def fail(self, why: str, at: float) -> None:
        """No answer."""
        self.failed.append(why)
        self._failed_at.append(at)
        self.last, self.in_a_row = "", 0

    @property
    def failing_seconds(self) -> float:
        """From the first failure to the last."""
        return self._failed_at[-1] - self._failed_at[0] if self._failed_at else 0.0


class ClientPod:
    """A pod of the cluster that `client` reaches, in `namespace`. `dns` is the cluster's name server, HOST:PORT."""

    def __init__(self, client: Client, namespace: str, dns: str) -> None:
        host, _, port = dns.rpartition(":")
        self._dns = (host, int(port))
        self._services = Informer(client, SERVICES, namespace=namespace)
        self._slices = Informer(client, ENDPOINT_SLICES, namespace=namespace, labels=names.SERVICE_LABEL)
        self._chance = random.Random()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """It can be used within."""
        tasks = [asyncio.create_task(informer.run()) for informer in (self._services, self._slices)]
        try:
            await self._services.wait_synced()
            await self._slices.wait_synced()
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def resolve(self, name: str) -> tuple[str, list[str]]:
        """Response code and IPv4 addresses. Raises RequestFailed when the name server is silent."""
        query = DNSRecord.question(name, "A")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Once(answered), remote_addr=self._dns)
        try:
            transport.sendto(bytes(query.pack()))
            async with asyncio.timeout(REQUEST_SECONDS):
                record = DNSRecord.parse(await answered)
        except (OSError, TimeoutError) as error:
            raise RequestFailed(f"the name server {self._dns[0]} does not answer") from error
        finally:
            transport.close()
        return RCODE[record.header.rcode], [str(found.rdata) for found in record.rr]

    def endpoint_of(self, address: str, port: int) -> tuple[str, int] | None:
        """Where kube-proxy would send a connection to `address`:`port`; None for nowhere."""
        for item in self._services.store:
            spec = item.json()["spec"]
            named = next((each.get("name", "") for each in spec.get("ports") or () if each["port"] == port), None)
            if address in (spec.get("clusterIPs") or ()) and named is not None:
                choices = self._ready(item.meta.name, named)
                return self._chance.choice(choices) if choices else None
        return None

    async def get(self, name: str, port: int) -> Reply:
        """One request over a connection of its own. Raises RequestFailed."""
        code, addresses = await self.resolve(name)
        if not addresses:
            raise RequestFailed(f"{name}: {code}")
        endpoint = self.endpoint_of(addresses[0], port)
        if endpoint is None:
            raise RequestFailed(f"{addresses[0]}:{port}: no ready endpoints")
        url = f"http://{endpoint[0]}:{endpoint[1]}/"
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True), timeout=timeout) as session,
                session.get(url, headers={"host": name}) as answer,
            ):
                said: Json = msgspec.json.decode(await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError) as error:
            raise RequestFailed(f"{url}: {_why(error)}") from error
        return Reply(str(said.get("cluster")), str(said.get("pod")), f"{endpoint[0]}:{endpoint[1]}")

    def _ready(self, service: str, port: str) -> list[tuple[str, int]]:
        return [
            (address, each["port"])
            for item in self._slices.store
            if item.labels.get(names.SERVICE_LABEL) == service
            for body in (item.json(),)
            for each in body.get("ports") or ()
            if (each.get("name") or "") == port
            for endpoint in body.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint["addresses"]
        ]


def _why(error: Exception) -> str:
    """The system's word for it; aiohttp's repeats the address."""
    found = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(found, "strerror", None) or str(found) or type(found).__name__


class _Once(asyncio.DatagramProtocol):
    """Takes one answer."""

    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)
