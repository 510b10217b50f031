"""What an administrator may set of a gateway."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Addresses are IP addresses of this machine.

    address: Where pods of its own cluster reach it.
    inbound_address: Where other gateways reach it; empty: at `address`.
    port: Where other gateways reach it.
    advertised: Told to the member as its gateway's addresses; None: `address`; empty: an administrator tells it.
    max_connections: More are refused.
    workers: Envoy's threads.
    """

    address: str
    inbound_address: str = ""
    port: int = 15443
    advertised: tuple[str, ...] | None = None
    max_connections: int = 50_000
    workers: int = 1

    @property
    def inbound(self) -> str:
        return self.inbound_address or self.address
