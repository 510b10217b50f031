"""Loopback ports, chosen once and kept in a file, so that a rig comes back where clients expect it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from hansa.kube.errors import ConfigError

HOST = "127.0.0.1"


def reserve(file: Path, names: Sequence[str]) -> dict[str, int]:
    """One port for each name: those in `file`, and free ones for the rest, which are then added to it.

    Nothing is held: between choosing a port and using it another program might take it.
    """
    ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in names if name not in ports]
    if missing:
        ports.update(zip(missing, free_ports(len(missing), set(ports.values())), strict=True))
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(ports, indent=1, sort_keys=True) + "\n")
        temporary.replace(file)
    return {name: ports[name] for name in names}


async def wait_free(ports: Iterable[int], *, seconds: float = 15.0) -> None:
    """Wait until nobody listens on the ports: processes of an earlier run may still be ending.

    Raises ConfigError with the ports that stay taken.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    wanted = list(ports)
    while taken := [port for port in wanted if _taken(port)]:
        if loop.time() > deadline:
            raise ConfigError(f"ports {', '.join(map(str, taken))} are in use: is an earlier run still alive?")
        await asyncio.sleep(0.1)


def free_ports(count: int, taken: Collection[int] = ()) -> list[int]:
    """Ports that nobody listens on now, none of `taken`."""
    held: list[socket.socket] = []
    found: list[int] = []
    try:
        while len(found) < count:
            candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.append(candidate)  # held open until all are found, so that none comes twice
            candidate.bind((HOST, 0))
            port = int(candidate.getsockname()[1])
            if port not in taken:
                found.append(port)
    finally:
        for candidate in held:
            candidate.close()
    return found


def _taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
