"""Reach a member as its Cluster and the Secret beside it say (cluster.karmada.io: token and caBundle)."""

from __future__ import annotations

from collections.abc import Mapping

from hansa.api.cluster import Cluster
from hansa.kube.auth import Identity, Static
from hansa.kube.client import Client
from hansa.kube.config import ClusterConfig
from hansa.kube.errors import ConfigError
from hansa.kube.http import HttpTransport


def config_of(cluster: Cluster, secret: Mapping[str, bytes]) -> ClusterConfig:
    """Raises ConfigError without an endpoint or a token."""
    spec = cluster.spec
    if not spec.api_endpoint:
        raise ConfigError("spec.apiEndpoint is empty")
    token = secret.get("token", b"").decode().strip()
    if not token:
        raise ConfigError("the secret has no token")
    endpoint = spec.api_endpoint if "://" in spec.api_endpoint else f"https://{spec.api_endpoint}"
    return ClusterConfig(
        endpoint.rstrip("/"),
        ca_data=None if spec.insecure_skip_tls_verification else secret.get("caBundle") or None,
        insecure_skip_tls_verify=spec.insecure_skip_tls_verification,
        proxy_url=spec.proxy_url or None,
        proxy_headers=spec.proxy_header or {},
        credentials=Static(Identity(f"Bearer {token}")),
        context_name=cluster.metadata.name,
    )


def connect(cluster: Cluster, secret: Mapping[str, bytes]) -> Client:
    """A client for the member over HTTP. Raises ConfigError."""
    return Client(HttpTransport(config_of(cluster, secret)))
