"""One cluster's export of a service, as it takes part in the merge (KEP-1645)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from hansa.api import names
from hansa.api.item import Item
from hansa.api.mcs import ServiceExport, ServiceImportSpec, ServicePort
from hansa.api.meta import Json
from hansa.base.names import dns1035_label, label_value, qualified_name

TCP = "TCP"
Type = Literal["ClusterSetIP", "Headless"]
_RESERVED = frozenset({names.DEFAULT_NAMESPACE, names.HANSA_NAMESPACE, names.KUBEFED_NAMESPACE})
_RESERVED_PREFIXES = ("kube-", "karmada-")
_OURS = ("hansa.dev/", "multicluster.kubernetes.io/")
"""Annotations that an export may not set on the import."""


class Port(NamedTuple):
    """A port of a Service, or of an import. The target is the exporting cluster's own affair."""

    name: str
    number: int
    protocol: str = TCP
    app_protocol: str | None = None

    @property
    def identity(self) -> tuple[str, str, int]:
        """What a cluster must expose for requests to this port to go there."""
        return (self.name, self.protocol, self.number)

    @property
    def label(self) -> str:
        """Its name; its number when it has none."""
        return self.name or str(self.number)

    def __str__(self) -> str:
        return f"{self.name or '(unnamed)'} {self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Offer:
    """What is merged: of a Service that is exported, or of an import."""

    ports: tuple[Port, ...] = ()
    type: Type = "ClusterSetIP"
    session_affinity: str = "None"
    session_affinity_config: Json | None = None
    internal_traffic_policy: str | None = None
    traffic_distribution: str | None = None
    ip_families: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def headless(self) -> bool:
        return self.type == "Headless"


class Age(NamedTuple):
    """The smallest is the oldest. `created` is RFC 3339 in UTC; clusters' names decide between equals."""

    created: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Export:
    """`created`: of the ServiceExport, RFC 3339 in UTC."""

    cluster: str
    created: str
    offer: Offer

    @property
    def age(self) -> Age:
        return Age(self.created, self.cluster)


class Invalid(NamedTuple):
    """Why an export is none: reason and message of condition Valid=False."""

    reason: str
    message: str


def is_reserved(namespace: str) -> bool:
    """Namespaces of clusters and control planes: sameness of names means nothing there."""
    return namespace in _RESERVED or namespace.startswith(_RESERVED_PREFIXES)


def read_export(cluster: str, item: Item, service: Item | None) -> Export | Invalid:
    """The export that `item`, a ServiceExport, makes of `service`, the Service of its name (None: there is none)."""
    name, namespace = item.meta.name, item.meta.namespace
    if is_reserved(namespace):
        return Invalid(
            "ReservedNamespace", f"services of namespace {namespace} cannot be exported: use another namespace"
        )
    if service is None or service.deleting:
        faults = dns1035_label(name)
        if faults:
            return Invalid("NoService", f"no Service can have the name {name!r}: {faults[0]}")
        return Invalid("NoService", f"there is no Service {namespace}/{name} in this cluster")
    spec: Json = service.json().get("spec") or {}
    if spec.get("type") == "ExternalName":
        return Invalid("InvalidServiceType", "a Service of type ExternalName cannot be exported")
    asked = item.as_(ServiceExport).spec
    labels = dict((asked.exported_labels if asked else None) or {})
    annotations = dict((asked.exported_annotations if asked else None) or {})
    fault = _metadata_fault(labels, annotations)
    if fault:
        return Invalid("InvalidMetadata", fault)
    return Export(cluster, item.meta.creation_timestamp or "", _offer_of(spec, labels, annotations))


def _metadata_fault(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """An import that the API server refuses would hurt all exporters. Empty when there is no fault."""
    for key, value in labels.items():
        for fault in (*qualified_name(key), *label_value(value)):
            return f"spec.exportedLabels[{key}]: {fault}"
    for key in annotations:
        for fault in qualified_name(key.lower()):
            return f"spec.exportedAnnotations[{key}]: {fault}"
        if key.startswith(_OURS):
            return f"spec.exportedAnnotations[{key}]: annotations of {key.split('/')[0]} cannot be exported"
    return ""


def _offer_of(spec: Json, labels: dict[str, str], annotations: dict[str, str]) -> Offer:
    affinity = spec.get("sessionAffinity") or "None"
    return Offer(
        ports=tuple(
            Port(port.get("name") or "", port["port"], port.get("protocol") or TCP, port.get("appProtocol"))
            for port in spec.get("ports") or ()
        ),
        type="Headless" if spec.get("clusterIP") == "None" else "ClusterSetIP",
        session_affinity=affinity,
        session_affinity_config=spec.get("sessionAffinityConfig") if affinity != "None" else None,
        internal_traffic_policy=spec.get("internalTrafficPolicy"),
        traffic_distribution=spec.get("trafficDistribution"),
        ip_families=tuple(spec.get("ipFamilies") or ()),
        labels=labels,
        annotations=annotations,
    )


def offer_of_import(
    spec: ServiceImportSpec, labels: Mapping[str, str], annotations: Mapping[str, str], families: tuple[str, ...]
) -> Offer:
    """What an import says. `families` are those that were merged: the import itself has those of its addresses."""

    def port(entry: ServicePort) -> Port:
        return Port(entry.name, entry.port, entry.protocol or TCP, entry.app_protocol)

    config: dict[str, Any] | None = spec.session_affinity_config
    return Offer(
        ports=tuple(port(entry) for entry in spec.ports),
        type=spec.type,
        session_affinity=spec.session_affinity or "None",
        session_affinity_config=config,
        internal_traffic_policy=spec.internal_traffic_policy,
        traffic_distribution=spec.traffic_distribution,
        ip_families=families,
        labels=labels,
        annotations=annotations,
    )
