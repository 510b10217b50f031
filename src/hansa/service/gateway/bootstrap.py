"""What Envoy starts with: where its files and its administrator's socket are, and how much it may take on."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.tls import file_source

_MONITORS = "type.googleapis.com/envoy.extensions.resource_monitors"


def bootstrap(layout: Layout, settings: Settings) -> Json:
    """The whole document; everything that changes comes through the files it names."""
    return {
        "node": {"id": "gateway", "cluster": "hansa"},
        "admin": {
            "address": {"pipe": {"path": str(layout.admin), "mode": 0o600}},
            # whoever has to look at a gateway that is full must get in
            "ignore_global_conn_limit": True,
        },
        "dynamic_resources": {
            "lds_config": file_source(layout.listeners),
            "cds_config": file_source(layout.clusters),
        },
        "overload_manager": {
            "refresh_interval": "0.25s",
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": settings.max_connections,
                    },
                }
            ],
        },
        "stats_config": {"use_all_default_tags": True},
    }
