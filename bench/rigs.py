"""What is measured: a federation on embedded servers, or on real Kubernetes with `hansa run` beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from hansa.app import detached
from hansa.app.state import StateFolder
from hansa.dialect.kubefed import types
from hansa.install.init import init
from hansa.install.join import JoinRequest, join
from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.http import HttpTransport
from hansa.rig.federation import RealFederation
from hansa.rig.ports import free_ports
from hansa.sim.member import SimulatedMember

MEMBERS = ("member1", "member2", "member3")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
WRITE_VERBS = ("POST", "PUT", "PATCH", "DELETE", "APPLY", "DELETECOLLECTION")


class Plane:
    """`hansa run` in a process of its own."""

    def __init__(self, kubeconfig: Path, log: Path) -> None:
        (self._port,) = free_ports(1)
        self._kubeconfig, self._log = kubeconfig, log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def health(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    async def start(self) -> float:
        """Seconds until it is ready. Raises RuntimeError when it is not in a minute."""
        begun = time.perf_counter()
        self._process = _run(self._kubeconfig, self._port, self._log)
        await _ready(self.health)
        return time.perf_counter() - begun

    def pause(self) -> None:
        """Neither hear nor do anything until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None


class Whole:
    """`hansa up`: servers, members and control plane in one process."""

    def __init__(self, pid: int, health: str) -> None:
        self.pid, self.health = pid, health


@dataclass(frozen=True)
class Rig:
    """What is measured is the process of `plane`."""

    name: str
    hub: Client
    members: dict[str, Client]
    plane: Plane | Whole

    @property
    def pid(self) -> int:
        return self.plane.pid

    @property
    def health(self) -> str:
        return self.plane.health

    async def writes(self) -> dict[str, int]:
        """Writes that each server has counted itself so far."""
        clients = {"hub": self.hub, **self.members}
        return {name: await _writes(client) for name, client in clients.items()}

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def peak_mib(self) -> float:
        return self._memory("VmHWM")

    def now_mib(self) -> float:
        return self._memory("VmRSS")

    def _memory(self, figure: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"{figure}:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    async def loop_lag_p99_seconds(self) -> float:
        """Upper bound of the bucket that holds the 99th percentile, of all observations since the start."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.health}/metrics") as answer:
            text = await answer.text()
        buckets = re.findall(r'hansa_event_loop_lag_seconds_bucket\{le="([^"]+)"\} ([\d.]+)', text)
        total = float(buckets[-1][1]) if buckets else 0.0
        return next((float(bound) for bound, count in buckets if float(count) >= 0.99 * total), 0.0)


async def _writes(client: Client) -> int:
    text = (await client.raw("GET", "/metrics")).body.decode()
    own = re.search(r"^hansa_apiserver_writes_total\S* (\d+)", text, re.M)
    if own:
        return int(own[1])
    total = 0
    for labels, count in re.findall(r"^apiserver_request_total\{([^}]*)\} ([\d.e+]+)", text, re.M):
        verb = re.search(r'verb="(\w+)"', labels)
        code = re.search(r'code="(\d+)"', labels)
        resource = re.search(r'resource="(\w+)"', labels)
        token = 'subresource="token"' in labels  # stores nothing
        counted = not token and verb and verb[1] in WRITE_VERBS and code and code[1].startswith("2")
        if counted and resource and resource[1] not in ("leases", "tokenreviews", "subjectaccessreviews", ""):
            total += int(float(count))
    return total


def _client(kubeconfig: Path, context: str) -> Client:
    return Client(HttpTransport(config.load(kubeconfig, context)), qps=0)


@asynccontextmanager
async def embedded(directory: Path) -> AsyncGenerator[Rig, None]:
    """`hansa up` in a process of its own."""
    ready = await detached.start(directory, MEMBERS, say=_say)
    folder = StateFolder(directory)
    clients = {name: _client(folder.kubeconfig, name) for name in ("hub", *MEMBERS)}
    try:
        hub = clients.pop("hub")
        yield Rig("embedded", hub, clients, Whole(folder.owner() or 0, ready["health"]))
        await hub.close()
    finally:
        for client in clients.values():
            await client.close()
        await detached.stop(directory, purge=True)


@asynccontextmanager
async def real(directory: Path) -> AsyncGenerator[Rig, None]:
    """Real API servers; `hansa run` in a process of its own; kubelets acted out in this one."""
    federation = RealFederation(directory / "rig", MEMBERS, durable=False)
    _say("starting Kubernetes")
    await federation.start()
    kubelets: list[asyncio.Task[None]] = []
    plane: Plane | None = None
    clients: dict[str, Client] = {}
    try:
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(federation.kubeconfig()))
        clients = {name: _client(kubeconfig, name) for name in ("hub", *MEMBERS)}
        hub = clients["hub"]
        await init(hub, _say, federated=types.enablements(types.DEFAULT_TYPES))
        for name in MEMBERS:
            reached = config.load(kubeconfig, name)
            request = JoinRequest(name, reached.server, ca_data=reached.ca_data or b"")
            await join(hub, clients[name], request, _say)
            kubelets.append(asyncio.create_task(SimulatedMember(name, clients[name], controllers=False).run()))
        plane = Plane(kubeconfig, directory / "run.log")
        await plane.start()
        yield Rig("real", hub, {name: clients[name] for name in MEMBERS}, plane)
    finally:
        for kubelet in kubelets:
            kubelet.cancel()
        await asyncio.gather(*kubelets, return_exceptions=True)
        if plane is not None:
            plane.stop()
        for client in clients.values():
            await client.close()
        await federation.stop()


def _run(kubeconfig: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    command: Sequence[Any] = [
        *(sys.executable, "-m", "hansa.cli", "run", "--kubeconfig", kubeconfig, "--context", "hub"),
        *("--health-address", f"127.0.0.1:{port}", "--no-leader-elect"),
        *("--kube-api-qps", "0", "--cluster-api-qps", "0"),
    ]
    return subprocess.Popen(command, stdout=log.open("ab"), stderr=subprocess.STDOUT)


async def _ready(health: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{health}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise RuntimeError("hansa run is not ready")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def emit(result: dict[str, Any]) -> None:
    """One line of JSON."""
    print(json.dumps(result), flush=True)
