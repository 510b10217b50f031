"""What a gateway tells Prometheus beside Envoy's own figures. `cluster` is the gateway's own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge

from hansa.service.gateway.health import PeerHealth

ENDPOINTS = Gauge("hansa_gateway_endpoints", "Endpoints in another cluster that are probed.", ["cluster", "peer"])
HEALTHY = Gauge("hansa_gateway_healthy_endpoints", "Endpoints in another cluster that answer.", ["cluster", "peer"])
REJECTED = Gauge("hansa_gateway_rejected_updates", "Files that Envoy refused since it started.", ["cluster"])


def show(cluster: str, before: Mapping[str, PeerHealth], now: Mapping[str, PeerHealth]) -> None:
    """Show `now`, and show no more who was there before only."""
    for peer in before.keys() - now.keys():
        ENDPOINTS.remove(cluster, peer)
        HEALTHY.remove(cluster, peer)
    for peer, health in now.items():
        ENDPOINTS.labels(cluster, peer).set(health.endpoints)
        HEALTHY.labels(cluster, peer).set(health.healthy)
