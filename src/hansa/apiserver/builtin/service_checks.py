"""Value checks of Services, of their changes, and of their status."""

from __future__ import annotations

from ipaddress import ip_address

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    cidr,
    endpoint_ip,
    ip,
    labels,
    one_of,
    port_label,
    port_number,
    port_number_or_name,
    qualified,
    subdomain,
    supported,
)
from hansa.apiserver.builtin.service_spec import externally_accessible, is_headless, needs_health_check
from hansa.base.field import FieldError, duplicate, forbidden, invalid, not_supported, required

PROTOCOLS = ("SCTP", "TCP", "UDP")
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_LONGEST_AFFINITY_SECONDS = 86400


def service_checks(obj: Json, old: Json | None) -> list[FieldError]:
    spec = obj["spec"]
    type_, ports, headless = spec.get("type", ""), spec.get("ports") or [], is_headless(spec)
    errors: list[FieldError] = []
    if not ports and not headless and type_ != "ExternalName":
        errors.append(required("spec.ports"))
    if type_ in ("LoadBalancer", "NodePort") and headless:
        errors.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {type_} services"))
    if type_ == "ExternalName":
        errors += _external_name(spec)
    names: set[str] = set()
    for index, port in enumerate(ports):
        errors += _port(port, len(ports) > 1, names, f"spec.ports[{index}]")
    if spec.get("selector"):
        errors += labels(spec["selector"], "spec.selector")
    errors += one_of(spec.get("sessionAffinity", ""), ("ClientIP", "None"), "spec.sessionAffinity")
    errors += _affinity(spec)
    errors += _addresses(spec, (old or {}).get("spec") or {})
    for index, address in enumerate(spec.get("externalIPs", ())):
        path = f"spec.externalIPs[{index}]"
        errors += ip(address, path, ((old or {}).get("spec") or {}).get("externalIPs") or ()) or endpoint_ip(
            address, path
        )
    errors += one_of(type_, TYPES, "spec.type")
    errors += _node_ports(type_, ports)
    errors += _load_balancer(spec)
    errors += _traffic(spec)
    return errors


def _external_name(spec: Json) -> list[FieldError]:
    errors = [
        forbidden(f"spec.{field}", "may not be set for ExternalName services")
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(field)
    ]
    name = spec.get("externalName", "").removesuffix(".")
    return errors + (subdomain(name, "spec.externalName") if name else [required("spec.externalName")])


def _port(port: Json, named: bool, names: set[str], path: str) -> list[FieldError]:
    errors = port_label(port, named, path)
    name = port.get("name", "")
    if name:
        if name in names:
            errors.append(duplicate(f"{path}.name", name))
        names.add(name)
    errors += port_number(port.get("port", 0), f"{path}.port")
    errors += one_of(port.get("protocol", ""), PROTOCOLS, f"{path}.protocol")
    errors += port_number_or_name(port.get("targetPort"), f"{path}.targetPort")
    if port.get("appProtocol") is not None:
        errors += qualified(port["appProtocol"], f"{path}.appProtocol")
    return errors


def _affinity(spec: Json) -> list[FieldError]:
    path = "spec.sessionAffinityConfig"
    config = spec.get("sessionAffinityConfig")
    if spec.get("sessionAffinity") == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is not None and not 0 < seconds <= _LONGEST_AFFINITY_SECONDS:
            text = f"must be greater than 0 and less than {_LONGEST_AFFINITY_SECONDS}"
            return [invalid(f"{path}.clientIP.timeoutSeconds", seconds, text)]
    elif spec.get("sessionAffinity") == "None" and config is not None:
        return [forbidden(path, "must not be set when session affinity is None")]
    return []


def _addresses(spec: Json, before: Json) -> list[FieldError]:
    if spec.get("type") == "ExternalName":
        return []
    errors: list[FieldError] = []
    address, addresses, families = spec.get("clusterIP", ""), spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    path = "spec.clusterIPs"
    if address:
        if not addresses:
            errors.append(required(path))
        elif addresses[0] != address:
            errors.append(invalid(path, addresses, "first value must match `clusterIP`"))
    elif addresses:
        errors.append(invalid(path, addresses, "must be empty when `clusterIP` is not specified"))
    for index, family in enumerate(families):
        errors += supported(family, ("IPv4", "IPv6"), f"spec.ipFamilies[{index}]")
        if family in families[:index]:
            errors.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None:
        policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
        errors += supported(policy, policies, "spec.ipFamilyPolicy")
    bad = False
    for index, value in enumerate(addresses):
        if index == 0 and value == "None":
            if len(addresses) > 1:
                bad = True
                errors.append(invalid(path, addresses, "'None' must be the first and only value"))
            continue
        faults = ip(value, f"{path}[{index}]", before.get("clusterIPs") or ())
        bad = bad or bool(faults)
        errors += faults
    if len(addresses) > 2:
        errors.append(invalid(path, addresses, "may only hold up to 2 values"))
    if bad:
        return errors
    return errors + _families(spec, addresses, families, path)


def _families(spec: Json, addresses: list[str], families: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(addresses) > 1 and len({ip_address(value).version for value in addresses}) < 2:
        errors.append(invalid(path, addresses, "may specify no more than one IP for each IP family"))
    if is_headless(spec):
        return errors
    for index, (value, family) in enumerate(zip(addresses, families, strict=False)):
        wanted = 4 if family == "IPv4" else 6
        if ip_address(value).version != wanted:
            article = "an IPv4" if wanted == 4 else "an IPv6"
            text = f"expected {article} value as indicated by `ipFamilies[{index}]`"
            errors.append(invalid(f"{path}[{index}]", value, text))
    return errors


def _node_ports(type_: str, ports: list[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    if type_ == "ClusterIP":
        errors += [
            forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
            for index, port in enumerate(ports)
            if port.get("nodePort")
        ]
    taken: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("nodePort", 0))
        if key[1] and key in taken:
            errors.append(duplicate(f"spec.ports[{index}].nodePort", key[1]))
        taken.add(key)
    served: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("port", 0))
        if key in served:
            # the shape in which Kubernetes prints its internal struct
            shown = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            errors.append(duplicate(f"spec.ports[{index}]", shown))
        served.add(key)
    return errors


def _load_balancer(spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    balanced = spec.get("type") == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges:
        path = "spec.LoadBalancerSourceRanges"
        if not balanced:
            errors.append(forbidden(path, "may only be used when `type` is 'LoadBalancer'"))
        for index, value in enumerate(ranges):
            errors += cidr(value.strip(), f"{path}[{index}]")
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        text = "may only be used when `type` is 'LoadBalancer'"
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", text))
    return errors + _balancer_class(spec)


def _balancer_class(spec: Json) -> list[FieldError]:
    name = spec.get("loadBalancerClass")
    if name is None:
        return []
    if spec.get("type") == "LoadBalancer":
        return qualified(name, "spec.loadBalancerClass")
    return [forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")]


def _traffic(spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    policy = spec.get("externalTrafficPolicy", "")
    if not externally_accessible(spec):
        if policy:
            text = "may only be set for externally-accessible services"
            errors.append(invalid("spec.externalTrafficPolicy", policy, text))
    else:
        errors += one_of(policy, ("Cluster", "Local"), "spec.externalTrafficPolicy")
    port = spec.get("healthCheckNodePort", 0)
    if not needs_health_check(spec):
        if port:
            text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            errors.append(invalid("spec.healthCheckNodePort", port, text))
    else:
        if port:  # where it is missing, one is allocated
            errors += port_number(port, "spec.healthCheckNodePort")
    internal = spec.get("internalTrafficPolicy")
    if internal is not None:
        errors += supported(internal, ("Cluster", "Local"), "spec.internalTrafficPolicy")
    elif spec.get("type") in ("NodePort", "LoadBalancer", "ClusterIP"):
        errors.append(required("spec.internalTrafficPolicy"))
    distribution = spec.get("trafficDistribution")
    if distribution not in (None, "PreferClose", "PreferSameZone", "PreferSameNode"):
        choices = ["PreferClose", "PreferSameZone", "PreferSameNode"]
        errors.append(not_supported("spec.trafficDistribution", distribution, choices))
    return errors


def update_checks(new: Json, old: Json) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors: list[FieldError] = []
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        if not (is_headless(spec) and is_headless(before)):
            errors += _kept_addresses(spec, before)
        if not is_headless(spec) and not is_headless(before):
            errors += _kept_families(spec, before)
    if spec.get("type") == before.get("type") == "LoadBalancer":
        name = spec.get("loadBalancerClass")
        if name != before.get("loadBalancerClass"):
            errors.append(invalid("spec.loadBalancerClass", name, "may not change once set"))
    errors += _balancer_class(spec)
    moved = spec.get("healthCheckNodePort") != before.get("healthCheckNodePort")
    if moved and needs_health_check(spec) and needs_health_check(before):
        errors.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return errors + service_checks(new, old)


def _kept_addresses(spec: Json, before: Json) -> list[FieldError]:
    new, old = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    fixed = "may not change once set"
    if len(old) == len(new):
        return [
            invalid(f"spec.clusterIPs[{index}]", new, fixed) for index, value in enumerate(old) if value != new[index]
        ]
    errors: list[FieldError] = []
    if len(old) > len(new) and not new:
        errors.append(invalid("spec.clusterIPs[0]", new, "primary clusterIP can not be unset"))
    if old and new and new[0] != old[0]:
        errors.append(invalid("spec.clusterIPs[0]", new, fixed))
    if len(old) > len(new) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        text = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        errors.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), text))
    return errors


def _kept_families(spec: Json, before: Json) -> list[FieldError]:
    new, old = spec.get("ipFamilies") or [], before.get("ipFamilies") or []
    if new and old and new[0] != old[0]:
        return [invalid("spec.ipFamilies[0]", new, "may not change once set")]
    return []


def status_checks(new: Json, old: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    ingresses = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    known = [i.get("ip", "") for i in ((old.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()]
    if ingresses and new["spec"].get("type") != "LoadBalancer":
        return [forbidden("status.loadBalancer.ingress", 'may only be used when `spec.type` is "LoadBalancer"')]
    for index, ingress in enumerate(ingresses):
        path = f"status.loadBalancer.ingress[{index}]"
        if ingress.get("ip"):
            errors += ip(ingress["ip"], f"{path}.ip", known)
            if ingress.get("ipMode") is None:
                errors.append(required(f"{path}.ipMode", "must be specified when `ip` is set"))
        elif ingress.get("ipMode") is not None:
            errors.append(forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set"))
        if ingress.get("hostname"):
            errors += subdomain(ingress["hostname"], f"{path}.hostname")
    return errors
