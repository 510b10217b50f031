"""multicluster.x-k8s.io: services exported from and imported into clusters (KEP-1645, v1beta1 = v1alpha1)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from hansa.api.core import Int32, embedded
from hansa.api.meta import Condition, Object, Wire

Conditions = Annotated[
    list[Condition],
    Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


class ServiceExportSpec(Wire, frozen=True, kw_only=True):
    """What importers are told besides the Service itself.

    exported_labels: Labels of the import.
    exported_annotations: Annotations of the import.
    """

    exported_labels: dict[str, str] | None = None
    exported_annotations: dict[str, str] | None = None


class ServiceExportStatus(Wire, frozen=True, kw_only=True):
    """Whether it is exported: conditions `Valid`, `Ready`, `Conflict`."""

    conditions: Conditions | None = None


class ServiceExport(Object, frozen=True, kw_only=True):
    """The Service of the same name, offered to the other clusters."""

    spec: ServiceExportSpec | None = None
    status: ServiceExportStatus | None = None


class ServicePort(Wire, frozen=True, kw_only=True):
    """A port of the imported service.

    protocol: Empty: TCP.
    """

    port: Int32
    name: str = ""
    protocol: str = ""
    app_protocol: str | None = None


class ServiceImportSpec(Wire, frozen=True, kw_only=True):
    """The service as importers see it.

    ips: One for each family; none for a headless service.
    session_affinity: `None` or `ClientIP`.
    internal_traffic_policy: `Cluster` or `Local`.
    traffic_distribution: A hint such as `PreferClose`.
    """

    type: Literal["ClusterSetIP", "Headless"]
    ports: Annotated[list[ServicePort], Meta(extra_json_schema={"x-kubernetes-list-type": "atomic"})]
    ips: Annotated[list[str], Meta(max_length=2)] | None = None
    ip_families: Annotated[list[str], Meta(max_length=2)] | None = None
    session_affinity: str = ""
    session_affinity_config: Annotated[dict[str, Any], embedded("io.k8s.api.core.v1.SessionAffinityConfig")] | None = (
        None
    )
    internal_traffic_policy: str | None = None
    traffic_distribution: str | None = None


class ExportingCluster(Wire, frozen=True, kw_only=True):
    """A cluster that exports the service."""

    cluster: str


class ServiceImportStatus(Wire, frozen=True, kw_only=True):
    """Who exports it, and whether it is served.

    endpoint_slice_objects: Whether there are EndpointSlices for it.
    """

    clusters: (
        Annotated[
            list[ExportingCluster],
            Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["cluster"]}),
        ]
        | None
    ) = None
    conditions: Conditions | None = None
    endpoint_slice_objects: Literal["Present", "Absent", ""] = ""


class ServiceImport(Object, frozen=True, kw_only=True):
    """A service that other clusters export."""

    spec: ServiceImportSpec
    status: ServiceImportStatus | None = None
