"""Clients for the members, made from what the hub holds: Clusters and the Secrets beside them."""

from __future__ import annotations

from collections.abc import Sequence

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.core import Secret
from hansa.control.cluster.credentials import connect
from hansa.control.cluster.members import decoded
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError


async def member_clients(hub: Client, wanted: Sequence[str] = ()) -> dict[str, Client]:
    """By name; of all push members, or of those `wanted`. Raises ConfigError for one that is not joined."""
    clusters = {item.meta.name: item.as_(Cluster) for item in (await hub.list(scheme.CLUSTERS)).items}
    for name in wanted:
        if name not in clusters:
            raise ConfigError(f"no cluster {name}: joined are {', '.join(sorted(clusters)) or 'none'}")
    found: dict[str, Client] = {}
    for name, cluster in sorted(clusters.items()):
        reference = cluster.spec.secret_ref
        if (wanted and name not in wanted) or reference is None or cluster.spec.sync_mode != "Push":
            continue
        secret = (await hub.get(scheme.SECRETS, reference.name, reference.namespace)).as_(Secret)
        found[name] = connect(cluster, decoded(secret.data or {}))
    return found
