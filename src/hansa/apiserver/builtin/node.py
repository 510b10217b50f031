"""core/v1 Node."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import NONE, UNKNOWN
from hansa.apiserver.builtin.checks import cidr, each, supported
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.generation import keep_generation
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.rules import WriteContext
from hansa.apiserver.builtin.scheduling_checks import EFFECTS
from hansa.base.field import FieldError, duplicate, forbidden, invalid, required
from hansa.base.names import label_value, qualified_name

_ROLE_PREFIX = "node-role.kubernetes.io/"


def _default(obj: Json) -> None:
    status: Json = obj.get("status") or {}
    if "allocatable" not in status and status.get("capacity"):
        status["allocatable"] = dict(status["capacity"])


def _create(obj: Json, context: WriteContext) -> None:
    """Unlike most kinds, a Node keeps the status it is created with."""
    del context
    obj["metadata"].pop("generation", None)


def _prepare_update(new: Json, old: Json, subresource: str) -> None:
    keep_generation(new, old)
    kept = "spec" if subresource == "status" else "status"
    if kept in old:
        new[kept] = old[kept]
    else:
        new.pop(kept, None)


def _checks(obj: Json) -> list[FieldError]:
    spec: Json = obj.get("spec") or {}
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(spec.get("taints") or ()):
        path = f"metadata.taints[{index}]"
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        errors += each(f"{path}.key", key, qualified_name(key))
        faults = label_value(value)
        if faults:
            errors.append(invalid(f"{path}.value", value, ";".join(faults)))
        errors += supported(effect, EFFECTS, f"{path}.effect") if effect else [required(f"{path}.effect")]
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            found = duplicate(path, shown)
            text = f"{found.message}: taints must be unique by key and effect pair"
            errors.append(FieldError(path, found.reason, text))
        seen.add((key, effect))
    for index, block in enumerate(spec.get("podCIDRs") or ()):
        errors += cidr(block, f"spec.podCIDRs[{index}]")
    return errors


def _update(new: Json, old: Json) -> list[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        text = 'node updates may not change podCIDR except from "" to valid'
        errors.append(forbidden("spec.podCIDRs", text))
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        text = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden("spec.providerID", text))
    return errors


def _status(obj: Json) -> str:
    words: list[str] = []
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready":
            words = ["Ready" if condition.get("status") == "True" else "NotReady"]
    words = words or ["Unknown"]
    if (obj.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(obj: Json) -> str:
    found: set[str] = set()
    for key, value in (obj["metadata"].get("labels") or {}).items():
        if key.startswith(_ROLE_PREFIX) and key != _ROLE_PREFIX:
            found.add(key[len(_ROLE_PREFIX) :])
        elif key == "kubernetes.io/role" and value:
            found.add(value)
    return ",".join(sorted(found)) or NONE


def _address(obj: Json, type_: str) -> str:
    for address in (obj.get("status") or {}).get("addresses") or ():
        if address.get("type") == type_:
            return address.get("address", "")
    return NONE


def _info(obj: Json, field: str) -> str:
    return ((obj.get("status") or {}).get("nodeInfo") or {}).get(field, "")


def _kernel(obj: Json) -> str:
    architecture = _info(obj, "architecture")
    version = _info(obj, "kernelVersion") or UNKNOWN
    return f"{version} ({architecture})" if architecture else version


_GVK = GVK("", "v1", "Node")
RULES = {
    _GVK: make(
        _GVK,
        namespaced=False,
        defaults=_default,
        checks=_checks,
        update_checks=_update,
        status=True,
        columns=(
            NAME,
            column("Status", _status),
            column("Roles", _roles),
            CREATED,
            column("Version", lambda o: _info(o, "kubeletVersion")),
            column("Internal-IP", lambda o: _address(o, "InternalIP"), wide=True),
            column("External-IP", lambda o: _address(o, "ExternalIP"), wide=True),
            column("OS-Image", lambda o: _info(o, "osImage") or UNKNOWN, wide=True),
            column("Kernel-Version", _kernel, wide=True),
            column("Container-Runtime", lambda o: _info(o, "containerRuntimeVersion") or UNKNOWN, wide=True),
        ),
        fields={"spec.unschedulable": lambda o: "true" if (o.get("spec") or {}).get("unschedulable") else "false"},
        prepare_create=_create,
        prepare_update=_prepare_update,
    )
}
