"""`python -m bench.gateways`: what a gateway adds to a request, one JSON line.

Two gateways and two pods on loopback addresses, each in a process of its own. A request is a new connection, a line of
HTTP and its answer; medians and 99th percentiles in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from hansa.api.routing import gateway_identity, server_name
from hansa.base.certificates import KeyPair, issue_uri, make_authority, make_request
from hansa.service.gateway import files
from hansa.service.gateway.envoy import Envoy, find_envoy
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Address, Inbound, Locality, Outbound, Site

NAME, SERVER_NAME = "shop/web/http", server_name("http", "web", "shop")
HOSTS = {"a": ("127.22.1.1", Address("127.22.1.2", 8080)), "b": ("127.22.2.1", Address("127.22.2.2", 8080))}
LOCAL, REMOTE = 20000, 20001
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
READY_SECONDS = 20.0


@click.command()
@click.option("--requests", default=3000, show_default=True, help="Of each kind.")
def main(requests: int) -> None:
    """Compare a request to a pod with the same by one gateway and by two."""
    pods = [multiprocessing.Process(target=_serve, args=(pod,), daemon=True) for _, pod in HOSTS.values()]
    for pod in pods:
        pod.start()
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as directory:
        print(json.dumps(asyncio.run(_bench(Path(directory), requests))))
    for pod in pods:
        pod.terminate()


async def _bench(directory: Path, requests: int) -> dict[str, object]:
    authority = make_authority("bench", datetime.now(UTC))
    gateways = [_prepared(directory / name, name, authority) for name in HOSTS]
    tasks = [asyncio.create_task(gateway.run()) for gateway in gateways]
    gateway, pod = HOSTS["a"]
    ways = {
        "direct": pod,
        "by the own gateway": Address(gateway, LOCAL),
        "by both gateways": Address(gateway, REMOTE),
    }
    try:
        await _ready(ways)
        # in a thread: the event loop has the gateways to look after
        return {what: await asyncio.to_thread(_measure, lambda at=at: _once(at), requests) for what, at in ways.items()}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _prepared(directory: Path, name: str, authority: KeyPair) -> Envoy:
    """A gateway whose files are written. On one port it serves its own pod, on another the other cluster's."""
    host, pod = HOSTS[name]
    other = "b" if name == "a" else "a"
    layout, settings = Layout(directory), Settings(host)
    layout.prepare()
    there = Locality(other, "", 0, 1, (Address(HOSTS[other][0], settings.port),))
    site = Site(
        name,
        (other,),
        (Inbound(NAME, SERVER_NAME, (other,), False, (pod,)),),
        (
            Outbound(f"{NAME}-local", LOCAL, SERVER_NAME, (Locality("", "", 0, 1, (pod,)),), 71, False),
            Outbound(f"{NAME}-remote", REMOTE, SERVER_NAME, (there,), 71, False),
        ),
    )
    key, request = make_request()
    certificate = issue_uri(authority, request, gateway_identity(name), datetime.now(UTC), timedelta(hours=1))
    files.write(files.start_documents(layout, settings))
    files.write(files.identity_document(layout, certificate, key))
    files.write(files.documents(site, site, layout, settings, authority.certificate))
    return Envoy([find_envoy()], layout, settings)


async def _ready(ways: dict[str, Address]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    for at in ways.values():
        while True:
            try:
                await asyncio.to_thread(_once, at)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)


def _measure(once: Callable[[], None], requests: int) -> dict[str, float]:
    took: list[float] = []
    for _ in range(requests):
        began = time.perf_counter()
        once()
        took.append(1000 * (time.perf_counter() - began))
    return {"p50_ms": round(statistics.median(took), 2), "p99_ms": round(statistics.quantiles(took, n=100)[-1], 2)}


def _once(at: Address) -> None:
    with socket.create_connection(at, timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            raise ConnectionError("no answer")


def _serve(at: Address) -> None:
    """One answer for each connection, until it is ended."""
    with socket.create_server(at, backlog=256) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                if connection.recv(4096):
                    connection.sendall(ANSWER)


if __name__ == "__main__":
    main()
