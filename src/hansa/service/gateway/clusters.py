"""Envoy's clusters: the pods behind an export, and the places that serve an import, with their endpoints.

Words of Envoy: a *cluster* is a set of endpoints for one purpose, a *locality* those of them that are in one place, a
*priority* is taken when those before it are out.
"""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.service.gateway import tls
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.listeners import KEEPALIVE, export_cluster, given_up, import_cluster
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Address, Inbound, Locality, Outbound, Site

PROBES_PER_SECOND = 200
"""What all probes of one gateway may come to; each to another gateway is a handshake on both sides."""
_LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
_MATCH = "envoy.transport_socket_match"
_CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def clusters(site: Site, layout: Layout, settings: Settings) -> list[Json]:
    """One for each inbound and each outbound port; their endpoints come by files of their own."""
    seconds = probe_seconds(site)
    return [
        *(_export(one, layout, settings, seconds) for one in site.inbounds),
        *(_import(one, layout, settings, seconds) for one in site.outbounds),
    ]


def probe_seconds(site: Site) -> float:
    """Pause between two probes of an endpoint: a second, two, four … where there are very many endpoints.

    In steps, because a cluster whose probes change is made anew.
    """
    endpoints = sum(len(one.pods) for one in site.inbounds)
    endpoints += sum(len(place.addresses) for one in site.outbounds for place in one.localities)
    seconds = 1.0
    while endpoints > seconds * PROBES_PER_SECOND:
        seconds *= 2
    return seconds


def assignments(site: Site) -> dict[str, Json]:
    """Endpoints by name of the cluster."""
    found = {export_cluster(one): _assignment(export_cluster(one), [_pods(one)], {}) for one in site.inbounds}
    for one in site.outbounds:
        name = import_cluster(one)
        places = [_locality(place) for place in one.localities]
        policy = {"overprovisioning_factor": 10_000 // one.min_healthy_percent}
        found[name] = _assignment(name, places, policy)
    return found


def _export(inbound: Inbound, layout: Layout, settings: Settings, seconds: float) -> Json:
    return _cluster(export_cluster(inbound), layout, settings, seconds)


def _import(outbound: Outbound, layout: Layout, settings: Settings, seconds: float) -> Json:
    others = sorted({place.cluster for place in outbound.localities if place.cluster})
    matches = [
        {
            "name": cluster,
            "match": {"cluster": cluster},
            "transport_socket": tls.upstream(layout, outbound.server_name, cluster),
        }
        for cluster in others
    ]
    cluster = _cluster(import_cluster(outbound), layout, settings, seconds)
    if matches:
        cluster["transport_socket_matches"] = matches
    if outbound.sticky:
        cluster["lb_policy"] = "RING_HASH"
    cluster["common_lb_config"]["locality_weighted_lb_config"] = {}
    return cluster


def _cluster(name: str, layout: Layout, settings: Settings, seconds: float) -> Json:
    pause = f"{seconds:g}s"
    return {
        "@type": _CLUSTER,
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": tls.file_source(layout.endpoints_of(name))},
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        # what the control plane has withdrawn gets nothing more, however healthy it looks
        "ignore_health_on_host_removal": True,
        "common_lb_config": {
            # never all endpoints alike because most of them are out
            "healthy_panic_threshold": {"value": 0},
            # health is news: it does not wait for more
            "update_merge_window": "0s",
        },
        "health_checks": [
            {
                "timeout": "1s",
                "interval": pause,
                # else an endpoint that was not up at first is looked at again after a minute only
                "no_traffic_interval": pause,
                "no_traffic_healthy_interval": pause,
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "tcp_health_check": {},
            }
        ],
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            # one refused or unanswered connection is enough, and one probe that succeeds brings it back
            "consecutive_local_origin_failure": 1,
            "interval": "1s",
            "base_ejection_time": "2s",
            "max_ejection_time": "10s",
            "max_ejection_percent": 100,
        },
        "upstream_connection_options": {
            "tcp_keepalive": {f"keepalive_{word}": value for word, value in KEEPALIVE.items()}
        },
        "upstream_bind_config": {"socket_options": [given_up()]},
        # the limit of the whole gateway is the listeners'
        "circuit_breakers": {"thresholds": [dict.fromkeys(_LIMITS, settings.max_connections)]},
    }


def _assignment(name: str, localities: list[Json], policy: Json) -> Json:
    found: Json = {"@type": _ASSIGNMENT, "cluster_name": name, "endpoints": localities}
    return found | ({"policy": policy} if policy else {})


def _pods(inbound: Inbound) -> Json:
    return {"lb_endpoints": [_endpoint(address, {}) for address in inbound.pods]}


def _locality(place: Locality) -> Json:
    metadata = {"filter_metadata": {_MATCH: {"cluster": place.cluster}}} if place.cluster else {}
    return {
        "locality": {"region": place.region, "zone": place.cluster},
        "priority": place.priority,
        "load_balancing_weight": place.weight,
        "lb_endpoints": [_endpoint(address, metadata) for address in place.addresses],
    }


def _endpoint(address: Address, metadata: Json) -> Json:
    socket_address = {"address": address.host, "port_value": address.port}
    found: Json = {"endpoint": {"address": {"socket_address": socket_address}}}
    return found | ({"metadata": metadata} if metadata else {})
