"""Loopback addresses of one test: no other run on this machine, and no `hansa up`, takes them meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count

from hansa.app.loopback import DNS_PORT, MemberAddresses, choose_block


@dataclass(frozen=True)
class Loopback:
    """The range of a cluster follows from its name, one letter."""

    block: int

    def gateway(self, cluster: str) -> str:
        return MemberAddresses(self.block, ord(cluster)).gateway

    def pod(self, cluster: str) -> str:
        return f"127.{self.block}.{ord(cluster)}.2"


@contextmanager
def a_loopback() -> Generator[Loopback, None, None]:
    """Holds the socket by which others see that a block is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        yield Loopback(next(_taken_by(held)))


def _taken_by(held: socket.socket) -> Generator[int, None, None]:
    for number in count():
        block = choose_block(f"{os.getpid()}/{number}")
        with suppress(OSError):  # somebody else was faster
            held.bind((MemberAddresses(block, 0).dns, DNS_PORT))
            yield block
