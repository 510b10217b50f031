"""networking.k8s.io/v1 Ingress, IngressClass, NetworkPolicy."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import NONE, balancer_addresses, selector_text
from hansa.apiserver.builtin.checks import (
    cidr,
    each,
    immutable,
    label_faults,
    label_selector,
    port_name_faults,
    port_number,
    subdomain,
    supported,
)
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import subdomain_name, validate_meta
from hansa.apiserver.builtin.rules import Column
from hansa.base.field import FieldError, forbidden, invalid, not_supported, required, too_long
from hansa.base.names import dns1123_subdomain, path_segment

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_BAD_AT_END = ("/..", "/.")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def _wildcard(host: str) -> list[str]:
    if host.startswith("*.") and not dns1123_subdomain(host[2:]):
        return []
    return [
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
        "regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    ]


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _ingress(obj: Json) -> list[FieldError]:
    spec: Json = obj.get("spec") or {}
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    errors: list[FieldError] = []
    if not rules and backend is None:
        errors.append(invalid("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        errors += _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        errors += _tls(tls, f"spec.tls[{index}]")
    if spec.get("ingressClassName") is not None:
        errors += subdomain(spec["ingressClassName"], "spec.ingressClassName")
    return errors


def _rule(rule: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    host = rule.get("host", "")
    wildcard = "*" in host
    if host:
        if _is_ip(host):
            errors.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        errors += each(f"{path}.host", host, _wildcard(host) if wildcard else dns1123_subdomain(host))
    http = rule.get("http")
    if http is None:
        return errors
    if not http.get("paths"):
        errors.append(required(f"{path}.http.paths"))
    for index, item in enumerate(http.get("paths") or ()):
        errors += _path(item, f"{path}.http.paths[{index}]")
    return errors


def _path(item: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, value = item.get("pathType"), item.get("path", "")
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    if kind in ("Exact", "Prefix"):
        if not value.startswith("/"):
            errors.append(invalid(f"{path}.path", value, "must be an absolute path"))
        if value:
            errors += [
                invalid(f"{path}.path", value, f"must not contain '{bad}'") for bad in _BAD_IN_PATH if bad in value
            ]
            errors += [
                invalid(f"{path}.path", value, f"cannot end with '{bad}'") for bad in _BAD_AT_END if value.endswith(bad)
            ]
    elif kind == "ImplementationSpecific":
        if value and not value.startswith("/"):
            errors.append(invalid(f"{path}.path", value, "must be an absolute path"))
    else:
        errors.append(not_supported(f"{path}.pathType", kind, list(_PATH_TYPES)))
    return errors + _backend(item.get("backend") or {}, f"{path}.backend")


def _backend(backend: Json, path: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        errors = [required(f"{path}.resource.{field}") for field in ("kind", "name") if not resource.get(field)]
        for field in ("kind", "name"):
            if resource.get(field):
                errors += each(f"{path}.resource.{field}", resource[field], path_segment(resource[field]))
        return errors
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    return _service_backend(service, path)


def _service_backend(service: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name = service.get("name", "")
    if not name:
        errors.append(required(f"{path}.service.name"))
    else:
        errors += each(f"{path}.service.name", name, label_faults(name))
    port: Json = service.get("port") or {}
    if port.get("name") and port.get("number"):
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        errors += each(f"{path}.service.port.name", port["name"], port_name_faults(port["name"]))
    elif port.get("number"):
        errors += port_number(port["number"], f"{path}.service.port.number")
    else:
        errors.append(required(path, "port name or number is required"))
    return errors


def _tls(tls: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, host in enumerate(tls.get("hosts") or ()):
        errors += each(f"{path}.hosts[{index}]", host, _wildcard(host) if "*" in host else dns1123_subdomain(host))
    secret = tls.get("secretName", "")
    if secret:
        errors += subdomain(secret, f"{path}.secretName")
    return errors


def _create_ingress(obj: Json) -> list[FieldError]:
    errors = validate_meta(obj, namespaced=True, name=subdomain_name) + _ingress(obj)
    given = (obj["metadata"].get("annotations") or {}).get(_CLASS_ANNOTATION)
    name = (obj.get("spec") or {}).get("ingressClassName")
    if given is not None and name is not None and given != name:
        text = "must match `ingressClassName` when both are specified"
        errors.append(invalid(f"annotations.{_CLASS_ANNOTATION}", given, text))
    return errors


def _hosts(obj: Json) -> str:
    rules: list[Json] = (obj.get("spec") or {}).get("rules") or []
    found: list[str] = []
    more = False
    for rule in rules:
        more = more or len(found) == 3
        if not more and rule.get("host"):
            found.append(rule["host"])
    if not found:
        return "*"
    text = ",".join(found)
    return f"{text} + {len(rules) - 3} more..." if more else text


def _default_class(obj: Json) -> None:
    parameters = (obj.get("spec") or {}).get("parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


def _class(obj: Json) -> list[FieldError]:
    spec: Json = obj.get("spec") or {}
    controller = spec.get("controller", "")
    path = "spec.controller"
    errors: list[FieldError] = []
    if len(controller) > 250:
        errors.append(too_long(path, 250))
    errors += _prefixed_path(controller, path)
    parameters = spec.get("parameters")
    if parameters is None:
        return errors
    here = "spec.parameters"
    for field in ("kind", "name"):
        if not parameters.get(field):
            errors.append(required(f"{here}.{field}"))
    scope = parameters.get("scope")
    errors += supported(scope or "", ("Cluster", "Namespace"), f"{here}.scope")
    if scope == "Namespace" and not parameters.get("namespace"):
        text = "`parameters.scope` is set to 'Namespace'"
        errors.append(required(f"{here}.namespace", text))
    if scope == "Cluster" and parameters.get("namespace") is not None:
        errors.append(forbidden(f"{here}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return errors


def _prefixed_path(value: str, path: str) -> list[FieldError]:
    """`domain/path`."""
    if not value:
        return [required(path)]
    domain, slash, rest = value.partition("/")
    if not slash or not domain or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return each(path, domain, dns1123_subdomain(domain))


def _class_update(new: Json, old: Json) -> list[FieldError]:
    return immutable(
        (new.get("spec") or {}).get("controller"), (old.get("spec") or {}).get("controller"), "spec.controller"
    )


def _parameters(obj: Json) -> str:
    parameters = (obj.get("spec") or {}).get("parameters")
    if not parameters:
        return NONE
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
    return f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"


def _class_name(obj: Json) -> str:
    default = (obj["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    return f"{obj['metadata']['name']} (default)" if default else obj["metadata"]["name"]


def _default_policy(obj: Json) -> None:
    spec = obj["spec"]
    for field in ("ingress", "egress"):
        for rule in spec.get(field) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _policy(obj: Json) -> list[FieldError]:
    spec: Json = obj.get("spec") or {}
    errors = label_selector(spec.get("podSelector"), "spec.podSelector")
    for field, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(field) or ()):
            path = f"spec.{field}[{index}]"
            for at, port in enumerate(rule.get("ports") or ()):
                errors += _policy_port(port, f"{path}.ports[{at}]")
            for at, peer in enumerate(rule.get(side) or ()):
                errors += _peer(peer, f"{path}.{side}[{at}]")
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        return [*errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    for index, type_ in enumerate(types):
        errors += supported(type_, ("Ingress", "Egress"), f"spec.policyTypes[{index}]")
    return errors


def _policy_port(port: Json, path: str) -> list[FieldError]:
    errors = supported(port.get("protocol", ""), ("TCP", "UDP", "SCTP"), f"{path}.protocol")
    value, end = port.get("port"), port.get("endPort")
    if isinstance(value, int):
        errors += port_number(value, f"{path}.port")
        if end is not None:
            if end < value:
                errors.append(invalid(f"{path}.endPort", end, "must be greater than or equal to `port`"))
            errors += port_number(end, f"{path}.endPort")
    elif value is not None:
        if end is not None:
            errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        errors += each(f"{path}.port", value, port_name_faults(value))
    elif end is not None:
        errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    return errors


def _peer(peer: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    selectors = [field for field in ("podSelector", "namespaceSelector") if peer.get(field) is not None]
    for field in selectors:
        errors += label_selector(peer[field], f"{path}.{field}")
    block = peer.get("ipBlock")
    if block is not None:
        errors += _block(block, f"{path}.ipBlock")
    if not selectors and block is None:
        errors.append(required(path, "must specify a peer"))
    elif selectors and block is not None:
        errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _block(block: Json, path: str) -> list[FieldError]:
    value = block.get("cidr", "")
    if not value:
        return [required(f"{path}.cidr")]
    errors = cidr(value, f"{path}.cidr")
    try:
        outer = ip_network(value, strict=False)
    except ValueError:
        return errors
    for index, text in enumerate(block.get("except") or ()):
        here = f"{path}.except[{index}]"
        errors += cidr(text, here)
        try:
            inner = ip_network(text, strict=False)
        except ValueError:
            continue
        if inner.version != outer.version or inner.network_address not in outer or outer.prefixlen >= inner.prefixlen:
            errors.append(invalid(here, text, "must be a strict subset of `cidr`"))
    return errors


_INGRESS = GVK("networking.k8s.io", "v1", "Ingress")
_INGRESS_CLASS = GVK("networking.k8s.io", "v1", "IngressClass")
_POLICY = GVK("networking.k8s.io", "v1", "NetworkPolicy")
RULES = {
    _INGRESS: make(
        _INGRESS,
        checks=_ingress,
        full_recheck=True,
        validate_create=_create_ingress,
        status=True,
        empty_status={"loadBalancer": {}},
        counted=("spec",),
        columns=(
            NAME,
            column("Class", lambda o: (o.get("spec") or {}).get("ingressClassName") or NONE),
            column("Hosts", _hosts),
            column("Address", lambda o: balancer_addresses(o.get("status") or {})),
            column("Ports", lambda o: "80, 443" if (o.get("spec") or {}).get("tls") else "80"),
            CREATED,
        ),
    ),
    _INGRESS_CLASS: make(
        _INGRESS_CLASS,
        namespaced=False,
        defaults=_default_class,
        checks=_class,
        update_checks=_class_update,
        update_first=True,
        full_recheck=True,
        counted=("spec",),
        columns=(
            Column("Name", lambda o, now: _class_name(o), format="name", description=NAME.description),
            column("Controller", lambda o: (o.get("spec") or {}).get("controller", "")),
            column("Parameters", _parameters),
            CREATED,
        ),
    ),
    _POLICY: make(
        _POLICY,
        defaults=_default_policy,
        checks=_policy,
        counted=("spec",),
        columns=(
            NAME,
            column("Pod-Selector", lambda o: selector_text((o.get("spec") or {}).get("podSelector") or {})),
            CREATED,
        ),
    ),
}
