"""Clusters as network namespaces with the same pod addresses, joined only by the addresses of their gateways."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

GATEWAY, POD = "10.1.0.1", "10.1.0.2"
"""In every cluster."""


RESOLVERS = Path("/etc/netns")
"""`ip netns exec NAME` shows what lies in NAME there as /etc."""


def why_not() -> str:
    """Why namespaces cannot be made here; empty when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None or shutil.which("bridge") is None:
        return "network namespaces need iproute2 (ip and bridge)"
    probe = f"hansa-{os.getpid()}-probe"
    found = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if found.returncode:
        return f"network namespaces cannot be made: {found.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return ""


@dataclass(frozen=True)
class Net:
    """One namespace for each cluster, and one for the network between them, a bridge."""

    clusters: Sequence[str]

    def namespace(self, name: str) -> str:
        return f"hansa-{os.getpid()}-{name}"

    def prefix(self, cluster: str) -> list[str]:
        """What a program is started with to run in a cluster."""
        return self.within(self.namespace(cluster))

    def within(self, namespace: str) -> list[str]:
        """The same for a namespace of another name."""
        ip = shutil.which("ip")
        assert ip is not None
        return [ip, "netns", "exec", namespace]

    def public(self, cluster: str) -> str:
        """Where other clusters find its gateway."""
        return f"172.31.77.{1 + self.clusters.index(cluster)}"

    def cut(self, cluster: str, cut: bool = True) -> None:
        """Take a cluster from the network, without a word to anybody."""
        self._ip("wan", "link", "set", f"p-{cluster}", "down" if cut else "up")

    def part(self, first: str, second: str, parted: bool = True) -> None:
        """Two clusters do not reach each other any more, though both reach all others."""
        for cluster in (first, second):
            words = ("link", "set", "dev", f"p-{cluster}", "isolated", "on" if parted else "off")
            _run("ip", "netns", "exec", self.namespace("wan"), "bridge", *words)

    def make(self) -> None:
        _run("ip", "netns", "add", self.namespace("wan"))
        self._ip("wan", "link", "add", "name", "lan", "type", "bridge")
        self._ip("wan", "link", "set", "lan", "up")
        for cluster in self.clusters:
            _run("ip", "netns", "add", self.namespace(cluster))
            ends = ("type", "veth", "peer", "name", "wan", "netns", self.namespace(cluster))
            self._ip("wan", "link", "add", "name", f"p-{cluster}", *ends)
            self._ip("wan", "link", "set", f"p-{cluster}", "master", "lan", "up")
            self._ip(cluster, "link", "set", "lo", "up")
            for address in (GATEWAY, POD):
                self._ip(cluster, "address", "add", f"{address}/32", "dev", "lo")
            self._ip(cluster, "address", "add", f"{self.public(cluster)}/24", "dev", "wan")
            self._ip(cluster, "link", "set", "wan", "up")
            # what a gateway has not taken yet when it closes goes to the one beside it
            _run(*self.prefix(cluster), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_migrate_req")

    def remove(self) -> None:
        for name in (*self.clusters, "wan"):
            with suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "del", self.namespace(name))

    def _ip(self, name: str, *arguments: str) -> None:
        _run("ip", "-n", self.namespace(name), *arguments)


@contextmanager
def a_net(clusters: Sequence[str]) -> Generator[Net, None, None]:
    net = Net(clusters)
    _sweep()
    try:
        net.make()
        yield net
    finally:
        net.remove()


def _sweep() -> None:
    """Remove namespaces of runs that were interrupted."""
    for path in (*Path("/run/netns").glob("hansa-*-*"), *RESOLVERS.glob("hansa-*-*")):
        if not Path("/proc", path.name.split("-")[1]).exists():
            subprocess.run(["ip", "netns", "del", path.name], check=False, capture_output=True)
            shutil.rmtree(RESOLVERS / path.name, ignore_errors=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
