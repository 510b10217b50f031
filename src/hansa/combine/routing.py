"""The ways from one importing cluster to a service: which clusters, in which order, through which gateway port."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hansa.api.routing import Backend, Mode, Route, RoutePort, ServiceRoutingPolicySpec
from hansa.base.names import fnv1a32
from hansa.combine.export import TCP, Offer, Port

LISTEN_FIRST = 20000
LISTEN_LAST = 29999
AFFINITY_SECONDS = 10800
"""Of ClientIP affinity, when the Service does not say (core/v1)."""
LAST = 3
"""Tier of clusters that are for failover only, before tiers are made to follow each other."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster is. `gateways`: addresses of its own gateway; only asked of the cluster that imports."""

    cluster: str
    region: str = ""
    network: str = ""
    gateways: tuple[str, ...] = ()

    def shares_network(self, other: Place) -> bool:
        """Whether pods of both reach each other; a cluster without a network's name has one of its own."""
        return self.cluster == other.cluster or (self.network != "" and self.network == other.network)


@dataclass(frozen=True, slots=True)
class Exporter:
    """A cluster that serves `ports` of the merged service, by `ready` endpoints. `draining`: it no longer does."""

    place: Place
    ports: tuple[Port, ...]
    ready: int
    draining: bool = False

    @property
    def cluster(self) -> str:
        return self.place.cluster


def ports_served(offered: Iterable[Port], merged: Sequence[Port]) -> tuple[Port, ...]:
    """Ports of the merged service that a cluster really exposes: what lost the merge is not reached by it."""
    own = {port.identity for port in offered}
    return tuple(port for port in merged if port.identity in own)


def as_it_was(place: Place, before: Route | None, offer: Offer, *, draining: bool) -> Exporter:
    """A cluster that cannot be asked, or that no longer exports: what the route said of it so far."""
    backends = (*before.backends, before.own) if before is not None else ()
    backend = next((each for each in backends if each is not None and each.cluster == place.cluster), None)
    labels = backend.ports if backend is not None else ()
    ports = tuple(port for port in offer.ports if port.label in labels)
    return Exporter(place, ports, backend.weight if backend is not None else 0, draining)


def may_import(cluster: str, exporters: Collection[str], policy: ServiceRoutingPolicySpec) -> bool:
    """Exporters always do, for what they serve themselves."""
    consumers = policy.consumer_clusters
    return consumers is None or cluster in consumers or cluster in exporters


def mode_of(importer: Place, exporters: Iterable[Exporter], policy: ServiceRoutingPolicySpec) -> Mode:
    """Without a gateway there is one way only; between clusters of one network it is the shortest."""
    if not importer.gateways:
        return "direct"
    if policy.mode is not None:
        return policy.mode
    return "direct" if all(importer.shares_network(each.place) for each in exporters) else "hybrid"


def routable(importer: Place, exporters: Iterable[Exporter], policy: ServiceRoutingPolicySpec) -> list[Exporter]:
    """Who may get requests from there: the cluster itself, and others unless policy says no."""
    excluded = set(policy.exclude or ())
    consumers = policy.consumer_clusters
    outward = consumers is None or importer.cluster in consumers
    return [
        each for each in exporters if each.cluster == importer.cluster or (outward and each.cluster not in excluded)
    ]


def local_suffices(importer: Place, exporters: Iterable[Exporter], policy: ServiceRoutingPolicySpec) -> bool:
    own = next((each for each in exporters if each.cluster == importer.cluster and not each.draining), None)
    return own is not None and own.ready >= (policy.min_local or 1)


def route(
    importer: Place,
    offer: Offer,
    exporters: Sequence[Exporter],
    policy: ServiceRoutingPolicySpec,
    listen: Mapping[str, int],
) -> Route:
    """`listen` by port label."""
    weights = {entry.cluster: entry.weight for entry in policy.weights or ()}
    found: list[tuple[int, Backend]] = []
    for each in routable(importer, exporters, policy):
        weight = 0 if each.draining or not each.ready else weights.get(each.cluster, each.ready)
        ports = tuple(port.label for port in each.ports)
        backend = Backend(cluster=each.cluster, tier=0, weight=weight, ports=ports)
        found.append((_tier(importer, each.place, policy), backend))
    tiers = {tier: number for number, tier in enumerate(sorted({tier for tier, _ in found}))}
    backends = [
        Backend(cluster=backend.cluster, tier=tiers[tier], weight=backend.weight, ports=backend.ports)
        for tier, backend in sorted(found, key=lambda entry: (entry[0], entry[1].cluster))
    ]
    consumers = policy.consumer_clusters
    return Route(
        mode=mode_of(importer, exporters, policy),
        ports=tuple(
            RoutePort(name=port.name, port=port.number, protocol=port.protocol, listen=listen.get(port.label, 0))
            for port in offer.ports
        ),
        backends=tuple(backend for backend in backends if backend.cluster != importer.cluster),
        own=next((backend for backend in backends if backend.cluster == importer.cluster), None),
        consumers=tuple(sorted(consumers)) if consumers is not None else None,
        min_healthy_percent=policy.min_healthy_percent or Route(mode="direct").min_healthy_percent,
        session_affinity_seconds=_affinity_seconds(offer),
    )


def _tier(importer: Place, other: Place, policy: ServiceRoutingPolicySpec) -> int:
    own = other.cluster == importer.cluster
    if not own and other.cluster in (policy.failover_only or ()):
        return LAST
    prefer = policy.prefer or "local"
    if prefer == "none" or (own and prefer == "local"):
        return 0
    near = own or (other.region != "" and other.region == importer.region)
    return 1 if near else 2


def _affinity_seconds(offer: Offer) -> int:
    if offer.session_affinity != "ClientIP" or offer.headless:
        return 0
    client = (offer.session_affinity_config or {}).get("clientIP") or {}
    return client.get("timeoutSeconds") or AFFINITY_SECONDS


def listen_ports(
    namespace: str, name: str, ports: Iterable[Port], before: Mapping[str, int], taken: Collection[int]
) -> dict[str, int]:
    """A port of the gateway for each TCP port, by its label: what it had, else a free one. Those left over get none.

    taken: Ports of the cluster's other imports.
    """
    found = {port.label: before[port.label] for port in ports if before.get(port.label) and port.protocol == TCP}
    busy = {*taken, *found.values()}
    size = LISTEN_LAST - LISTEN_FIRST + 1
    for port in ports:
        if port.label in found or port.protocol != TCP:
            continue
        start = fnv1a32(f"{namespace}/{name}:{port.label}")
        free = next(
            (LISTEN_FIRST + (start + n) % size for n in range(size) if LISTEN_FIRST + (start + n) % size not in busy), 0
        )
        if free:
            found[port.label] = free
            busy.add(free)
    return found
