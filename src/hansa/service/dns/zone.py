"""The names of imported services, as one member knows them. Immutable: a change makes another zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from hansa.api.meta import Key

Labels = tuple[str, ...]
"""A name within the zone, in lower case, without the zone's own labels."""


class Port(msgspec.Struct, frozen=True):
    """`name` may be empty; `protocol` is in lower case, as in names."""

    name: str
    protocol: str
    number: int


class Host(msgspec.Struct, frozen=True):
    """A ready endpoint of a headless service. `distance`: 0 own cluster, 1 own region, 2 elsewhere."""

    name: str
    cluster: str
    addresses: tuple[str, ...]
    ports: tuple[Port, ...]
    distance: int


class Service(msgspec.Struct, frozen=True):
    """An import: headless with `hosts`, or with clusterset `addresses` and `ports`."""

    namespace: str
    name: str
    headless: bool
    addresses: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    hosts: tuple[Host, ...] = ()

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    @property
    def labels(self) -> Labels:
        return (self.name, self.namespace, "svc")

    def labels_of(self, host: Host) -> Labels:
        return (host.name, host.cluster, *self.labels)


# -- what a name may be ------------------------------------------------------------------------------------------------


class Apex(NamedTuple):
    """The zone itself."""


class SchemaVersion(NamedTuple):
    """`dns-version`."""


class NameServer(NamedTuple):
    """`ns.dns`."""


class Between(NamedTuple):
    """A name that holds nothing but has names below it."""


class OfService(NamedTuple):
    service: Service


class OfPort(NamedTuple):
    """`_port._protocol.service.namespace.svc`."""

    service: Service
    port: str
    protocol: str


class OfHost(NamedTuple):
    """`host.cluster.service.namespace.svc`."""

    host: Host


Node = Apex | SchemaVersion | NameServer | Between | OfService | OfPort | OfHost


@dataclass(frozen=True, slots=True)
class Zone:
    """`cluster` is whose view it is, "" when nobody has said. `servers`: the addresses at which it is served."""

    domain: Labels
    serial: int
    services: Mapping[Key, Service]
    namespaces: frozenset[str]
    cluster: str = ""
    servers: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        domain: Labels,
        serial: int,
        services: Iterable[Service],
        *,
        cluster: str = "",
        servers: tuple[str, ...] = (),
    ) -> Zone:
        found = {service.key: service for service in services}
        return cls(domain, serial, found, frozenset(key.namespace for key in found), cluster, servers)

    def find(self, name: Labels) -> Node | None:
        """What `name` is; None when there is no such name.

        `cluster.service.namespace.svc` is reserved by the specification, and not there although names are below it.
        """
        match name[::-1]:
            case ():
                return Apex()
            case ("dns-version",):
                return SchemaVersion()
            case ("dns", "ns"):
                return NameServer()
            case ("dns",) | ("svc",):
                return Between()
            case ("svc", namespace):
                return Between() if namespace in self.namespaces else None
            case ("svc", namespace, service, *below):
                found = self.services.get(Key(namespace, service))
                return None if found is None else _within(found, tuple(below))
            case _:
                return None


def _within(service: Service, below: Labels) -> Node | None:
    """`below` is what stands before the service's name, read from there to the left."""
    match below:
        case ():
            return OfService(service) if service.hosts or not service.headless else None
        case (protocol,) if protocol.startswith("_"):
            named = any(port.name and f"_{port.protocol}" == protocol for port in _ports(service))
            return Between() if named else None
        case (protocol, port) if protocol.startswith("_") and port.startswith("_") and len(port) > 1:
            wanted = (port[1:], protocol[1:])
            named = any((port.name, port.protocol) == wanted for port in _ports(service))
            return OfPort(service, *wanted) if named else None
        case (cluster, name):
            host = next((host for host in service.hosts if host.name == name and host.cluster == cluster), None)
            return None if host is None else OfHost(host)
        case _:
            return None


def _ports(service: Service) -> Iterable[Port]:
    yield from service.ports
    for host in service.hosts:
        yield from host.ports
