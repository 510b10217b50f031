"""From ServiceImports and EndpointSlices to services of the zone."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.mcs import ServiceImport, ServicePort
from hansa.api.routing import Peers
from hansa.service.dns.zone import Host, Port, Service

OWN_CLUSTER, OWN_REGION, ELSEWHERE = 0, 1, 2

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class _Conditions(msgspec.Struct, frozen=True):
    ready: bool | None = None


class _Endpoint(msgspec.Struct, frozen=True):
    addresses: list[str]
    conditions: _Conditions = _Conditions()
    hostname: str | None = None


class _Port(msgspec.Struct, frozen=True):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class _Slice(msgspec.Struct, frozen=True, rename="camel"):
    address_type: str
    endpoints: list[_Endpoint] | None = None
    ports: list[_Port] | None = None


@dataclass(frozen=True, slots=True)
class Distances:
    """How far other clusters are from the one that asks, as far as the hub has told."""

    cluster: str = ""
    region: str = ""
    regions: tuple[tuple[str, str], ...] = ()
    """Cluster and region of the others."""

    @classmethod
    def of(cls, peers: Peers) -> Distances:
        return cls(peers.cluster, peers.region, tuple((peer.cluster, peer.region) for peer in peers.peers))

    def to(self, cluster: str) -> int:
        if cluster == self.cluster:
            return OWN_CLUSTER
        if self.region and (cluster, self.region) in self.regions:
            return OWN_REGION
        return ELSEWHERE


def service_of(imported: Item, slices: Iterable[Item], distances: Distances) -> Service:
    """The import with, where it is headless, the ready endpoints of its slices.

    Raises msgspec.ValidationError for an import that cannot be read. A slice that cannot be read adds nothing: it came
    from another cluster, and must not take the others' endpoints away.
    """
    found = imported.as_(ServiceImport).spec
    namespace, name = imported.key
    if found.type == "Headless":
        return Service(namespace, name, headless=True, hosts=_hosts(slices, distances))
    return Service(
        namespace,
        name,
        headless=False,
        addresses=tuple(filter(None, map(_address, found.ips or ()))),
        ports=tuple(_import_port(port) for port in found.ports),
    )


def _import_port(port: ServicePort) -> Port:
    return Port(port.name.lower(), (port.protocol or "TCP").lower(), port.port)


def _hosts(slices: Iterable[Item], distances: Distances) -> tuple[Host, ...]:
    """One for each name and cluster: a pod with two families is in two slices."""
    merged: dict[tuple[str, str], tuple[dict[str, None], dict[Port, None]]] = {}
    for item in slices:
        cluster = item.labels.get(names.SOURCE_CLUSTER_LABEL, "")
        for name, addresses, ports in _endpoints(item) if _LABEL.fullmatch(cluster) else ():
            to_addresses, to_ports = merged.setdefault((cluster, name), ({}, {}))
            to_addresses.update(dict.fromkeys(addresses))
            to_ports.update(dict.fromkeys(ports))
    return tuple(
        Host(name, cluster, tuple(addresses), tuple(ports), distances.to(cluster))
        for (cluster, name), (addresses, ports) in sorted(merged.items())
    )


def _endpoints(item: Item) -> Iterator[tuple[str, list[str], list[Port]]]:
    """Name, addresses and ports of each ready endpoint."""
    try:
        found = item.as_(_Slice)
    except msgspec.ValidationError:
        return
    ports = [
        Port((port.name or "").lower(), (port.protocol or "TCP").lower(), port.port)
        for port in found.ports or ()
        if port.port
    ]
    for endpoint in found.endpoints or ():
        addresses = list(filter(None, map(_address, endpoint.addresses)))
        if endpoint.conditions.ready is False or not addresses:
            continue
        name = (endpoint.hostname or _dashed(addresses[0])).lower()
        if _LABEL.fullmatch(name) or not endpoint.hostname:
            yield name, addresses, ports


def _address(text: str) -> str | None:
    """In its shortest form; None for what is no address, such as the names in slices of type FQDN."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _dashed(address: str) -> str:
    """The name of an endpoint without hostname, as CoreDNS makes it."""
    return address.replace(".", "-").replace(":", "-")
