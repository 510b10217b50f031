"""Where the gateways of other clusters are: addresses, and names whose addresses may change."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from hansa.api.routing import Peers
from hansa.runtime.private_file import replace
from hansa.service.gateway.site import Address

log = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0

Lookup = Callable[[str], Awaitable[list[str]]]


class Hosts:
    """Remembers the last addresses of every name: a resolver that does not answer takes no gateway away."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        self._lookup = lookup or look_up
        self._known: dict[str, list[str]] = {}

    def gateways(self, peers: Peers) -> dict[str, list[Address]]:
        """By cluster, as far as they are known."""
        found: dict[str, list[Address]] = {}
        for peer in peers.peers:
            places = {
                Address(address, port)
                for host, port in filter(None, map(split, peer.gateways))
                for address in ([host] if _is_address(host) else self._known.get(host, ()))
            }
            found[peer.cluster] = sorted(places)
        return found

    def remember(self, path: Path) -> None:
        """Raises OSError."""
        replace(path, msgspec.json.encode(self._known))

    def recall(self, path: Path) -> None:
        """What was remembered; nothing when there is nothing, or it cannot be read."""
        with suppress(FileNotFoundError, msgspec.MsgspecError):
            self._known = msgspec.json.decode(path.read_bytes(), type=dict[str, list[str]])

    async def refresh(self, peers: Peers) -> bool:
        """Look all names up; whether an answer differs from the one before."""
        hosts = {place[0] for peer in peers.peers for place in map(split, peer.gateways) if place is not None}
        names = sorted(host for host in hosts if not _is_address(host))
        return any(await asyncio.gather(*map(self._ask, names)))

    async def _ask(self, host: str) -> bool:
        try:
            found = sorted(await self._lookup(host))
        except OSError as error:
            log.warning("gateway %s cannot be looked up, its last addresses stay: %s", host, error)
            return False
        before, self._known[host] = self._known.get(host), found or self._known.get(host, [])
        return self._known[host] != before


def split(place: str) -> tuple[str, int] | None:
    """`host:port` or `[address]:port`; None for anything else."""
    host, _, port = place.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    return (host, int(port)) if host and port.isdecimal() and 0 < int(port) < 65536 else None


async def look_up(host: str) -> list[str]:
    """Addresses of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({str(address[4][0]) for address in found})


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
