"""KubeFedClusters and Clusters are two views of one member: what each says of the other, as pure functions.

A member joined by either dialect serves both. Labels for placement are those of both objects; health is probed once,
for the Cluster, and reported in KubeFed's words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Condition, Json

ORIGIN_ANNOTATION = "hansa.dev/kubefed"
"""On Clusters: `origin` when it was made from a KubeFedCluster and ends with it, `joined` once a KubeFedCluster was
seen or made for it, so that `kubefedctl unjoin` is not undone."""
ORIGIN = "origin"
JOINED = "joined"

OK_MESSAGE = "/healthz responded with ok"
NOT_OK_MESSAGE = "/healthz responded without ok"
_REACHABLE = "cluster is reachable"


class MemberCluster(NamedTuple):
    """What the dialect must know of a member."""

    labels: dict[str, str]
    ready: bool


def registered(clusters: Iterable[Item], kubefed_clusters: Iterable[Item]) -> dict[str, MemberCluster]:
    """Members that both sides know, by name. Labels of the KubeFedCluster win."""
    known = {item.meta.name: item for item in clusters if not item.deleting}
    return {
        item.meta.name: MemberCluster(
            known[item.meta.name].labels | item.labels, known[item.meta.name].as_(Cluster).ready
        )
        for item in kubefed_clusters
        if item.meta.name in known
    }


def status_of(old: Json | None, cluster: Cluster, now: str) -> Json | None:
    """Status of the KubeFedCluster of `cluster`; None when it says so already.

    The time of the last probe is that of the last change: a heartbeat would be a write for each member and probe.
    """
    old = old or {}
    known = {condition.get("type"): condition for condition in old.get("conditions") or []}
    conditions: list[Json] = []
    for type_, value, reason, message in _conditions(cluster.condition("Ready")):
        before = known.get(type_) or {}
        changed = before.get("status") != value
        conditions.append(
            {
                "type": type_,
                "status": value,
                "reason": reason,
                "message": message,
                "lastProbeTime": now,
                "lastTransitionTime": now if changed else before.get("lastTransitionTime") or now,
            }
        )
    status: Json = {"conditions": conditions}
    if cluster.status.kubernetes_version:
        status["kubernetesVersion"] = cluster.status.kubernetes_version
    if cluster.spec.region:
        status["region"] = cluster.spec.region
    if cluster.spec.all_zones:
        status["zones"] = cluster.spec.all_zones
    return None if _without_times(old) == _without_times(status) else status


def _conditions(ready: Condition | None) -> list[tuple[str, str, str, str]]:
    """Type, status, reason and message of each."""
    if ready is None:
        return []
    if ready.status == "True":
        return [("Ready", "True", "ClusterReady", OK_MESSAGE)]
    if ready.reason == "ClusterNotReachable" or ready.status == "Unknown":
        return [("Offline", "True", "ClusterNotReachable", f"cluster is not reachable: {ready.message}")]
    return [
        ("Ready", "False", "ClusterNotReady", NOT_OK_MESSAGE),
        ("Offline", "False", "ClusterReachable", _REACHABLE),
    ]


def _without_times(status: Json) -> Json:
    conditions = [
        {key: value for key, value in condition.items() if key not in ("lastProbeTime", "lastTransitionTime")}
        for condition in status.get("conditions") or []
    ]
    return {**{key: value for key, value in status.items() if value}, "conditions": conditions}


def cluster_from(kubefed_cluster: Json) -> Json:
    """The Cluster of a member that was joined as KubeFedCluster."""
    meta, spec = kubefed_cluster["metadata"], kubefed_cluster.get("spec") or {}
    name = meta["name"]
    endpoint = str(spec.get("apiEndpoint") or "")
    wanted: Json = {
        "syncMode": "Push",
        "apiEndpoint": endpoint if "://" in endpoint else f"https://{endpoint}",
        "secretRef": {"namespace": names.CLUSTER_NAMESPACE, "name": name},
        "insecureSkipTLSVerification": "*" in (spec.get("disabledTLSValidations") or []),
        "proxyURL": spec.get("proxyURL") or "",
    }
    return {
        "apiVersion": scheme.CLUSTERS.api_version,
        "kind": "Cluster",
        "metadata": {
            "name": name,
            "labels": dict(meta.get("labels") or {}),
            "annotations": {ORIGIN_ANNOTATION: ORIGIN},
        },
        "spec": {key: value for key, value in wanted.items() if value},
    }


def credentials_from(kubefed_cluster: Json, token_secret: Json) -> Json:
    """The Secret of that Cluster: KubeFed keeps the certificates in the KubeFedCluster, Karmada beside the token."""
    data = {"token": (token_secret.get("data") or {}).get("token", "")}
    bundle = (kubefed_cluster.get("spec") or {}).get("caBundle")
    if bundle:
        data["caBundle"] = bundle
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": kubefed_cluster["metadata"]["name"], "namespace": names.CLUSTER_NAMESPACE},
        "type": "Opaque",
        "data": data,
    }


def kubefed_cluster_from(cluster: Item, secret: Json) -> tuple[Json, Json]:
    """KubeFedCluster, and its Secret, of a member that was joined as Cluster. `secret` is the Cluster's own."""
    spec = cluster.as_(Cluster).spec
    name = cluster.meta.name
    data = secret.get("data") or {}
    wanted: Json = {
        "apiEndpoint": spec.api_endpoint,
        "caBundle": data.get("caBundle") or "",
        "disabledTLSValidations": ["*"] if spec.insecure_skip_tls_verification else [],
        "proxyURL": spec.proxy_url,
    }
    metadata: Json = {"name": name, "namespace": names.KUBEFED_NAMESPACE, "ownerReferences": [cluster.as_owner()]}
    kubefed_cluster: Json = {
        "apiVersion": scheme.KUBEFED_CLUSTERS.api_version,
        "kind": "KubeFedCluster",
        "metadata": {**metadata, "labels": dict(cluster.labels)},
        "spec": {key: value for key, value in wanted.items() if value} | {"secretRef": {"name": name}},
    }
    token: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "data": {"token": data.get("token", "")},
    }
    return kubefed_cluster, token
