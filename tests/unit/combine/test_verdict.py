"""Conditions of an import."""

from __future__ import annotations

import pytest

from hansa.api.routing import Mode
from hansa.combine.export import Offer, Port
from hansa.combine.slices import Reach
from hansa.combine.verdict import PARTIALLY_ROUTABLE, import_conditions

TCP_ONLY = (Port("web", 80),)
MIXED = (*TCP_ONLY, Port("dns", 53, protocol="UDP"), Port("sig", 38412, protocol="SCTP"))


@pytest.mark.parametrize(
    ("mode", "by_gateway", "ports", "headless", "told"),
    [
        ("proxy", True, MIXED, False, True),
        ("proxy", False, MIXED, False, True),
        ("hybrid", True, MIXED, False, True),
        ("hybrid", False, MIXED, False, True),  # local pods are enough now, and may not be later
        ("direct", True, MIXED, False, True),  # some clusters are on another network
        ("direct", False, MIXED, False, False),
        ("proxy", True, TCP_ONLY, False, False),
        ("proxy", True, MIXED, True, False),
    ],
)
def test_ports_that_gateways_do_not_carry_are_named(
    mode: Mode, by_gateway: bool, ports: tuple[Port, ...], headless: bool, told: bool
) -> None:
    offer = Offer(ports=ports, type="Headless" if headless else "ClusterSetIP")
    way = Reach(mode, by_gateway, (), {"b": frozenset({"http"})}, ())
    conditions = import_conditions(offer, way, {}, has_address=True, obstacle=None, generation=1)
    found = [condition.message for condition in conditions if condition.type == PARTIALLY_ROUTABLE]
    assert len(found) == told
    assert all("dns 53/UDP" in message and "sig 38412/SCTP" in message and "80" not in message for message in found)
