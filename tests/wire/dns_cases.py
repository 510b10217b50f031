"""Questions about imported services and their answers: one table, asked of our name server and of CoreDNS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hansa.api import names
from hansa.api.meta import Json

NAMESPACE = "shop"
ZONE = "clusterset.local"


# -- what is imported --------------------------------------------------------------------------------------------------


def imported(name: str, ports: Iterable[tuple[str, str, int]] = (), ips: Iterable[str] = ()) -> Json:
    """Headless without `ports`."""
    listed = [{"name": port, "protocol": protocol, "port": number} for port, protocol, number in ports]
    spec: Json = {"type": "ClusterSetIP" if listed else "Headless", "ports": listed}
    if ips:
        spec["ips"] = list(ips)
    return {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceImport",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def endpoint(address: str, hostname: str = "", *, ready: bool = True) -> Json:
    named = {"hostname": hostname} if hostname else {}
    return {"addresses": [address], "conditions": {"ready": ready}, **named}


def slice_of(
    service: str, cluster: str, endpoints: list[Json], ports: Iterable[tuple[str, str, int]], family: str = "IPv4"
) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"imported-{service}-{cluster}-{family.lower()}",
            "namespace": NAMESPACE,
            "labels": {
                names.IMPORT_NAME_LABEL: service,
                names.SOURCE_CLUSTER_LABEL: cluster,
                names.MANAGED_BY_LABEL: names.SLICE_MANAGER,
            },
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": [{"name": port, "protocol": protocol, "port": number} for port, protocol, number in ports],
    }


PG = (("pg", "TCP", 5432),)
IMPORTS = (
    imported("web", (("http", "TCP", 80), ("metrics", "TCP", 9090)), ("10.96.0.10", "fd00::10")),
    imported("echo", (("tcp", "TCP", 42), ("udp", "UDP", 42)), ("10.96.0.11",)),
    imported("plain", (("", "TCP", 5432),), ("10.96.0.12",)),
    imported("pending", (("http", "TCP", 80),)),
    imported("db"),
    imported("cold"),
    imported("portless"),
    imported("crowd"),
)
CROWD = 60
"""Pods of `crowd`: more than one small message holds."""
SLICES = (
    slice_of("db", "east", [endpoint("10.1.0.1", "db-0"), endpoint("10.1.0.2", "db-1")], PG),
    slice_of("db", "east", [endpoint("fd01::1", "db-0")], PG, "IPv6"),
    slice_of("db", "west", [endpoint("10.2.0.5"), endpoint("10.2.0.6", "db-9", ready=False)], PG),
    slice_of("cold", "east", [endpoint("10.1.0.9", "cold-0", ready=False)], PG),
    slice_of("portless", "east", [endpoint("10.1.0.10", "p-0")], ()),
    slice_of("crowd", "east", [endpoint(f"10.3.0.{n}") for n in range(1, CROWD + 1)], PG),
)


# -- what is asked -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """`records`: type and data, in any order. A negative answer has the zone's SOA beside it."""

    status: str
    records: frozenset[str] = frozenset()
    negative: bool = False
    truncated: bool = False


@dataclass(frozen=True)
class Case:
    """`coredns`: what CoreDNS answers instead, and `why`. `flags` are dig's."""

    name: str
    qtype: str
    answer: Answer
    flags: tuple[str, ...] = ()
    coredns: Answer | None = None
    why: str = ""

    @property
    def title(self) -> str:
        return " ".join((self.name, self.qtype, *self.flags))


NXDOMAIN = Answer("NXDOMAIN", negative=True)
NODATA = Answer("NOERROR", negative=True)
REFUSED = Answer("REFUSED")


def found(*records: str) -> Answer:
    return Answer("NOERROR", frozenset(records))


def truncated() -> Answer:
    return Answer("NOERROR", truncated=True)


def service(name: str) -> str:
    return f"{name}.{NAMESPACE}.svc.{ZONE}."


_CROWD = found(*(f"A 10.3.0.{n}" for n in range(1, CROWD + 1)))
_DB_SRV = found(
    f"SRV 5432 db-0.east.{service('db')}",
    f"SRV 5432 db-1.east.{service('db')}",
    f"SRV 5432 10-2-0-5.west.{service('db')}",
)
_MATCHES = "CoreDNS finds the service by the port and answers its addresses; the name has SRV records only"
_HOSTS = "CoreDNS knows no names between those that hold records"

CASES = (
    # the zone
    Case(f"dns-version.{ZONE}.", "TXT", found('TXT "1.0.0"'), coredns=found('TXT "1.1.0"'), why="CoreDNS's own schema"),
    Case(f"dns-version.{ZONE}.", "A", NODATA, coredns=NXDOMAIN, why="CoreDNS knows the name for TXT queries only"),
    Case(f"{ZONE}.", "A", NODATA),
    Case(f"svc.{ZONE}.", "A", NODATA),
    Case(f"{NAMESPACE}.svc.{ZONE}.", "A", NODATA),
    Case(f"nowhere.svc.{ZONE}.", "A", NXDOMAIN),
    Case(f"elsewhere.{ZONE}.", "A", NXDOMAIN),
    Case("web.shop.svc.cluster.local.", "A", REFUSED),
    Case("example.com.", "A", REFUSED),
    # services with an address
    Case(service("web"), "A", found("A 10.96.0.10")),
    Case(service("web"), "A", found("A 10.96.0.10"), ("+tcp",)),
    Case(service("web"), "A", found("A 10.96.0.10"), ("+noedns",)),
    Case(service("web"), "AAAA", found("AAAA fd00::10")),
    Case(service("WeB").upper(), "A", found("A 10.96.0.10")),
    Case(service("web"), "TXT", NODATA),
    Case(service("echo"), "AAAA", NODATA),
    Case(service("plain"), "A", found("A 10.96.0.12")),
    Case(service("pending"), "A", NODATA),
    Case(service("missing"), "A", NXDOMAIN),
    Case(service("web"), "SRV", found(f"SRV 80 {service('web')}", f"SRV 9090 {service('web')}")),
    Case(service("echo"), "SRV", found(f"SRV 42 {service('echo')}")),
    Case(service("plain"), "SRV", found(f"SRV 5432 {service('plain')}")),
    Case(f"_http._tcp.{service('web')}", "SRV", found(f"SRV 80 {service('web')}")),
    Case(f"_udp._udp.{service('echo')}", "SRV", found(f"SRV 42 {service('echo')}")),
    Case(f"_http._udp.{service('web')}", "SRV", NXDOMAIN),
    Case(f"_other._tcp.{service('web')}", "SRV", NXDOMAIN),
    Case(f"_http._tcp.{service('web')}", "A", NODATA, coredns=found("A 10.96.0.10"), why=_MATCHES),
    Case(f"_tcp.{service('web')}", "A", NODATA, coredns=NXDOMAIN, why=_HOSTS),
    Case(f"east.{service('web')}", "A", NXDOMAIN),
    Case(f"web-0.east.{service('web')}", "A", NXDOMAIN),
    # headless services
    Case(service("db"), "A", found("A 10.1.0.1", "A 10.1.0.2", "A 10.2.0.5")),
    Case(service("db"), "AAAA", found("AAAA fd01::1")),
    Case(service("db"), "SRV", _DB_SRV),
    Case(f"_pg._tcp.{service('db')}", "SRV", _DB_SRV),
    Case(f"_pg._udp.{service('db')}", "SRV", NXDOMAIN),
    Case(f"db-0.east.{service('db')}", "A", found("A 10.1.0.1")),
    Case(f"db-0.east.{service('db')}", "AAAA", found("AAAA fd01::1")),
    Case(f"db-1.east.{service('db')}", "AAAA", NODATA),
    Case(f"10-2-0-5.west.{service('db')}", "A", found("A 10.2.0.5")),
    Case(f"db-9.west.{service('db')}", "A", NXDOMAIN),
    Case(f"db-0.west.{service('db')}", "A", NXDOMAIN),
    Case(f"db-0.{service('db')}", "A", NXDOMAIN),
    Case(f"east.{service('db')}", "A", NXDOMAIN),
    Case(service("cold"), "A", NXDOMAIN),
    Case(service("portless"), "A", found("A 10.1.0.10")),
    Case(service("portless"), "SRV", NODATA),
    # sizes
    Case(service("crowd"), "A", _CROWD),
    Case(service("crowd"), "A", truncated(), ("+noedns", "+ignore")),
    Case(service("crowd"), "A", truncated(), ("+bufsize=512", "+ignore")),
    Case(service("crowd"), "A", _CROWD, ("+noedns",)),
    Case(service("crowd"), "A", _CROWD, ("+tcp",)),
    Case(service("crowd"), "SRV", truncated(), ("+bufsize=4096", "+ignore")),
    # what is not done
    Case(service("web"), "ANY", found('HINFO "RFC8482" ""'), coredns=NODATA, why="the plugin `any` is not in use"),
    Case(service("missing"), "ANY", NXDOMAIN),
    Case(service("web"), "A", REFUSED, ("-c", "CH")),
    Case(f"{ZONE}.", "AXFR", REFUSED),
)
