"""How well other clusters are reached, as Envoy's own probes see it: the way that requests take."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hansa.api.meta import Json
from hansa.service.gateway.listeners import export_cluster, import_cluster
from hansa.service.gateway.site import Site


class PeerHealth(msgspec.Struct, frozen=True):
    """Endpoints of one cluster, each imported port counted by itself. `healthy` of `endpoints` answer."""

    healthy: int
    endpoints: int


def peer_health(clusters: Json, site: Site) -> dict[str, PeerHealth]:
    """By cluster, from Envoy's `/clusters?format=json`. Clusters that nothing is imported from are not probed."""
    ours = {import_cluster(one) for one in site.outbounds}
    counts: dict[str, list[bool]] = {}
    for status in clusters.get("cluster_statuses") or ():
        if status["name"] not in ours:
            continue
        for host in status.get("host_statuses") or ():
            peer = (host.get("locality") or {}).get("zone", "")
            if peer:
                counts.setdefault(peer, []).append(_is_healthy(host.get("health_status") or {}))
    return {peer: PeerHealth(sum(found), len(found)) for peer, found in sorted(counts.items())}


def _is_healthy(status: Json) -> bool:
    return not (status.get("failed_active_health_check") or status.get("failed_outlier_check"))


SILENT_PATTERN = r"^cluster\.export/.*\.membership_healthy$"
"""Envoy's statistics that `silent_inbounds` reads."""


def silent_inbounds(stats: Iterable[Json], site: Site) -> frozenset[str]:
    """Names of inbounds none of whose pods Envoy finds healthy."""
    suffix = ".membership_healthy"
    healthy = {one["name"].removeprefix("cluster.").removesuffix(suffix): one["value"] for one in stats}
    return frozenset(one.name for one in site.inbounds if healthy.get(export_cluster(one)) == 0)


def unheard(listeners: Json, wanted: frozenset[str]) -> frozenset[str]:
    """Listeners that Envoy should have and has not, from `/listeners?format=json`: its address is taken, or another
    machine's."""
    return wanted - {one["name"] for one in listeners.get("listener_statuses") or ()}


def rejected_updates(stats: Iterable[Json]) -> int:
    """How often Envoy refused a file, from `/stats?format=json`."""
    return sum(one["value"] for one in stats if one.get("name", "").endswith("update_rejected"))
