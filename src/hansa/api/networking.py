"""networking.karmada.io/v1alpha1: services and ingresses over several clusters."""

from __future__ import annotations

from typing import Annotated, Any

from hansa.api.core import Int32, embedded
from hansa.api.meta import Object, Wire


class ExposurePort(Wire, frozen=True, kw_only=True):
    """A port of the Service."""

    port: Int32
    name: str = ""


class ExposureRange(Wire, frozen=True, kw_only=True):
    """Deprecated: clusters by name."""

    cluster_names: list[str] | None = None


class ClusterSelector(Wire, frozen=True, kw_only=True):
    """A cluster by name."""

    name: str = ""


class MultiClusterServiceSpec(Wire, frozen=True, kw_only=True):
    """From where, and where, the Service is reached.

    types: `CrossCluster` or `LoadBalancer`; cannot be changed.
    ports: Not set: all ports.
    range: Deprecated.
    service_provision_clusters: Deprecated: use providerClusters.
    service_consumption_clusters: Deprecated: use consumerClusters.
    provider_clusters: Where its endpoints are; none: all clusters.
    consumer_clusters: Where it is reached; none: all clusters.
    """

    types: list[str]
    ports: list[ExposurePort] | None = None
    range: ExposureRange | None = None
    service_provision_clusters: list[str] | None = None
    service_consumption_clusters: list[str] | None = None
    provider_clusters: list[ClusterSelector] | None = None
    consumer_clusters: list[ClusterSelector] | None = None


class MultiClusterService(Object, frozen=True, kw_only=True):
    """The Service of the same name, reached from several clusters."""

    spec: MultiClusterServiceSpec
    status: Annotated[dict[str, Any], embedded("io.k8s.api.core.v1.ServiceStatus")] | None = None


class MultiClusterIngress(Object, frozen=True, kw_only=True):
    """An Ingress whose backends are in several clusters."""

    spec: Annotated[dict[str, Any], embedded("io.k8s.api.networking.v1.IngressSpec")] | None = None
    status: (
        Annotated[
            dict[str, Any],
            embedded(
                "io.k8s.api.networking.v1.IngressStatus",
                trafficBlockClusters={"type": "array", "items": {"type": "string"}},
                serviceLocations={
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "clusters": {"type": "array", "items": {"type": "string"}},
                        },
                    },
                },
            ),
        ]
        | None
    ) = None
