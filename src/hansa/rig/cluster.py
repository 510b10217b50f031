"""One real cluster: its processes, and the kubeconfig of its administrator."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from hansa.api.meta import Json
from hansa.rig import arguments
from hansa.rig.binaries import Binaries, find_binaries
from hansa.rig.pki import Pki
from hansa.rig.ports import HOST, reserve, wait_free
from hansa.runtime.process import Process

START_SECONDS = 90.0
POLL_SECONDS = 0.1
SERVICE_RANGE = "10.96.0.0/16"


class NotReady(Exception):
    """A process runs but does not answer as it should in time. The message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a cluster runs beside etcd and kube-apiserver. No controllers: no kube-controller-manager."""

    controllers: tuple[str, ...] = arguments.MEMBER_CONTROLLERS
    scheduler: bool = True


HUB = Role(arguments.HUB_CONTROLLERS, scheduler=False)
MEMBER = Role()
API_ONLY = Role((), scheduler=False)


class RealCluster:
    """A cluster in `directory`, which keeps its data, certificates, ports and logs across stops.

    `durable=False` lets etcd skip syncing to disk: for rigs that are thrown away. `service_range`: of one IP family, or
    of both with a comma between them, the IPv4 range first.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        binaries: Binaries | None = None,
        *,
        role: Role = MEMBER,
        durable: bool = True,
        service_range: str = SERVICE_RANGE,
        api_server_arguments: Sequence[str] = (),
        controller_manager_arguments: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.directory = directory.absolute()
        self.role = role
        self.pki = Pki(self.directory / "pki")
        self.ports: dict[str, int] = {}
        self._binaries = binaries or find_binaries()
        self._durable = durable
        self._service_range = service_range
        self._api_server_arguments = tuple(api_server_arguments)
        self._controller_manager_arguments = tuple(controller_manager_arguments)
        self._processes: dict[str, Process] = {}

    @property
    def server(self) -> str:
        """URL of the API server. Known from the first start on."""
        return f"https://{HOST}:{self.ports['api']}"

    @property
    def pids(self) -> dict[str, int]:
        """Of the processes that run."""
        return {name: process.pid for name, process in self._processes.items() if process.pid is not None}

    def kubeconfig(self, user: str = "admin") -> Json:
        """A kubeconfig document with one context, named as the cluster; `user` names a certificate of `pki`."""
        pair = self.pki.pair(user)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": self.name,
                    "cluster": {
                        "server": self.server,
                        "certificate-authority-data": _base64(self.pki.certificate("ca").read_bytes()),
                    },
                }
            ],
            "users": [
                {
                    "name": self.name,
                    "user": {
                        "client-certificate-data": _base64(pair.certificate),
                        "client-key-data": _base64(pair.key),
                    },
                }
            ],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": self.name}}],
            "current-context": self.name,
        }

    async def start(self) -> None:
        """Start, and return when the API server is ready and ServiceAccounts are being made.

        Raises ProcessEnded, NotReady, ConfigError. After an error everything is stopped again.
        """
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._start()
        except TimeoutError as error:
            tail = "\n".join(process.tail() for process in self._processes.values())
            await self.stop()
            raise NotReady(f"{self.name} is not ready after {START_SECONDS:g} s:\n{tail}") from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop all processes, the last started first. The data stays."""
        for process in reversed(list(self._processes.values())):
            await process.stop()
        self._processes.clear()

    async def restart_api_server(self, *, crash: bool = False) -> None:
        """Stop or kill the API server and start it again on the same data."""
        process = self._processes["kube-apiserver"]
        await (process.kill() if crash else process.stop())
        await wait_free([self.ports["api"]])
        await process.start()
        await self._wait_ready()

    async def _start(self) -> None:
        service_address = str(ipaddress.ip_network(self._service_range.split(",")[0])[1])
        await asyncio.to_thread(self.pki.ensure, service_address)
        self.ports = reserve(self.directory / "ports.json", ["api", "etcd", "etcd-peer"])
        await wait_free(self.ports.values())
        await self._launch(
            "etcd",
            arguments.etcd(self._binaries, self.pki, self.directory / "etcd", self.ports, sync=self._durable),
        )
        await self._launch(
            "kube-apiserver",
            arguments.api_server(
                self._binaries,
                self.pki,
                self.ports,
                service_range=self._service_range,
                service_accounts=bool(self.role.controllers),
                extra=self._api_server_arguments,
            ),
        )
        # controllers wait for the API server by themselves, but a start that fails only costs CPU
        await self._wait_ready()
        if self.role.controllers:
            await self._launch(
                "kube-controller-manager",
                arguments.controller_manager(
                    self._binaries,
                    self.pki,
                    self._write_kubeconfig("controller-manager"),
                    self.role.controllers,
                    self._controller_manager_arguments,
                ),
            )
        if self.role.scheduler:
            await self._launch(
                "kube-scheduler", arguments.scheduler(self._binaries, self._write_kubeconfig("scheduler"))
            )
        if self.role.controllers:
            # until it exists no pod is admitted
            await self._wait_for("/api/v1/namespaces/default/serviceaccounts/default")

    async def _launch(self, name: str, command: list[str]) -> None:
        process = self._processes.get(name)
        if process is None:
            process = Process(f"{self.name}/{name}", command, self.directory / "log" / f"{name}.log")
            self._processes[name] = process
        await process.start()

    def _write_kubeconfig(self, user: str) -> Path:
        path = self.directory / f"{user}.kubeconfig"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(self.kubeconfig(user), file)
        return path

    async def _wait_ready(self) -> None:
        await self._wait_for("/readyz")

    async def _wait_for(self, path: str) -> None:
        """Ask as administrator until the answer is 200. Raises ProcessEnded."""
        context = ssl.create_default_context(cafile=str(self.pki.certificate("ca")))
        context.load_cert_chain(self.pki.certificate("admin"), self.pki.key("admin"))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            while not await _answers(session, self.server + path):
                for process in self._processes.values():
                    process.check()
                await asyncio.sleep(POLL_SECONDS)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
