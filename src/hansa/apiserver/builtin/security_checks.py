"""Value checks of the security context of a container."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    descending_path,
    supported,
    user_id,
)
from hansa.apiserver.builtin.shape import internal
from hansa.base.field import FieldError, invalid, required

_CONTEXT_FIELDS = (
    "capabilities",
    "privileged",
    "sELinuxOptions",
    "windowsOptions",
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "readOnlyRootFilesystem",
    "allowPrivilegeEscalation",
    "procMount",
    "seccompProfile",
    "appArmorProfile",
)


def validate_security_context(context: Json, host_users: bool, path: str) -> list[FieldError]:
    errors = user_id(context.get("runAsUser"), f"{path}.runAsUser")
    errors += user_id(context.get("runAsGroup"), f"{path}.runAsGroup")
    proc_mount = context.get("procMount")
    if proc_mount is not None:
        errors += supported(proc_mount, ("Default", "Unmasked"), f"{path}.procMount")
        if host_users and proc_mount == "Unmasked":
            errors.append(invalid(f"{path}.procMount", proc_mount, "`hostUsers` must be false to use `Unmasked`"))
    errors += profile(context.get("seccompProfile"), "seccomp", f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid(path, _shown(context), text))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, _shown(context), text))
    return errors + profile(context.get("appArmorProfile"), "AppArmor", f"{path}.appArmorProfile")


def _shown(context: Json) -> Json:
    """A security context as Kubernetes' internal type prints it."""
    shown = internal(context, _CONTEXT_FIELDS)
    for field in ("SeccompProfile", "AppArmorProfile"):
        if shown[field] is not None:
            shown[field] = internal(shown[field], ("type", "localhostProfile"))
    if shown["Capabilities"] is not None:
        shown["Capabilities"] = internal(shown["Capabilities"], ("add", "drop"))
    return shown


def profile(value: Any, what: str, path: str) -> list[FieldError]:
    """A seccomp or AppArmor profile."""
    if value is None:
        return []
    kind, local = value.get("type", ""), value.get("localhostProfile")
    errors: list[FieldError] = []
    if not kind:
        field = "seccompProfile" if what == "seccomp" else "appArmorProfile"
        errors.append(required(f"{path}.type", f"type is required when {field} is set"))
    else:
        errors += supported(kind, ("Localhost", "RuntimeDefault", "Unconfined"), f"{path}.type")
    if kind == "Localhost":
        if local is None:
            errors.append(required(f"{path}.localhostProfile", f"must be set when {what} type is Localhost"))
        elif what == "seccomp":
            errors += descending_path(local, f"{path}.localhostProfile")
        elif local != local.strip():
            errors.append(invalid(f"{path}.localhostProfile", local, "must not be padded with whitespace"))
    elif local is not None and (kind or what == "seccomp"):
        errors.append(
            invalid(
                f"{path}.localhostProfile",
                value if what == "seccomp" else local,
                f"can only be set when {what} type is Localhost",
            )
        )
    return errors
