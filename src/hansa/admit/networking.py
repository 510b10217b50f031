"""Defaults and checks of MultiClusterServices and MultiClusterIngresses (networking.karmada.io/v1alpha1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hansa.admit.fields import entries, mapping, text
from hansa.api import names
from hansa.api.meta import Json
from hansa.base.field import FieldError, duplicate, invalid, not_supported, required
from hansa.base.names import dns1035_label, dns1123_label, dns1123_subdomain

CROSS_CLUSTER = "CrossCluster"
_TYPES = (CROSS_CLUSTER, "LoadBalancer")
_PATH_TYPES = ("Exact", "Prefix", "ImplementationSpecific")
_LARGEST_PORT = 65535


def identified(service: Json, permanent_id: str) -> Json:
    """A MultiClusterService with its permanent id; one that it has already is kept."""
    metadata = mapping(service.get("metadata"))
    labels = mapping(metadata.get("labels"))
    if labels.get(names.SERVICE_ID_LABEL):
        return service
    return {**service, "metadata": {**metadata, "labels": {**labels, names.SERVICE_ID_LABEL: permanent_id}}}


def check_service(service: Json, old: Json | None) -> list[FieldError]:
    """Faults of a MultiClusterService; `old` is what an update replaces."""
    spec = mapping(service.get("spec"))
    name = text(mapping(service.get("metadata")).get("name"))
    errors = [invalid("metadata.name", name, fault) for fault in dns1035_label(name)]
    errors += _check_ports(entries(spec.get("ports")))
    types = _texts(spec.get("types"))
    for index, type_ in enumerate(types):
        if type_ not in _TYPES:
            errors.append(not_supported(f"spec.types[{index}]", type_, _TYPES))
    if len(set(types)) > 1:
        detail = "MultiClusterService types should not contain more than one type"
        errors.append(invalid("spec.types", types, detail))
    if old is not None and sorted(types) != sorted(_texts(mapping(old.get("spec")).get("types"))):
        errors.append(invalid("spec.types", types, "MultiClusterService types are immutable"))
    for field in ("providerClusters", "consumerClusters"):
        # Karmada's own paths
        named = [text(entry.get("name")) for entry in entries(spec.get(field))]
        errors += _check_clusters(named, f"spec.range.{field}")
    return errors


def check_ingress(ingress: Json) -> list[FieldError]:
    """Faults of a MultiClusterIngress: what an API server checks of an Ingress beyond its schema."""
    spec = mapping(ingress.get("spec"))
    name = text(mapping(ingress.get("metadata")).get("name"))
    errors = [invalid("metadata.name", name, fault) for fault in dns1123_subdomain(name)]
    backend, rules = spec.get("defaultBackend"), entries(spec.get("rules"))
    if backend is None and not rules:
        errors.append(invalid("spec", spec, "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        errors += _check_backend(mapping(backend), "spec.defaultBackend")
    for index, rule in enumerate(rules):
        host = text(rule.get("host"))
        if host:
            faults = dns1123_subdomain(host.removeprefix("*."))
            errors += [invalid(f"spec.rules[{index}].host", host, fault) for fault in faults]
        for position, path in enumerate(entries(mapping(rule.get("http")).get("paths"))):
            errors += _check_path(path, f"spec.rules[{index}].http.paths[{position}]")
    return errors


def _check_ports(ports: Sequence[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = text(port.get("name"))
        if name:
            errors += [invalid(f"spec.ports[{index}].name", name, fault) for fault in dns1123_label(name)]
        if name and name in seen:
            errors.append(duplicate(f"spec.ports[{index}].name", name))
        seen.add(name)
        errors += _check_number(port.get("port"), f"spec.ports[{index}].port")
    return errors


def _check_clusters(clusters: Sequence[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, cluster in enumerate(clusters):
        faults = dns1123_label(cluster)
        if len(cluster) > names.CLUSTER_NAME_MAX_LENGTH:
            faults = [f"must be no more than {names.CLUSTER_NAME_MAX_LENGTH} characters", *faults]
        errors += [invalid(f"{path}[{index}]", cluster, fault) for fault in faults]
    return errors


def _check_path(path: Json, where: str) -> list[FieldError]:
    kind, value = text(path.get("pathType")), text(path.get("path"))
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(f"{where}.pathType", "pathType must be specified"))
    elif kind not in _PATH_TYPES:
        errors.append(not_supported(f"{where}.pathType", kind, _PATH_TYPES))
    elif (kind != "ImplementationSpecific" or value) and not value.startswith("/"):
        errors.append(invalid(f"{where}.path", value, "must be an absolute path"))
    return errors + _check_backend(mapping(path.get("backend")), f"{where}.backend")


def _check_backend(backend: Json, where: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(where, "", "cannot set both resource and service backends")]
    if service is None:
        return [] if resource is not None else [required(where, "resource or service backend is required")]
    name, port = text(mapping(service).get("name")), mapping(mapping(service).get("port"))
    errors = [invalid(f"{where}.service.name", name, fault) for fault in dns1035_label(name)]
    if port.get("name") and port.get("number"):
        errors.append(invalid(f"{where}.service.port", "", "cannot set both port name & port number"))
    elif not port.get("name"):
        errors += _check_number(port.get("number"), f"{where}.service.port.number")
    return errors


def _check_number(number: Any, where: str) -> list[FieldError]:
    if isinstance(number, int) and 1 <= number <= _LARGEST_PORT:
        return []
    return [invalid(where, number or 0, f"must be between 1 and {_LARGEST_PORT}, inclusive")]


def _texts(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
