"""What the name server tells Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from hansa.service.dns.zone import Service

QUERIES = Counter("hansa_dns_queries_total", "Queries answered.", ["type", "rcode"])
REPLY_SECONDS = Histogram(
    "hansa_dns_reply_seconds",
    "Time from a query's bytes to its reply's.",
    ["transport"],
    buckets=(0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.05),
)
ZONE_SERIAL = Gauge("hansa_dns_zone_serial", "Serial of the zone that is served; 0: none yet.")
ZONE_AGE_SECONDS = Gauge("hansa_dns_zone_age_seconds", "How long ago the zone was last known to be true.")
SERVICES = Gauge("hansa_dns_services", "Services in the zone.", ["type"])
HOSTS = Gauge("hansa_dns_hosts", "Pods that have names in the zone.", ["cluster"])
_SHOWN_TYPES = frozenset({"A", "AAAA", "SRV", "TXT", "SOA", "NS", "ANY", "PTR"})


@cache
def _child(type_: str, rcode: str) -> Counter:
    return QUERIES.labels(type_, rcode)


def query_counter(type_: str, rcode: str) -> Counter:
    """The bound child. Types that somebody makes up are one, or he could fill our memory."""
    return _child(type_ if type_ in _SHOWN_TYPES else "other", rcode)


def show_zone(serial: int, services: Iterable[Service]) -> None:
    """What is served now."""
    ZONE_SERIAL.set(serial)
    types = Counts({"ClusterSetIP": 0, "Headless": 0})
    hosts = Counts[str]()
    for service in services:
        types["Headless" if service.headless else "ClusterSetIP"] += 1
        hosts.update(host.cluster for host in service.hosts)
    for type_, count in types.items():
        SERVICES.labels(type_).set(count)
    HOSTS.clear()
    for cluster, count in hosts.items():
        HOSTS.labels(cluster).set(count)
