"""Programs of others that labs run, what of them is missing here, and commands that end by themselves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from tests.support.lab import net

from hansa.kube.errors import ConfigError
from hansa.rig.binaries import find_binaries
from hansa.service.gateway.envoy import find_envoy

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
PACKAGES = {"nft": "nftables", "socat": "socat", "nslookup": "bind9-dnsutils", "nc.openbsd": "netcat-openbsd"}
"""Debian's, by what is needed of them."""


def find_coredns() -> Path | None:
    """What `make coredns` has built."""
    return next(iter(sorted(CACHE.glob("hansa/coredns/*/coredns"))), None)


@dataclass(frozen=True)
class Programs:
    kubectl: Path
    kube_proxy: Path
    coredns: Path


def find_programs() -> Programs | str:
    """What nodes of a lab run; or why they cannot, in words."""
    if reason := net.why_not():
        return reason
    missing = [package for program, package in PACKAGES.items() if which(program) is None]
    if missing:
        return f"nodes and pods need the packages {', '.join(missing)}"
    try:
        kubernetes = find_binaries()
        find_envoy()
    except ConfigError as error:
        return str(error)
    kube_proxy, coredns = kubernetes.path("kube-proxy"), find_coredns()
    if not kube_proxy.exists():
        return f"{kube_proxy} is not there: `make kube` builds it"
    if coredns is None:
        return "CoreDNS is not built: `make coredns`"
    return Programs(kubernetes.kubectl, kube_proxy, coredns)


async def ip(*arguments: str, lines: Sequence[str] = ()) -> None:
    """iproute2's `ip`, with these lines as its input. Raises RuntimeError."""
    await run("ip", *arguments, lines=lines)


async def run(*command: object, lines: Sequence[str] = ()) -> None:
    """One command to its end. Raises RuntimeError with what it says."""
    pipe = asyncio.subprocess.PIPE
    words = [str(word) for word in command]
    child = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe)
    _, said = await child.communicate("".join(f"{line}\n" for line in lines).encode())
    if child.returncode:
        raise RuntimeError(f"{' '.join(words)}: {said.decode().strip()}")
