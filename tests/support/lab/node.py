"""A member's node as a network namespace, with what runs on a node: kube-proxy, name servers, a gateway.

API servers stay on the host's loopback; their ports are relayed into the namespace, so that one kubeconfig serves both.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from urllib.parse import urlsplit

from tests.support.lab.net import GATEWAY, Net
from tests.support.lab.programs import Programs, ip, run
from tests.support.lab.sandbox import LINK

from hansa.kube import config
from hansa.rig.ports import HOST
from hansa.runtime.process import Process

BY_HANSA, BY_COREDNS = "10.1.0.10", "10.1.0.11"
"""Name servers of every member's pods: CoreDNS that asks `hansa dns` for clusterset.local, and that knows it itself."""
FORWARDED = f"{HOST}:5353"
GATEWAY_PORT = 15443
GATEWAY_ACCOUNT = Path(__file__).parents[3] / "deploy" / "gateway.yaml"
COREFILE = """
.:53 {{
    bind {by_hansa}
    kubernetes cluster.local {{
        kubeconfig {kubeconfig}
    }}
}}
clusterset.local:53 {{
    bind {by_hansa}
    forward . {forwarded}
}}
.:53 {{
    bind {by_coredns}
    kubernetes cluster.local clusterset.local {{
        kubeconfig {kubeconfig}
        multicluster clusterset.local
    }}
}}
"""


@dataclass
class Node:
    """Of one member. `kubeconfig`: of its API server; `on_hub`: its own access to the hub; `ranges`: of its pods."""

    net: Net
    cluster: str
    directory: Path
    kubeconfig: Path
    on_hub: Path
    ranges: Sequence[str]
    programs: Programs
    processes: list[Process] = field(default_factory=list[Process])

    @property
    def gateway(self) -> str:
        """Where other clusters find it."""
        return f"{self.net.public(self.cluster)}:{GATEWAY_PORT}"

    async def start(self) -> None:
        """Returns before all of it is ready."""
        lines = [f"address add {address}/32 dev lo" for address in (BY_HANSA, BY_COREDNS)]
        await ip("-n", self.net.namespace(self.cluster), "-batch", "-", lines=lines)
        await run(*self.net.prefix(self.cluster), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for kubeconfig in (self.kubeconfig, self.on_hub):
            await self._relay(kubeconfig)
        await run(self.programs.kubectl, f"--kubeconfig={self.kubeconfig}", "apply", "-f", GATEWAY_ACCOUNT)
        await self._kube_proxy()
        await self._coredns()
        await self._hansa("dns", "--listen", FORWARDED)
        await self._hansa(
            "gateway",
            *("--hub-kubeconfig", self.on_hub, "--dir", self.directory / "gateway", "--workers", 1),
            *("--address", GATEWAY, "--inbound-address", self.net.public(self.cluster), "--port", GATEWAY_PORT),
            *("--drain-seconds", 0),
        )

    async def stop(self) -> None:
        for process in reversed(self.processes):
            await process.stop()

    async def reaches_pods(self, other: Node, reaches: bool = True) -> None:
        """Whether pods of the other member can be reached from here: on one network they can."""
        for pods in other.ranges:
            words = ("add" if reaches else "del", pods, "via", self.net.public(other.cluster))
            await ip("-n", self.net.namespace(self.cluster), "route", *words)

    async def _relay(self, kubeconfig: Path) -> None:
        """The port of an API server, through a socket in the file system, which namespaces share."""
        port = urlsplit(config.load(kubeconfig).server).port
        path = self.directory / f"{port}.sock"
        outside = [which("socat") or "", f"UNIX-LISTEN:{path},fork", f"TCP:{HOST}:{port}"]
        await self._keep(Process(f"{self.cluster} relay", outside, self._log("relay")))
        await self._run("relay", "socat", f"TCP-LISTEN:{port},bind={HOST},reuseaddr,fork", f"UNIX-CONNECT:{path}")

    async def _kube_proxy(self) -> None:
        await self._run(
            "kube-proxy",
            *(self.programs.kube_proxy, f"--kubeconfig={self.kubeconfig}", "--proxy-mode=nftables"),
            *("--detect-local-mode=InterfaceNamePrefix", f"--pod-interface-name-prefix={LINK}"),
            f"--hostname-override={self.cluster}-node-1",
            # limits of the whole machine are not a namespace's to set
            *("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0"),
            "--conntrack-tcp-timeout-close-wait=0",
        )

    async def _coredns(self) -> None:
        corefile = self.directory / "Corefile"
        corefile.write_text(
            COREFILE.format(by_hansa=BY_HANSA, by_coredns=BY_COREDNS, forwarded=FORWARDED, kubeconfig=self.kubeconfig)
        )
        await self._run("coredns", self.programs.coredns, "-conf", corefile)

    async def _hansa(self, command: str, *arguments: object) -> None:
        await self._run(
            command, sys.executable, "-m", "hansa.cli", command, "--kubeconfig", self.kubeconfig, *arguments
        )

    async def _run(self, name: str, *command: object) -> None:
        arguments = [*self.net.prefix(self.cluster), *map(str, command)]
        await self._keep(Process(f"{self.cluster} {name}", arguments, self._log(name)))

    async def _keep(self, process: Process) -> None:
        self.processes.append(process)
        await process.start()

    def _log(self, name: str) -> Path:
        return self.directory / "log" / f"{name}.log"
