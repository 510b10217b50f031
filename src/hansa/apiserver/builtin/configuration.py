"""core/v1 ConfigMap, Secret, ServiceAccount, Namespace."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64

import msgspec

from hansa.api import names
from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.checks import config_key_faults, each, immutable
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import STANDARD_FINALIZERS, label_name
from hansa.apiserver.builtin.rules import WriteContext
from hansa.base.field import FieldError, forbidden, invalid, required, too_long
from hansa.base.names import qualified_name

LARGEST = 1 << 20
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}


def _keys(values: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in values:
        faults = config_key_faults(key)
        if faults:
            errors += each(f"{path}[{key}]", key, faults)
    return errors


def _config_map(obj: Json) -> list[FieldError]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    errors = _keys(data, "data")
    errors += [invalid(f"data[{key}]", key, "duplicate of key present in binaryData") for key in data if key in binary]
    errors += _keys(binary, "binaryData")
    size = sum(len(value.encode()) for value in data.values()) + sum(_decoded(value) for value in binary.values())
    if size > LARGEST:
        errors.append(too_long("[]", LARGEST))
    return errors


def _decoded(value: str) -> int:
    """Length of base64 content."""
    return len(value) // 4 * 3 - value[-2:].count("=")


def _fixed(new: Json, old: Json, fields: tuple[str, ...]) -> list[FieldError]:
    """What may not change once `immutable` is set."""
    if not old.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    errors = [] if new.get("immutable") else [forbidden("immutable", text)]
    return errors + [forbidden(field, text) for field in fields if (new.get(field) or {}) != (old.get(field) or {})]


def _default_secret(obj: Json) -> None:
    text = obj.pop("stringData", None)
    if text:
        data: Json = obj.setdefault("data", {})
        for key, value in text.items():
            data[key] = _encode(value)
    if "type" not in obj:
        obj["type"] = "Opaque"


def _encode(text: str) -> str:
    from binascii import b2a_base64

    return b2a_base64(text.encode(), newline=False).decode()


def _secret(obj: Json) -> list[FieldError]:
    data: Json = obj.get("data") or {}
    errors = _keys(data, "data")
    if sum(_decoded(value) for value in data.values()) > LARGEST:
        errors.append(too_long("data", LARGEST))
    type_ = obj.get("type", "")
    match type_:
        case names.SERVICE_ACCOUNT_TOKEN:
            if not (obj["metadata"].get("annotations") or {}).get(names.SERVICE_ACCOUNT_ANNOTATION):
                errors.append(required(f"metadata.annotations[{names.SERVICE_ACCOUNT_ANNOTATION}]"))
        case "kubernetes.io/tls" | "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson":
            missing = [required(f"data[{key}]") for key in _NEEDED[type_] if key not in data]
            errors += missing
            if not missing and type_ != "kubernetes.io/tls":
                errors += _docker(data[_NEEDED[type_][0]], f"data[{_NEEDED[type_][0]}]")
        case "kubernetes.io/basic-auth":
            if "username" not in data and "password" not in data:
                errors += [required("data[username]"), required("data[password]")]
        case "kubernetes.io/ssh-auth":
            if not data.get("ssh-privatekey"):
                errors.append(required("data[ssh-privatekey]"))
        case _:
            pass
    return errors


def _docker(value: str, path: str) -> list[FieldError]:
    try:
        content = a2b_base64(value)
        msgspec.json.decode(content, type=dict)
    except (Base64Error, msgspec.DecodeError):
        text = "unexpected end of JSON input" if not value else "invalid character in JSON"
        return [invalid(path, "<secret contents redacted>", text)]
    return []


def _secret_update(new: Json, old: Json) -> list[FieldError]:
    return immutable(new.get("type"), old.get("type"), "type") + _fixed(new, old, ("data",))


def _default_namespace(obj: Json) -> None:
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"].setdefault("labels", {})[names.NAMESPACE_NAME_LABEL] = name
    status: Json = obj.setdefault("status", {})
    if "phase" not in status:
        status["phase"] = "Active"


def _create_namespace(obj: Json, context: WriteContext) -> None:
    del context
    obj["metadata"].pop("generation", None)
    obj["status"] = {"phase": "Active"}
    spec: Json = obj.setdefault("spec", {})
    finalizers: list[str] = spec.setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")


def _update_namespace(new: Json, old: Json, subresource: str) -> None:
    new["metadata"].pop("generation", None)
    if subresource == "finalize":
        new["status"] = old.get("status", {})
        return
    if "spec" in old:
        new["spec"] = old["spec"]
    if subresource != "status":
        new["status"] = old.get("status", {})


def _namespace(obj: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    for finalizer in (obj.get("spec") or {}).get("finalizers") or ():
        errors += each("spec.finalizers", finalizer, qualified_name(finalizer))
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(invalid("spec.finalizers", finalizer, text))
    return errors


def _namespace_status(new: Json, old: Json) -> list[FieldError]:
    del old
    phase = (new.get("status") or {}).get("phase", "")
    if new["metadata"].get("deletionTimestamp"):
        if phase != "Terminating":
            text = "may only be 'Terminating' if `deletionTimestamp` is not empty"
            return [invalid("status.Phase", phase, text)]
    elif phase != "Active":
        return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")]
    return []


def _phase(obj: Json) -> str:
    return (obj.get("status") or {}).get("phase", "")


_CONFIG_MAP, _SECRET = GVK("", "v1", "ConfigMap"), GVK("", "v1", "Secret")
_ACCOUNT, _NAMESPACE = GVK("", "v1", "ServiceAccount"), GVK("", "v1", "Namespace")
RULES = {
    _CONFIG_MAP: make(
        _CONFIG_MAP,
        checks=_config_map,
        update_checks=lambda new, old: _fixed(new, old, ("data", "binaryData")),
        update_first=True,
        full_recheck=True,
        columns=(
            NAME,
            column("Data", lambda o: len(o.get("data") or ()) + len(o.get("binaryData") or ())),
            CREATED,
        ),
    ),
    _SECRET: make(
        _SECRET,
        defaults=_default_secret,
        checks=_secret,
        update_checks=_secret_update,
        update_first=True,
        full_recheck=True,
        columns=(
            NAME,
            column("Type", lambda o: o.get("type", "")),
            column("Data", lambda o: len(o.get("data") or ())),
            CREATED,
        ),
        fields={"type": lambda o: o.get("type", "")},
    ),
    _ACCOUNT: make(_ACCOUNT, full_recheck=True, columns=(NAME, CREATED)),
    _NAMESPACE: make(
        _NAMESPACE,
        namespaced=False,
        name=label_name,
        defaults=_default_namespace,
        checks=_namespace,
        recheck=False,
        status_checks=_namespace_status,
        status=True,
        columns=(NAME, column("Status", _phase), CREATED),
        fields={"status.phase": _phase, "name": lambda o: o["metadata"].get("name", "")},
        prepare_create=_create_namespace,
        prepare_update=_update_namespace,
    ),
}
