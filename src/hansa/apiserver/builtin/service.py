"""core/v1 Service. Addresses and node ports are given out by `apiserver/allocation.py`."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import NONE, balancer_addresses, labels_text
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import label_name
from hansa.apiserver.builtin.rules import WriteContext
from hansa.apiserver.builtin.service_checks import service_checks, status_checks, update_checks
from hansa.apiserver.builtin.service_spec import externally_accessible, needs_health_check
from hansa.base.field import FieldError

_DEFAULT_AFFINITY_SECONDS = 10800


def _default(obj: Json) -> None:
    spec = obj["spec"]
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _DEFAULT_AFFINITY_SECONDS}}
    type_ = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports", ()):
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    if "externalTrafficPolicy" not in spec and externally_accessible(spec):
        spec["externalTrafficPolicy"] = "Cluster"
    if "internalTrafficPolicy" not in spec and type_ in ("NodePort", "LoadBalancer", "ClusterIP"):
        spec["internalTrafficPolicy"] = "Cluster"
    if type_ == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip") and "ipMode" not in ingress:
                ingress["ipMode"] = "VIP"


def _checks(obj: Json) -> list[FieldError]:
    return service_checks(obj, None)


def _external(obj: Json) -> str:
    spec = obj["spec"]
    given: list[str] = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(given) or NONE
        case "LoadBalancer":
            addresses = balancer_addresses(obj.get("status") or {})
            return ",".join([*([addresses] if addresses else []), *given]) or "<pending>"
        case "ExternalName":
            return spec.get("externalName", "")
        case _:
            return "<unknown>"


def _ports(obj: Json) -> str:
    def show(port: Json) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port.get('port', 0)}{node}/{port.get('protocol', '')}"

    return ",".join(show(port) for port in obj["spec"].get("ports") or ()) or NONE


def normalize(spec: Json, before: Json | None = None) -> None:
    """Keep the one clusterIP and the list of clusterIPs in step: whichever the client changed leads."""
    address, addresses = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    if before is None:
        if address and not addresses:
            spec["clusterIPs"] = [address]
        return
    old, olds = before.get("clusterIP", ""), before.get("clusterIPs") or []
    if address != old and addresses == olds:
        if address:
            spec["clusterIPs"] = [address]
        else:
            spec.pop("clusterIPs", None)
    if address == old and addresses != olds and addresses and olds and addresses[0] != olds[0]:
        spec["clusterIP"] = addresses[0]


def _prepare_create(obj: Json, context: WriteContext) -> None:
    del context
    obj["metadata"].pop("generation", None)
    obj["status"] = {"loadBalancer": {}}
    normalize(obj["spec"])


def _prepare_update(new: Json, old: Json, subresource: str) -> None:
    new["metadata"].pop("generation", None)
    if subresource == "status":
        new["spec"] = old["spec"]
        return
    new["status"] = old.get("status", {"loadBalancer": {}})
    spec, before = new["spec"], old["spec"]
    _keep_allocated(spec, before)
    normalize(spec, before)
    _drop_of_other_type(spec, before)


def _keep_allocated(spec: Json, before: Json) -> None:
    """A client that leaves allocated values out means: as they are."""
    types = (spec.get("type"), before.get("type"))
    if "ExternalName" not in types:
        if not spec.get("clusterIP") and not spec.get("clusterIPs") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
            spec["clusterIPs"] = list(before.get("clusterIPs") or [])
        elif spec.get("clusterIP") == before.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = list(before.get("clusterIPs") or [])
        elif spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
    if all(type_ in ("NodePort", "LoadBalancer") for type_ in types):
        known = {(p.get("protocol"), p.get("port")): p.get("nodePort") for p in before.get("ports") or ()}
        taken = {port.get("nodePort") for port in spec.get("ports") or ()}
        for port in spec.get("ports") or ():
            kept = known.get((port.get("protocol"), port.get("port")))
            if not port.get("nodePort") and kept and kept not in taken:
                port["nodePort"] = kept
    if needs_health_check(spec) and needs_health_check(before) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort", 0)


def _drop_of_other_type(spec: Json, before: Json) -> None:
    """After a change of type, what only the old type has and the client did not touch goes."""
    if before.get("type") != "ExternalName" and spec.get("type") == "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if spec.get(field) == before.get(field):
                spec.pop(field, None)
    if spec.get("type") not in ("NodePort", "LoadBalancer") and before.get("type") in ("NodePort", "LoadBalancer"):
        kept = [port.get("nodePort") for port in before.get("ports") or ()]
        if [port.get("nodePort") for port in spec.get("ports") or ()] == kept:
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)
    same = {field for field in spec if spec[field] == before.get(field)}
    if "healthCheckNodePort" in same and not needs_health_check(spec) and needs_health_check(before):
        del spec["healthCheckNodePort"]
    if spec.get("type") != "LoadBalancer" and before.get("type") == "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(field) == before.get(field):
                spec.pop(field, None)
    if "externalTrafficPolicy" in same and not externally_accessible(spec) and externally_accessible(before):
        del spec["externalTrafficPolicy"]


_GVK = GVK("", "v1", "Service")
RULES = {
    _GVK: make(
        _GVK,
        name=label_name,
        defaults=_default,
        checks=_checks,
        recheck=False,
        update_checks=update_checks,
        status_checks=status_checks,
        status=True,
        empty_status={"loadBalancer": {}},
        columns=(
            NAME,
            column("Type", lambda o: o["spec"].get("type", "")),
            column("Cluster-IP", lambda o: (o["spec"].get("clusterIPs") or [NONE])[0]),
            column("External-IP", _external),
            column("Port(s)", _ports),
            CREATED,
            column("Selector", lambda o: labels_text(o["spec"].get("selector")), wide=True),
        ),
        fields={
            "spec.clusterIP": lambda o: o["spec"].get("clusterIP", ""),
            "spec.type": lambda o: o["spec"].get("type", ""),
        },
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        create_on_update=True,
    )
}
