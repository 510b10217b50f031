"""Envoy's listeners: one for all that other gateways ask for, and one for each port that the own cluster imports."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from hansa.api.meta import Json
from hansa.api.routing import gateway_identity
from hansa.service.gateway import tls
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Inbound, Outbound, Site

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
INBOUND = "inbound"
MAX_CONNECT_ATTEMPTS = 3
EARLY_BYTES = 64 * 1024
"""What a client may send before a pod has answered."""
KEEPALIVE = {"probes": 3, "time": 10, "interval": 5}
SILENCE_SECONDS = KEEPALIVE["time"] + KEEPALIVE["probes"] * KEEPALIVE["interval"]
"""A connection whose other side has gone is given up after so long without a word. Probes are sent while nothing is
under way only: for what is, Linux would try for a quarter of an hour (tcp(7), TCP_USER_TIMEOUT)."""


def export_cluster(inbound: Inbound) -> str:
    return f"export/{inbound.name}"


def import_cluster(outbound: Outbound) -> str:
    return f"import/{outbound.name}"


def listeners(site: Site, layout: Layout, settings: Settings) -> list[Json]:
    """What Envoy shall listen to. Nobody's name, nobody's listener: Envoy refuses one without filter chains."""
    found = [_outbound(one, settings) for one in site.outbounds]
    offered = [one for one in site.inbounds if not one.withheld]
    if offered:
        found.append(_inbound(offered, layout, settings))
    return found


def listener_names(site: Site) -> frozenset[str]:
    """Names of those."""
    inbound = {INBOUND} if any(not one.withheld for one in site.inbounds) else set[str]()
    return frozenset(inbound | {import_cluster(one) for one in site.outbounds})


def _inbound(offered: Sequence[Inbound], layout: Layout, settings: Settings) -> Json:
    inspector = f"{_EXTENSIONS}.filters.listener.tls_inspector.v3.TlsInspector"
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": INBOUND,
        "address": _address(settings.inbound, settings.port),
        "listener_filters": [
            {"name": "envoy.filters.listener.tls_inspector", "typed_config": {"@type": inspector}},
        ],
        "listener_filters_timeout": "5s",
        "socket_options": [*_keepalive(), given_up()],
        "filter_chains": [_chain(one, layout) for one in offered],
    }


def _chain(inbound: Inbound, layout: Layout) -> Json:
    """For one server name. Consumers are looked at twice: in the handshake, and again before the first byte."""
    proxy = _tcp_proxy(
        export_cluster(inbound),
        # pods hear of nobody whose certificate has not been seen
        upstream_connect_mode="ON_DOWNSTREAM_TLS_HANDSHAKE",
        max_early_data_bytes=EARLY_BYTES,
    )
    return {
        "name": inbound.name,
        "filter_chain_match": {"server_names": [inbound.server_name]},
        "transport_socket_connect_timeout": "5s",
        "transport_socket": tls.downstream(layout, inbound),
        "filters": [*([_consumers(inbound)] if inbound.restricted else ()), proxy],
    }


def _consumers(inbound: Inbound) -> Json:
    principals = [
        {"authenticated": {"principal_name": {"exact": gateway_identity(cluster)}}} for cluster in inbound.consumers
    ]
    return {
        "name": "envoy.filters.network.rbac",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.filters.network.rbac.v3.RBAC",
            "stat_prefix": _stat_prefix(export_cluster(inbound)),
            "rules": {
                "action": "ALLOW",
                "policies": {"consumers": {"permissions": [{"any": True}], "principals": principals}},
            },
        },
    }


def _outbound(outbound: Outbound, settings: Settings) -> Json:
    options: Json = {"hash_policy": [{"source_ip": {}}]} if outbound.sticky else {}
    proxy = _tcp_proxy(
        import_cluster(outbound),
        # time for the host that did not answer to be left out
        backoff_options={"base_interval": "0.025s", "max_interval": "0.25s"},
        **options,
    )
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": import_cluster(outbound),
        "address": _address(settings.address, outbound.listen),
        "socket_options": [*_keepalive(), given_up()],
        "filter_chains": [{"filters": [proxy]}],
    }


def _tcp_proxy(cluster: str, **options: object) -> Json:
    config: Json = {
        "@type": f"{_EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": _stat_prefix(cluster),
        "cluster": cluster,
        "max_connect_attempts": MAX_CONNECT_ATTEMPTS,
        **options,
    }
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}


def _stat_prefix(cluster: str) -> str:
    return cluster.replace("/", ".")


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _keepalive() -> list[Json]:
    options = (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE["time"]),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE["interval"]),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE["probes"]),
    )
    return [_option(*option) for option in options]


def given_up() -> Json:
    """The socket option for what is under way when the other side goes."""
    return _option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)


def _option(level: int, name: int, value: int) -> Json:
    return {"level": level, "name": name, "int_value": value}
