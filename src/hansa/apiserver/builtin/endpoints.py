"""core/v1 Endpoints and discovery.k8s.io/v1 EndpointSlice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import NONE, UNSET
from hansa.apiserver.builtin.checks import (
    IMMUTABLE,
    ON_LOOPBACK,
    each,
    endpoint_ip,
    ip,
    label,
    one_of,
    port_label,
    port_number,
    qualified,
    subdomain,
)
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.generation import bump, keep_generation
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import subdomain_name, validate_meta, validate_meta_update
from hansa.apiserver.builtin.rules import KindRules
from hansa.base.field import FieldError, duplicate, invalid, required, too_many
from hansa.base.names import label_value

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_SHOWN = 3
_COUNTED = ("endpoints", "ports", "addressType")


def _default_endpoints(obj: Json) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            if "protocol" not in port:
                port["protocol"] = "TCP"


def _endpoints(obj: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{index}]"
        ready, not_ready = subset.get("addresses") or [], subset.get("notReadyAddresses") or []
        if not ready and not not_ready:
            errors.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for field, addresses in (("addresses", ready), ("notReadyAddresses", not_ready)):
            for at, address in enumerate(addresses):
                errors += _address(address, f"{path}.{field}[{at}]")
        ports = subset.get("ports") or []
        for at, port in enumerate(ports):
            errors += _endpoint_port(port, len(ports) > 1, f"{path}.ports[{at}]")
    return errors


def _address(address: Json, path: str) -> list[FieldError]:
    value = address.get("ip", "")
    errors = ip(value, f"{path}.ip") + endpoint_ip(value, f"{path}.ip")
    if address.get("hostname"):
        errors += label(address["hostname"], f"{path}.hostname")
    if address.get("nodeName") is not None:
        errors += subdomain(address["nodeName"], f"{path}.nodeName")
    return errors


def _endpoint_port(port: Json, named: bool, path: str) -> list[FieldError]:
    errors = port_label(port, named, path)
    errors += port_number(port.get("port", 0), f"{path}.port")
    errors += one_of(port.get("protocol", ""), _PROTOCOLS, f"{path}.protocol")
    if port.get("appProtocol") is not None:
        errors += qualified(port["appProtocol"], f"{path}.appProtocol")
    return errors


def _endpoints_text(obj: Json) -> str:
    subsets = obj.get("subsets") or []
    if not subsets:
        return NONE
    found: list[str] = []
    for subset in subsets:
        addresses = [address.get("ip", "") for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or []
        if not ports:
            found += addresses
        for port in ports:
            found += [_joined(address, port.get("port", 0)) for address in addresses]
    return _some(found, "")


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _some(found: list[str], empty: str) -> str:
    if len(found) > _SHOWN:
        return f"{','.join(found[:_SHOWN])} + {len(found) - _SHOWN} more..."
    return ",".join(found) or empty


def _default_slice(obj: Json) -> None:
    for port in obj.get("ports") or ():
        if "name" not in port:
            port["name"] = ""
        if "protocol" not in port:
            port["protocol"] = "TCP"


def _slice(obj: Json) -> list[FieldError]:
    kind = obj.get("addressType", "")
    errors = one_of(kind, ("FQDN", "IPv4", "IPv6"), "addressType")
    errors += _slice_ports(obj.get("ports") or [])
    endpoints = obj.get("endpoints") or []
    if len(endpoints) > 1000:
        return [*errors, too_many("endpoints", len(endpoints), 1000)]
    for index, endpoint in enumerate(endpoints):
        errors += _endpoint(endpoint, kind, f"endpoints[{index}]")
    # what Kubernetes checks by declaration comes after the rest
    return errors + [
        required(f"endpoints[{index}].addresses")
        for index, endpoint in enumerate(endpoints)
        if not endpoint.get("addresses")
    ]


def _slice_ports(ports: list[Json]) -> list[FieldError]:
    if len(ports) > 20000:
        return [too_many("ports", len(ports), 20000)]
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.get("name", "")
        if name:
            errors += label(name, f"{path}.name")
        if name in names:
            errors.append(duplicate(f"{path}.name", name))
        names.add(name)
        errors += one_of(port.get("protocol", ""), _PROTOCOLS, f"{path}.protocol")
        if port.get("appProtocol") is not None:
            errors += qualified(port["appProtocol"], f"{path}.appProtocol")
    return errors


def _endpoint(endpoint: Json, kind: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    addresses = endpoint.get("addresses") or []
    if len(addresses) > 100:
        errors.append(too_many(f"{path}.addresses", len(addresses), 100))
    for index, address in enumerate(addresses):
        here = f"{path}.addresses[{index}]"
        if kind in ("IPv4", "IPv6"):
            faults = ip(address, here)
            errors += faults
            if not faults:
                if f"IPv{ip_address(address).version}" != kind:
                    errors.append(invalid(f"{path}.addresses", address, f"must be an {kind} address"))
                errors += endpoint_ip(address, here)
        elif kind == "FQDN":
            errors += subdomain(address, here)
    if endpoint.get("nodeName") is not None:
        errors += subdomain(endpoint["nodeName"], f"{path}.nodeName")
    topology: Json = endpoint.get("deprecatedTopology") or {}
    if len(topology) > 16:
        errors.append(too_many(f"{path}.deprecatedTopology", len(topology), 16))
    if endpoint.get("hostname") is not None:
        errors += label(endpoint["hostname"], f"{path}.hostname")
    zones = (endpoint.get("hints") or {}).get("forZones") or []
    if len(zones) > 8:
        errors.append(too_many(f"{path}.hints.forZones", len(zones), 8))
    for index, zone in enumerate(zones):
        name = zone.get("name", "")
        errors += each(f"{path}.hints.forZones[{index}].name", name, label_value(name))
    return errors


def _create_slice(obj: Json) -> list[FieldError]:
    return validate_meta(obj, namespaced=True, name=subdomain_name) + _slice(obj)


def _update_slice(new: Json, old: Json, subresource: str) -> list[FieldError]:
    del subresource
    errors = _create_slice(new)
    if new.get("endpoints") == old.get("endpoints"):  # what was stored may stay
        errors = [fault for fault in errors if not fault.field.startswith("endpoints")]
    if new.get("addressType") != old.get("addressType"):
        errors.append(invalid("addressType", None, IMMUTABLE))
    return errors + [fault for fault in validate_meta_update(new, old) if fault not in errors]


def _prepare_slice(new: Json, old: Json, subresource: str) -> None:
    del subresource
    keep_generation(new, old)
    labels = (new["metadata"].get("labels"), old["metadata"].get("labels"))
    if labels[0] != labels[1] or any(new.get(field) != old.get(field) for field in _COUNTED):
        bump(new, old)


def _ports_text(obj: Json) -> str:
    def shown(ports: Iterable[Json]) -> list[str]:
        return [str(port["port"]) if port.get("port") is not None else port.get("name") or "*" for port in ports]

    return _some(shown(obj.get("ports") or ()), UNSET)


def _addresses_text(obj: Json) -> str:
    found = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return _some(found, UNSET)


_ENDPOINTS, _SLICE = GVK("", "v1", "Endpoints"), GVK("discovery.k8s.io", "v1", "EndpointSlice")
RULES = {
    _ENDPOINTS: make(
        _ENDPOINTS,
        defaults=_default_endpoints,
        checks=_endpoints,
        full_recheck=True,
        columns=(NAME, column("Endpoints", _endpoints_text), CREATED),
        create_on_update=True,
    ),
    _SLICE: make(
        _SLICE,
        defaults=_default_slice,
        counted=_COUNTED,
        columns=(
            NAME,
            column("AddressType", lambda o: o.get("addressType", "")),
            column("Ports", _ports_text),
            column("Endpoints", _addresses_text),
            CREATED,
        ),
        validate_create=_create_slice,
        validate_update=_update_slice,
        prepare_update=_prepare_slice,
    ),
}


def on_loopback(rules: KindRules) -> KindRules:
    """The same rules for a cluster whose pods live on this machine's loopback, which no real cluster's do."""

    def allowed(faults: list[FieldError]) -> list[FieldError]:
        return [fault for fault in faults if not fault.message.endswith(ON_LOOPBACK)]

    return replace(
        rules,
        validate_create=lambda obj: allowed(rules.validate_create(obj)),
        validate_update=lambda new, old, subresource: allowed(rules.validate_update(new, old, subresource)),
    )
