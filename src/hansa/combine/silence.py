"""How long a cluster has not been heard of, as its Lease on the hub says it (KEP-1645 recommends one for each source).

The Lease holds time that somebody listened and heard nothing, not a moment in the past: a control plane that was down,
or a clock that jumps, says nothing about a cluster.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.base.clock import rfc3339_micro
from hansa.base.names import execution_namespace


class Silence(NamedTuple):
    """`since`: RFC 3339 in UTC. `stale`: for so long that its endpoints are not believed any more."""

    since: str
    stale: bool

    def __str__(self) -> str:
        return f"not heard of since {self.since}" + (", its endpoints are withdrawn" if self.stale else "")


def lease_key(cluster: str) -> Key:
    return Key(execution_namespace(cluster), names.SERVICES_LEASE)


def silent_seconds(lease: Item | None) -> float | None:
    """None while the cluster is heard; a text that somebody has broken counts for nothing."""
    text = lease.annotations.get(names.SILENT_ANNOTATION) if lease is not None else None
    if text is None:
        return None
    return float(text) if text.isdecimal() else 0.0


def silence_of(lease: Item | None, stale_after_seconds: float) -> Silence | None:
    """None while the cluster is heard. `stale_after_seconds`: 0 for never."""
    seconds = silent_seconds(lease)
    if lease is None or seconds is None:
        return None
    heard = str((lease.json().get("spec") or {}).get("renewTime") or "")
    return Silence(f"{heard[:19]}Z", 0 < stale_after_seconds <= seconds)


def lease_document(cluster: str, heard: datetime, seconds: float) -> Json:
    """Of a cluster that falls silent. `heard`: for the last time."""
    key = lease_key(cluster)
    return {
        "apiVersion": scheme.LEASES.api_version,
        "kind": "Lease",
        "metadata": {"name": key.name, "namespace": key.namespace, **_counted(seconds)},
        "spec": {"holderIdentity": cluster, "renewTime": rfc3339_micro(heard)},
    }


def silent_patch(lease: Item, seconds: float, heard: datetime | None = None) -> Json:
    """`heard`: for the last time, when it falls silent again."""
    metadata: Json = {"resourceVersion": lease.meta.resource_version, **_counted(seconds)}
    return {"metadata": metadata, **({"spec": {"renewTime": rfc3339_micro(heard)}} if heard is not None else {})}


def heard_patch(lease: Item, now: datetime) -> Json:
    annotations = {names.SILENT_ANNOTATION: None}
    metadata: Json = {"resourceVersion": lease.meta.resource_version, "annotations": annotations}
    return {"metadata": metadata, "spec": {"renewTime": rfc3339_micro(now)}}


def _counted(seconds: float) -> Json:
    return {"annotations": {names.SILENT_ANNOTATION: str(int(seconds))}}
