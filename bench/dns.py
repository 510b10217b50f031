"""`python -m bench.dns`: queries that one core answers. One process serves, this one asks; the server's CPU counts."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from dnslib import EDNS0, QTYPE, DNSHeader, DNSQuestion, DNSRecord, EDNSOption

from bench.rigs import emit
from hansa.cli.session import run as run_on_fast_loop
from hansa.service.dns.reply import Replies
from hansa.service.dns.server import Server
from hansa.service.dns.zone import Host, Port, Service, Zone

DOMAIN = ("clusterset", "local")
SERVICES = 5000
PODS = 10
NAMES = 1000
"""So many names are asked in turn."""
IN_FLIGHT = 64
COOKIE = 10
"""EDNS option by which some resolvers make each query differ."""


def zone() -> Zone:
    """Half of the services headless, in 50 namespaces."""
    http = (Port("http", "tcp", 80),)
    services = [
        Service(f"ns-{n % 50}", f"svc-{n}", headless=False, addresses=(f"10.96.{n // 250}.{n % 250}",), ports=http)
        if n % 2
        else Service(f"ns-{n % 50}", f"svc-{n}", headless=True, hosts=tuple(_hosts(n, http)))
        for n in range(SERVICES)
    ]
    return Zone.of(DOMAIN, 1, services)


def _hosts(n: int, ports: tuple[Port, ...]) -> Iterator[Host]:
    return (Host(f"pod-{i}", f"cluster-{i % 3}", (f"10.{i}.{n // 250}.{n % 250}",), ports, 2) for i in range(PODS))


# -- one process serves ------------------------------------------------------------------------------------------------


async def serve() -> None:
    replies = Replies(DOMAIN, time.time)
    replies.serve(zone())
    server = Server(replies, "127.0.0.1", 0)
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- another asks ------------------------------------------------------------------------------------------------------


def queries(kind: str) -> list[bytes]:
    """Without their ids."""
    wanted = range(0, 2 * NAMES, 2) if kind in ("headless", "srv") else range(1, 2 * NAMES, 2)
    qtype = QTYPE.SRV if kind == "srv" else QTYPE.A
    packed: list[bytes] = []
    for n in wanted:
        name = f"svc-{n}.ns-{n % 50}.svc.clusterset.local"
        record = DNSRecord(DNSHeader(id=0, bitmap=0x0100), q=DNSQuestion(name, qtype))
        options = [EDNSOption(COOKIE, b"\0" * 8)] if kind == "never the same" else None
        record.add_ar(EDNS0(udp_len=1232, opts=options))
        packed.append(bytes(record.pack())[2:])
    return packed


def ask(port: int, kind: str, count: int) -> None:
    """Raises TimeoutError when an answer is lost, which loopback does only to a server that is too slow for it."""
    bodies = itertools.cycle(queries(kind))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(5)
        for number in range(count + IN_FLIGHT):
            if number < count:
                body = next(bodies)
                if kind == "never the same":
                    body = body[:-8] + struct.pack("!Q", number)
                client.send(struct.pack("!H", number & 0xFFFF) + body)
            if number >= IN_FLIGHT:
                client.recv(4096)


@click.command()
@click.option("--queries", "count", default=100_000, show_default=True, help="In each run.")
@click.option("--runs", default=3, show_default=True)
@click.option("--serve", "serving", is_flag=True, hidden=True)
def main(count: int, runs: int, serving: bool) -> None:
    """Queries per CPU second of the name server, with 5,000 services; the median of RUNS."""
    if serving:
        run_on_fast_loop(serve())
        return
    for kind in ("address", "headless", "srv", "never the same"):
        found: list[float] = []
        for _ in range(runs):
            with subprocess.Popen([sys.executable, "-m", "bench.dns", "--serve"], stdout=subprocess.PIPE) as server:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                before = cpu_seconds(server.pid)
                ask(port, kind, count)
                found.append(count / (cpu_seconds(server.pid) - before))
                server.terminate()
        emit({"case": f"dns: {kind}", "queries_per_cpu_second": round(statistics.median(found)), "runs": runs})


if __name__ == "__main__":
    main()
