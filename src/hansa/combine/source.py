"""What stands behind an export: endpoints of a cluster's own EndpointSlices, as far as they are believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json

Network = IPv4Network | IPv6Network
ENDPOINTS_MAX = 1000
"""For each service and cluster; whoever has more is better served by gateways."""
_FAMILIES = ("IPv4", "IPv6")
_KEPT = ("addresses", "conditions", "hostname", "nodeName", "zone", "hints")
# what multi-cluster controllers made of other clusters' endpoints is nobody's own
_IMPORTED_BY = frozenset({names.SLICE_MANAGER, names.KARMADA_SLICE_MANAGER, names.KARMADA_DISPATCHED_SLICE_MANAGER})


@dataclass(frozen=True, slots=True)
class SourceSlice:
    """A slice of the cluster's own, without what means nothing elsewhere. `endpoints` and `ports` as on the wire."""

    name: str
    family: str
    endpoints: tuple[Json, ...]
    ports: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """`outside`: addresses beyond the cluster's ranges; `left_out`: so many endpoints were more than the limit."""

    slices: tuple[SourceSlice, ...] = ()
    ready: int = 0
    outside: tuple[str, ...] = ()
    left_out: int = 0


def is_own(slice_: Item) -> bool:
    """Whether the cluster itself made it, for a Service of its own."""
    return names.SERVICE_LABEL in slice_.labels and slice_.labels.get(names.MANAGED_BY_LABEL) not in _IMPORTED_BY


def parse_ranges(text: str) -> tuple[Network, ...]:
    """CIDRs separated by commas. Raises ValueError, which names the entry."""
    return tuple(ip_network(entry.strip(), strict=False) for entry in text.split(",") if entry.strip())


def read_source(slices: Iterable[Item], ranges: Sequence[Network], limit: int = ENDPOINTS_MAX) -> Source:
    """Of the own slices of an exported Service. Without ranges any address is believed."""
    found: list[SourceSlice] = []
    outside: list[str] = []
    ready = count = left_out = 0
    for item in sorted(slices, key=lambda item: item.meta.name):
        document = item.json()
        if document.get("addressType") not in _FAMILIES:
            continue
        endpoints: list[Json] = []
        for endpoint in document.get("endpoints") or ():
            strangers = [address for address in endpoint["addresses"] if not _within(address, ranges)]
            outside += strangers
            if strangers:
                continue
            if count == limit:
                left_out += 1
                continue
            count += 1
            ready += is_ready(endpoint)
            endpoints.append({field: endpoint[field] for field in _KEPT if field in endpoint})
        ports = tuple(document.get("ports") or ())
        found.append(SourceSlice(item.meta.name, document["addressType"], tuple(endpoints), ports))
    return Source(tuple(found), ready, tuple(outside), left_out)


def is_ready(endpoint: Json) -> bool:
    """Not set means ready (discovery.k8s.io/v1)."""
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _within(address: str, ranges: Sequence[Network]) -> bool:
    if not ranges:
        return True
    parsed = ip_address(address)
    return any(parsed in network for network in ranges if network.version == parsed.version)


def compact(item: Item) -> Item:
    """A slice as it is kept: a reference to the pod is half of an endpoint, and nobody here asks for it."""
    document = item.json()
    document["metadata"].pop("managedFields", None)
    for endpoint in document.get("endpoints") or ():
        endpoint.pop("targetRef", None)
    return Item(msgspec.json.encode(document), item.meta, item.api_version, item.kind)
