"""What one gateway has to do: whom it lets in to which pods, and where it sends what its own cluster asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from hansa.api.meta import Key
from hansa.api.routing import Backend, Peer, Peers, Route, RoutePort, server_name
from hansa.base.names import dns1123_label

LOWEST_LISTEN = 1024
"""Below it ports need privileges that a gateway does not have."""

LAST_PORT = 65535
HIGHEST_WEIGHT = 1_000_000
"""Envoy adds the weights of a tier up in 32 bits."""
MOST_TIERS = 128
"""Envoy's limit of priorities."""


class Address(NamedTuple):
    """An IP address and a TCP port."""

    host: str
    port: int


Pods = Mapping[tuple[Key, str], Sequence[Address]]
"""Ready pods of this cluster by Service and port name, each once, in order."""
Gateways = Mapping[str, Sequence[Address]]
"""Addresses of the gateways of other clusters, by cluster."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A port of a service of this cluster, for other clusters.

    consumers: Clusters whose gateways may come in; never empty.
    restricted: Whether these are fewer than all members.
    withheld: None of its pods answers the gateway, whatever its cluster says of them: it is not offered meanwhile.
    """

    name: str
    server_name: str
    consumers: tuple[str, ...]
    restricted: bool
    pods: tuple[Address, ...]
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Locality:
    """Endpoints in one cluster. `cluster` is empty for the gateway's own one, whose pods are reached without TLS."""

    cluster: str
    region: str
    priority: int
    weight: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Outbound:
    """A port of an imported service, for this cluster's own pods, taken at `listen`."""

    name: str
    listen: int
    server_name: str
    localities: tuple[Locality, ...]
    min_healthy_percent: int
    sticky: bool

    @property
    def priorities(self) -> int:
        return 1 + max((locality.priority for locality in self.localities), default=-1)


@dataclass(frozen=True, slots=True)
class Site:
    """`members`: the other clusters of the federation. `faults`: what could not be served, and why."""

    cluster: str
    members: tuple[str, ...]
    inbounds: tuple[Inbound, ...] = ()
    outbounds: tuple[Outbound, ...] = ()
    faults: tuple[str, ...] = ()

    def withholding(self, silent: frozenset[str]) -> Site:
        """The same, with exactly these inbounds (by name) withheld."""
        return replace(self, inbounds=tuple(replace(one, withheld=one.name in silent) for one in self.inbounds))


def fault_of(route: Route) -> str:
    """Why a gateway cannot go by a route; empty when it can. For one name that is none Envoy would refuse a whole
    listener, and with it everybody's services."""
    labels = [port.label for port in route.ports if port.protocol == "TCP"]
    for label in labels:
        if dns1123_label(label):
            return f"ports: {label!r} is no name of a port"
    if len(set(labels)) != len(labels):
        return "ports: a name is there twice"
    if any(not 0 <= port.listen <= LAST_PORT for port in route.ports):
        return f"ports: listen must be from 0 to {LAST_PORT}"
    if not 1 <= route.min_healthy_percent <= 100:
        return "min_healthy_percent must be from 1 to 100"
    backends = _backends(route)
    if any(not 0 <= backend.weight <= HIGHEST_WEIGHT for backend in backends):
        return f"backends: weight must be from 0 to {HIGHEST_WEIGHT}"
    if len({backend.tier for backend in backends}) > MOST_TIERS:
        return f"backends: more than {MOST_TIERS} tiers"
    if len({backend.cluster for backend in backends}) != len(backends):
        return "backends: a cluster is there twice"
    return ""


def site_of(
    peers: Peers,
    routes: Mapping[Key, Route],
    exported: frozenset[Key],
    pods: Pods,
    gateways: Gateways,
    *,
    inbound_port: int,
) -> Site:
    """`exported`: Services that this cluster offers.

    A port without ready pods is not offered at all: the handshake of other gateways then fails, and they go elsewhere
    without having to be told.
    """
    members = tuple(sorted(peer.cluster for peer in peers.peers if peer.cluster != peers.cluster))
    known = {peer.cluster: peer for peer in peers.peers}
    inbounds: list[Inbound] = []
    outbounds: list[Outbound] = []
    faults: list[str] = []
    taken = {inbound_port: "other gateways"}
    for key, route in sorted(routes.items()):
        for port in route.ports:
            if port.protocol != "TCP":
                continue
            if key in exported:
                inbounds += _inbound(key, port, route, members, pods)
            if not port.listen:
                continue
            name = _name(key, port)
            if port.listen < LOWEST_LISTEN or port.listen in taken:
                user = taken.get(port.listen, "the system")
                faults.append(f"{name}: port {port.listen} of the gateway is taken by {user}")
                continue
            taken[port.listen] = name
            outbounds.append(_outbound(key, port, route, known, pods, gateways))
    return Site(peers.cluster, members, tuple(inbounds), tuple(outbounds), tuple(faults))


def _inbound(key: Key, port: RoutePort, route: Route, members: tuple[str, ...], pods: Pods) -> list[Inbound]:
    """None where the port is another cluster's alone, nobody may come, or no pod is ready."""
    allowed = members if route.consumers is None else tuple(name for name in members if name in route.consumers)
    ready = tuple(pods.get((key, port.name), ()))
    if route.own is None or port.label not in route.own.ports or not allowed or not ready:
        return []
    restricted = route.consumers is not None
    return [Inbound(_name(key, port), server_name(port.label, key.name, key.namespace), allowed, restricted, ready)]


def _outbound(
    key: Key, port: RoutePort, route: Route, known: Mapping[str, Peer], pods: Pods, gateways: Gateways
) -> Outbound:
    serving = [backend for backend in _backends(route) if port.label in backend.ports]
    tiers = sorted({backend.tier for backend in serving})
    localities: list[Locality] = []
    for backend in serving:
        own = backend is route.own
        peer = known.get(backend.cluster)
        addresses = tuple(pods.get((key, port.name), ()) if own else gateways.get(backend.cluster, ()))
        # weight 0 is a cluster that drains; who is no peer is no member any more
        if backend.weight <= 0 or not (own or peer):
            addresses = ()
        # tiers keep their rank while nobody is ready in one of them, so that endpoints of others do not move
        region = peer.region if peer is not None and not own else ""
        cluster = "" if own else backend.cluster
        localities.append(Locality(cluster, region, tiers.index(backend.tier), max(backend.weight, 1), addresses))
    return Outbound(
        _name(key, port),
        port.listen,
        server_name(port.label, key.name, key.namespace),
        tuple(sorted(localities, key=lambda one: (one.priority, one.cluster))),
        route.min_healthy_percent,
        route.session_affinity_seconds > 0,
    )


def _backends(route: Route) -> list[Backend]:
    return [*([route.own] if route.own is not None else ()), *route.backends]


def _name(key: Key, port: RoutePort) -> str:
    return f"{key.namespace}/{key.name}/{port.label}"
