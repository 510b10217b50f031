"""What the name server tells Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable
from functools import cache

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hansa.service.dns.zone import Zone

QUERIES = Counter("hansa_dns_queries_total", "Queries answered.", ["type", "rcode"])
REPLY_SECONDS = Histogram(
    "hansa_dns_reply_seconds",
    "Time from a query's bytes to its reply's.",
    ["transport"],
    buckets=(0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.05),
)
_SHOWN_TYPES = frozenset({"A", "AAAA", "SRV", "TXT", "SOA", "NS", "ANY", "PTR"})


@cache
def _child(type_: str, rcode: str) -> Counter:
    return QUERIES.labels(type_, rcode)


def query_counter(type_: str, rcode: str) -> Counter:
    """The bound child. Types that somebody makes up are one, or he could fill our memory."""
    return _child(type_ if type_ in _SHOWN_TYPES else "other", rcode)


class ZoneCollector(Collector):
    """Looks at the zone when somebody asks, so that a change of it costs nothing. `read`: it and its age in seconds."""

    def __init__(self, read: Callable[[], tuple[Zone | None, float]]) -> None:
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        zone, age = self._read()
        yield GaugeMetricFamily(
            "hansa_dns_zone_serial", "Serial of the zone that is served; 0: none yet.", value=zone.serial if zone else 0
        )
        if zone is None:
            return
        yield GaugeMetricFamily(
            "hansa_dns_zone_age_seconds", "How long ago the zone was last known to be true.", value=age
        )
        types = Counts({"ClusterSetIP": 0, "Headless": 0})
        hosts = Counts[str]()
        for service in zone.services.values():
            types["Headless" if service.headless else "ClusterSetIP"] += 1
            hosts.update(host.cluster for host in service.hosts)
        yield _family("hansa_dns_services", "Services in the zone.", "type", types)
        yield _family("hansa_dns_hosts", "Pods that have names in the zone.", "cluster", hosts)


def _family(name: str, help_: str, label: str, counts: Counts[str]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family
