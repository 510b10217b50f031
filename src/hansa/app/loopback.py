"""Addresses on loopback for the members of one federation: pods, gateways and name servers that can really be reached.

Each federation takes one block 127.B.0.0/16, and each member one range 127.B.N.0/24 of it: its gateway is .1, its name
server .53, its nodes' pods are in the last three quarters. Linux answers for all of 127.0.0.0/8; nothing of it needs a
privilege, and ports are the same everywhere.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from hansa.base.names import fnv1a32
from hansa.kube.errors import ConfigError

DNS_PORT = 5353
GATEWAY_PORT = 15443
FIRST_BLOCK, LAST_BLOCK = 16, 239
"""127.0.0.0 to 127.15.255.255 are left to others."""


@dataclass(frozen=True, slots=True)
class MemberAddresses:
    """Of the member at that place among its federation's."""

    block: int
    position: int

    @property
    def pods(self) -> str:
        return f"127.{self.block}.{self.position}.0/24"

    @property
    def gateway(self) -> str:
        return f"127.{self.block}.{self.position}.1"

    @property
    def dns(self) -> str:
        return f"127.{self.block}.{self.position}.53"

    @property
    def told(self) -> dict[str, str]:
        """What users need to know."""
        return {"dns": f"{self.dns}:{DNS_PORT}", "gateway": f"{self.gateway}:{GATEWAY_PORT}"}


def choose_block(seed: str) -> int:
    """A block that nobody uses now, for the same seed the same if it is free. Raises ConfigError."""
    count = LAST_BLOCK - FIRST_BLOCK + 1
    start = fnv1a32(seed)
    for number in range(count):
        block = FIRST_BLOCK + (start + number) % count
        if _is_free(block):
            return block
    raise ConfigError("no loopback addresses can be had: --services needs Linux, where all of 127.0.0.0/8 is local")


def _is_free(block: int) -> bool:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((MemberAddresses(block, 0).dns, DNS_PORT))
    except OSError:
        return False
    return True
