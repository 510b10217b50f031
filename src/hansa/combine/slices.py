"""EndpointSlices of an import in one cluster (KEP-1645, EndpointSlice): shape, labels, and what is in them by mode."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.routing import Mode, ServiceRoutingPolicySpec
from hansa.combine.export import TCP, Offer, Port
from hansa.combine.routing import Exporter, Place, local_suffices, mode_of, routable
from hansa.combine.source import Source, SourceSlice

GATEWAY = "gateway"
_TERMINATING: Json = {"ready": False, "serving": True, "terminating": True}


@dataclass(frozen=True, slots=True)
class Reach:
    """How one cluster reaches an import. `pods`: clusters whose pods are published; `active`: labels of the ports that
    lead there from the derived Service, by cluster; `unreachable`: clusters that nothing leads to."""

    mode: Mode
    by_gateway: bool
    pods: tuple[str, ...]
    active: Mapping[str, frozenset[str]]
    unreachable: tuple[str, ...]


def reach(importer: Place, offer: Offer, exporters: Sequence[Exporter], policy: ServiceRoutingPolicySpec) -> Reach:
    """Whose pods are published, who is reached by the local gateway, and what of it requests go to now."""
    mode = mode_of(importer, exporters, policy)
    open_to = routable(importer, exporters, policy)
    if offer.headless:
        return Reach(mode, False, tuple(each.cluster for each in open_to), {}, ())
    direct = mode == "direct"
    pods = [
        each.cluster
        for each in open_to
        if each.cluster == importer.cluster or (direct and importer.shares_network(each.place))
    ]
    active: dict[str, frozenset[str]] = {}
    for port in offer.ports:
        for each in _behind(port, importer, mode, open_to, policy):
            active[each.cluster] = active.get(each.cluster, frozenset()) | {port.label}
    far = () if importer.gateways else tuple(each.cluster for each in open_to if each.cluster not in pods)
    return Reach(mode, not active.keys() <= set(pods), tuple(pods), active, far)


def _behind(
    port: Port, importer: Place, mode: Mode, open_to: Sequence[Exporter], policy: ServiceRoutingPolicySpec
) -> Sequence[Exporter]:
    """Who gets requests to this port: what serves other ports is of no help to it."""
    serving = [each for each in open_to if port in each.ports]
    own = [each for each in serving if each.cluster == importer.cluster]
    others = [each for each in serving if each.cluster != importer.cluster]
    if mode == "direct":
        near = [each for each in others if importer.shares_network(each.place)]
        far = [each for each in others if each not in near] if importer.gateways else []
        return [*_without_failover(own, near, policy), *far]
    ready = [each for each in others if each.ready and port.protocol == TCP]  # gateways carry nothing else
    stays = not ready or (mode == "hybrid" and local_suffices(importer, own, policy))
    return own if stays else ready


def _without_failover(
    local: Sequence[Exporter], near: Sequence[Exporter], policy: ServiceRoutingPolicySpec
) -> list[Exporter]:
    """Where no gateway decides, clusters for failover take part when nobody else is ready."""
    last = set(policy.failover_only or ())
    first = [each for each in near if each.cluster not in last]
    ready = any(each.ready for each in (*local, *first))
    return [*local, *(first if ready else near)]


def derived_name(service: str) -> str:
    """`derived-<service>`; too long for a Service, a hash of it (KEP-1645's reference implementation has that form)."""
    name = f"derived-{service}"
    return name if len(name) <= 63 else f"derived-{_hash(service)}"


def slice_name(service: str, cluster: str, source: str) -> str:
    """The same for the same source, so that a second try makes no second slice."""
    return f"imported-{service}-{cluster}-{_hash(source)}"


def wanted_slices(
    key: Key,
    importer: Place,
    offer: Offer,
    exporters: Sequence[Exporter],
    sources: Mapping[str, Source],
    policy: ServiceRoutingPolicySpec,
    listen: Mapping[str, int],
) -> list[Json]:
    """Slices of the exporters whose `sources` are known; without owner."""
    way = reach(importer, offer, exporters, policy)
    single = offer.headless or len(offer.ports) == 1
    found: list[Json] = []
    for each in exporters:
        if each.cluster not in sources:
            continue
        labels = way.active.get(each.cluster, frozenset())
        active = [port for port in each.ports if port.label in labels]
        if each.cluster in way.pods:
            served = active or each.ports
            found += [
                _slice(key, each.cluster, source, ports, own=each.cluster == importer.cluster, active=bool(active))
                for source in sources[each.cluster].slices
                if source.endpoints and (ports := _ports_of(source, served, single=single))
            ]
        elif active:
            found += _by_gateway(key, importer, each.cluster, active, listen, single=single)
    return _hinted(found, importer.cluster) if offer.traffic_distribution and not offer.headless else found


def _hinted(slices: Sequence[Json], importer: str) -> list[Json]:
    """With zone hints, so that what is close is preferred: kube-proxy goes by them only when every endpoint has one.

    What is in no zone that is known gets its cluster's name for one: it is closest to nobody. None get hints when own
    endpoints are in no zone: then nodes are not either.
    """
    found: list[Json] = []
    for document in slices:
        source = document["metadata"]["labels"][names.SOURCE_CLUSTER_LABEL]
        endpoints: list[Json] = []
        for endpoint in document["endpoints"]:
            zones = (endpoint.get("hints") or {}).get("forZones")
            zone = endpoint.get("zone") or ("" if source == importer else source)
            if not zones and not zone:
                return [_without_hints(each) for each in slices]
            endpoints.append({**endpoint, "hints": {"forZones": zones or [{"name": zone}]}})
        found.append({**document, "endpoints": endpoints})
    return found


def _without_hints(document: Json) -> Json:
    endpoints = [{f: v for f, v in endpoint.items() if f != "hints"} for endpoint in document["endpoints"]]
    return {**document, "endpoints": endpoints}


def drained(item: Item) -> Json:
    """A slice of a cluster that no longer exports: what is open goes on, nothing new comes."""
    document = item.json()
    endpoints = [{**endpoint, "conditions": _TERMINATING} for endpoint in document.get("endpoints") or ()]
    return {**document, "endpoints": endpoints}


def derived_port_name(port: Port, *, single: bool) -> str:
    """Ports of a Service need names as soon as there are two; those of an import do not."""
    return port.name if single else port.label


def _ports_of(source: SourceSlice, served: Sequence[Port], *, single: bool) -> list[Json]:
    """Of the slice's ports those that did not lose the merge, and go there now: kube-proxy goes by names."""
    wanted = {(port.name, port.protocol): port for port in served}
    found: list[Json] = []
    for entry in source.ports:
        port = wanted.get((entry.get("name") or "", entry.get("protocol") or TCP))
        if port is not None:
            found.append({**entry, "name": derived_port_name(port, single=single)})
    return found


def _slice(key: Key, cluster: str, source: SourceSlice, ports: list[Json], *, own: bool, active: bool) -> Json:
    endpoints: Sequence[Json] = source.endpoints
    if not own:  # another cluster's nodes and hints mean nothing here
        endpoints = [{f: v for f, v in endpoint.items() if f not in ("nodeName", "hints")} for endpoint in endpoints]
    name = slice_name(key.name, cluster, source.name)
    return _document(key, cluster, name, source.family, list(endpoints), ports, active=active)


def _by_gateway(
    key: Key, importer: Place, cluster: str, served: Sequence[Port], listen: Mapping[str, int], *, single: bool
) -> list[Json]:
    ports: list[Json] = [
        {"name": derived_port_name(port, single=single), "port": listen[port.label], "protocol": TCP}
        | ({"appProtocol": port.app_protocol} if port.app_protocol else {})
        for port in served
        if port.label in listen
    ]
    if not ports:
        return []
    families: dict[str, list[Json]] = {}
    for address in importer.gateways:
        endpoint: Json = {"addresses": [address], "conditions": {"ready": True}}
        families.setdefault(f"IPv{ip_address(address).version}", []).append(endpoint)
    return [
        _document(
            key,
            cluster,
            slice_name(key.name, cluster, GATEWAY + family),
            family,
            endpoints,
            ports,
            active=True,
        )
        for family, endpoints in families.items()
    ]


def _document(
    key: Key, cluster: str, name: str, family: str, endpoints: list[Json], ports: list[Json], *, active: bool
) -> Json:
    labels = {
        names.IMPORT_NAME_LABEL: key.name,
        names.SOURCE_CLUSTER_LABEL: cluster,
        names.MANAGED_BY_LABEL: names.SLICE_MANAGER,
    }
    if active:
        labels[names.SERVICE_LABEL] = derived_name(key.name)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": key.namespace, "labels": labels},
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
