"""From a question to records: what the specification says about each kind of name."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dnslib import AAAA, CLASS, NS, QTYPE, RD, RR, SOA, SRV, TXT, A, DNSLabel

from hansa.service.dns.zone import (
    Apex,
    Host,
    Labels,
    NameServer,
    OfHost,
    OfPort,
    OfService,
    Port,
    SchemaVersion,
    Service,
    Zone,
)

SCHEMA_VERSION = "1.0.0"
TTL, VERSION_TTL, NEGATIVE_TTL = 5, 28800, 5
SUBSET = 100
"""Addresses of a headless service that one answer has at most."""
SUBSET_SECONDS = 5
"""How long a choice of them holds."""
SRV_SUBSET = 500
"""Pods that one answer names at most: more do not fit in a message."""
NAME_MAX = 253
"""Characters of a whole name."""

_ANY = b"\x07RFC8482\x00"
"""HINFO with the CPU "RFC8482" and no operating system."""


class Answer(NamedTuple):
    """`exists`: whether there is the name at all. `changes`: the records are a choice that holds for SUBSET_SECONDS."""

    exists: bool
    records: list[RR]
    additional: list[RR]
    changes: bool = False


def resolve(zone: Zone, name: Labels, asked: DNSLabel, qtype: int, moment: int) -> Answer:
    """The answer to a question of class IN.

    asked: `name` as it was asked, which the records of that name repeat.
    moment: Number of the present period of SUBSET_SECONDS; decides, with the service's name, on the choice of pods.
    """
    node = zone.find(name)
    if node is None:
        return Answer(False, [], [])
    if qtype == QTYPE.ANY:  # RFC 8482
        return Answer(True, [RR(asked, QTYPE.HINFO, CLASS.IN, TTL, RD(_ANY))], [])
    if isinstance(node, OfService):
        return _service(zone, node.service, asked, qtype, moment)
    if isinstance(node, OfPort):
        if qtype != QTYPE.SRV:
            return Answer(True, [], [])
        return _srv(zone, node.service, asked, (node.port, node.protocol), moment)
    found: Sequence[RD] = []
    ttl = TTL
    if isinstance(node, OfHost):
        found = _addresses(node.host.addresses, qtype)
    elif isinstance(node, SchemaVersion) and qtype == QTYPE.TXT:
        found, ttl = [TXT(SCHEMA_VERSION)], VERSION_TTL
    elif isinstance(node, Apex) and qtype == QTYPE.SOA:
        return Answer(True, [soa(zone, asked)], [])
    elif isinstance(node, Apex) and qtype == QTYPE.NS:
        found = [NS(label(zone, ("ns", "dns")))]
    elif isinstance(node, NameServer):
        found = _addresses(zone.servers, qtype)
    return Answer(True, [_record(asked, data, ttl) for data in found], [])


def soa(zone: Zone, owner: DNSLabel) -> RR:
    """How long what is not there may be remembered, and the zone's serial."""
    times = (zone.serial, 7200, 1800, 86400, NEGATIVE_TTL)
    return _record(owner, SOA(label(zone, ("ns", "dns")), label(zone, ("hostmaster",)), times), NEGATIVE_TTL)


def label(zone: Zone, name: Labels) -> DNSLabel:
    return DNSLabel([part.encode() for part in (*name, *zone.domain)])


def _service(zone: Zone, service: Service, asked: DNSLabel, qtype: int, moment: int) -> Answer:
    if qtype == QTYPE.SRV:
        return _srv(zone, service, asked, None, moment)
    if not service.headless:
        return Answer(True, [_record(asked, data, TTL) for data in _addresses(service.addresses, qtype)], [])
    hosts = _choice(zone, service, SUBSET, moment)
    addresses = dict.fromkeys(address for host in hosts for address in host.addresses)
    records = [_record(asked, data, TTL) for data in _addresses(addresses, qtype)]
    return Answer(True, records, [], changes=len(hosts) < len(service.hosts))


def _srv(zone: Zone, service: Service, asked: DNSLabel, wanted: tuple[str, str] | None, moment: int) -> Answer:
    """`wanted`: name and protocol of the port; None for all, named or not. Equal records of two ports are one.

    A pod whose name would be too long has none, and is found by the service's name only.
    """
    hosts = _choice(zone, service, SRV_SUBSET, moment)
    places: dict[tuple[Labels, int], tuple[str, ...]] = {}
    if service.headless:
        for host in hosts:
            if not _fits(zone, service.labels_of(host)):
                continue
            for number in _numbers(host.ports, wanted):
                places[service.labels_of(host), number] = host.addresses
    else:
        for number in _numbers(service.ports, wanted):
            places[service.labels, number] = service.addresses
    records = [_record(asked, SRV(0, 100, number, label(zone, target)), TTL) for target, number in places]
    glue = {target: addresses for (target, _), addresses in places.items()}
    additional = [
        _record(label(zone, target), data, TTL)
        for target, addresses in glue.items()
        for data in (*_addresses(addresses, QTYPE.A), *_addresses(addresses, QTYPE.AAAA))
    ]
    return Answer(True, records, additional, changes=len(hosts) < len(service.hosts))


def _fits(zone: Zone, name: Labels) -> bool:
    return len(".".join((*name, *zone.domain))) <= NAME_MAX


def _numbers(ports: Iterable[Port], wanted: tuple[str, str] | None) -> Iterator[int]:
    return (port.number for port in ports if wanted is None or (port.name, port.protocol) == wanted)


def _choice(zone: Zone, service: Service, most: int, moment: int) -> Sequence[Host]:
    """The nearest pods, by lot among those equally near. All servers of a cluster draw the same."""
    if len(service.hosts) <= most:
        return service.hosts
    lots = random.Random(f"{zone.cluster}/{service.namespace}/{service.name}/{moment}")
    return sorted(service.hosts, key=lambda host: (host.distance, lots.random()))[:most]


def _addresses(addresses: Iterable[str], qtype: int) -> list[RD]:
    if qtype == QTYPE.A:
        return [A(address) for address in addresses if ":" not in address]
    return [AAAA(address) for address in addresses if ":" in address] if qtype == QTYPE.AAAA else []


def _record(owner: DNSLabel, data: RD, ttl: int) -> RR:
    return RR(owner, QTYPE.reverse[type(data).__name__], CLASS.IN, ttl, data)
