"""Value checks of containers: ports, environment, mounts, probes, resources, security context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    config_key_faults,
    descending_path,
    each,
    env_name_faults,
    http_header_faults,
    label,
    missing,
    no_backsteps,
    nonnegative,
    one_of,
    port_name_faults,
    port_number,
    port_number_or_name,
    qualified,
    subdomain,
    supported,
    user_id,
)
from hansa.apiserver.builtin.resource_checks import validate_requirements
from hansa.apiserver.builtin.shape import internal
from hansa.base.field import FieldError, duplicate, forbidden, invalid, not_supported, required

PROTOCOLS = ("SCTP", "TCP", "UDP")
_ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_KNOWN_FIELDS = frozenset((*_ENV_FIELDS, *VOLUME_FIELDS))
_RESOURCE_FIELDS = tuple(
    f"{side}.{name}" for side in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
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
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


@dataclass(frozen=True, slots=True)
class PodContext:
    """What container checks need to know of the pod."""

    volumes: Mapping[str, Json]
    restart_policy: str
    grace: int | None
    claims: frozenset[str]
    host_users: bool
    os: str


def validate_containers(containers: list[Json], pod: PodContext, path: str) -> list[FieldError]:
    """The main containers: at least one, names unique, host ports free of conflicts."""
    if not containers:
        return [required(path)]
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _common(container, pod, here)
        name = container.get("name", "")
        if name in names:
            errors.append(duplicate(f"{here}.name", name))
        names.add(name)
        errors += _lifecycle_and_probes(container, pod, here)
        errors += _restart(container, here)
    return errors + _host_ports(containers, path)


def validate_init_containers(containers: list[Json], main: list[Json], pod: PodContext, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names = {container.get("name", "") for container in main}
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        errors += _common(container, pod, here)
        errors += _restart(container, here)
        sidecar = container.get("restartPolicy") == "Always"
        name = container.get("name", "")
        if name in names:
            errors.append(duplicate(f"{here}.name", name))
        elif name:
            names.add(name)
        errors += _host_ports([container], path)
        if sidecar:
            errors += _lifecycle_and_probes(container, pod, here)
        else:
            errors += [
                forbidden(f"{here}.{field}", "may not be set for init containers without restartPolicy=Always")
                for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
                if container.get(field) is not None
            ]
            errors += [
                invalid(
                    f"{here}.resizePolicy[{at}].restartPolicy",
                    policy["restartPolicy"],
                    "must not be set to 'RestartContainer' for non-sidecar initContainers",
                )
                for at, policy in enumerate(container.get("resizePolicy", ()))
                if policy.get("restartPolicy") == "RestartContainer"
            ]
    return errors


def _lifecycle_and_probes(container: Json, pod: PodContext, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    lifecycle = container.get("lifecycle")
    if lifecycle:
        for when in ("postStart", "preStop"):
            if lifecycle.get(when) is not None:
                errors += _handler(lifecycle[when], pod.grace, f"{path}.lifecycle.{when}")
        if lifecycle.get("stopSignal") and not pod.os:
            errors.append(
                forbidden(f"{path}.lifecycle.stopSignal", "may not be set for containers with empty `spec.os.name`")
            )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            errors += _probe(name, probe, pod.grace, f"{path}.{name}")
    return errors


def _probe(name: str, probe: Json, grace: int | None, path: str) -> list[FieldError]:
    errors = _handler(probe, grace, path)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        errors += nonnegative(probe.get(field), f"{path}.{field}")
    own_grace = probe.get("terminationGracePeriodSeconds")
    if own_grace is not None and own_grace <= 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", own_grace, "must be greater than 0"))
    if name == "readinessProbe":
        if own_grace is not None:
            errors.append(
                invalid(f"{path}.terminationGracePeriodSeconds", own_grace, "must not be set for readinessProbes")
            )
    elif probe.get("successThreshold", 0) != 1:
        errors.append(invalid(f"{path}.successThreshold", probe.get("successThreshold", 0), "must be 1"))
    return errors


def _handler(handler: Json, grace: int | None, path: str) -> list[FieldError]:
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given:
        return [required(path, "must specify a handler type")]
    errors = _action(given[0], handler[given[0]], grace, f"{path}.{given[0]}")
    return errors + [forbidden(f"{path}.{name}", "may not specify more than 1 handler type") for name in given[1:]]


def _action(name: str, action: Json, grace: int | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    match name:
        case "exec":
            if not action.get("command"):
                errors.append(required(f"{path}.command"))
        case "httpGet":
            if not action.get("path"):
                errors.append(required(f"{path}.path"))
            errors += port_number_or_name(action.get("port"), f"{path}.port")
            errors += supported(action.get("scheme", ""), ("HTTP", "HTTPS"), f"{path}.scheme")
            for header in action.get("httpHeaders", ()):
                errors += each(
                    f"{path}.httpHeaders", header.get("name", ""), http_header_faults(header.get("name", ""))
                )
        case "tcpSocket" | "grpc":
            errors += port_number_or_name(action.get("port"), f"{path}.port")
        case _:
            seconds = action.get("seconds", 0)
            if grace is not None and not 0 <= seconds <= grace:
                text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                errors.append(invalid(path, seconds, text))
    return errors


def _restart(container: Json, path: str) -> list[FieldError]:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    here = f"{path}.restartPolicy"
    if policy is None:
        return [required(here, "must specify restartPolicy when restart rules are used")] if rules else []
    errors = supported(policy, ("Always", "Never", "OnFailure"), here)
    for index, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{index}]"
        errors += supported(rule.get("action", ""), ("Restart", "RestartAllContainers"), f"{at}.action")
        codes = rule.get("exitCodes")
        if codes is None:
            errors.append(required(f"{at}.exitCodes", "must be specified"))
        else:
            errors += supported(codes.get("operator", ""), ("In", "NotIn"), f"{at}.exitCodes.operator")
    return errors


def _common(container: Json, pod: PodContext, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name = container.get("name", "")
    errors += label(name, f"{path}.name") if name else [required(f"{path}.name")]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy", "")
    errors += one_of(policy, ("File", "FallbackToLogsOnError"), f"{path}.terminationMessagePolicy")
    if container.get("ports"):
        errors += _ports(container["ports"], f"{path}.ports")
    if container.get("env"):
        errors += _env(container["env"], f"{path}.env")
    if container.get("envFrom"):
        errors += _env_from(container["envFrom"], f"{path}.envFrom")
    if container.get("volumeMounts"):
        errors += _mounts(container, pod, f"{path}.volumeMounts")
    if container.get("volumeDevices"):
        errors += _devices(container, pod, f"{path}.volumeDevices")
    errors += one_of(
        container.get("imagePullPolicy", ""), ("Always", "IfNotPresent", "Never"), f"{path}.imagePullPolicy"
    )
    if container.get("resources"):
        errors += validate_requirements(container["resources"], pod.claims, f"{path}.resources")
    if container.get("resizePolicy"):
        errors += _resize(container["resizePolicy"], pod.restart_policy, f"{path}.resizePolicy")
    if container.get("securityContext"):
        errors += validate_security_context(container["securityContext"], pod.host_users, f"{path}.securityContext")
    return errors


def _ports(ports: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name", "")
        if name:
            faults = port_name_faults(name)
            if faults:
                errors += each(f"{here}.name", name, faults)
            elif name in names:
                errors.append(duplicate(f"{here}.name", name))
            names.add(name)
        number = port.get("containerPort", 0)
        errors += port_number(number, f"{here}.containerPort") if number else [required(f"{here}.containerPort")]
        if port.get("hostPort"):
            errors += port_number(port["hostPort"], f"{here}.hostPort")
        errors += one_of(port.get("protocol", ""), PROTOCOLS, f"{here}.protocol")
    return errors


def _host_ports(containers: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for at, port in enumerate(container.get("ports", ())):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if key in taken:
                errors.append(duplicate(f"{path}[{index}].ports[{at}].hostPort", key))
            taken.add(key)
    return errors


def _env(variables: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        name = variable.get("name", "")
        errors += each(f"{here}.name", name, env_name_faults(name)) if name else [required(f"{here}.name")]
        source = variable.get("valueFrom")
        if source is not None:
            errors += _value_from(source, variable.get("value", ""), f"{here}.valueFrom")
    return errors


def _value_from(source: Json, value: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if "fieldRef" in source:
        errors += field_ref(source["fieldRef"], _ENV_FIELDS, f"{path}.fieldRef")
    if "resourceFieldRef" in source:
        errors += resource_field_ref(source["resourceFieldRef"], f"{path}.resourceFieldRef", volume=False)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in source:
            errors += _key_ref(source[kind], f"{path}.{kind}")
    count = sum(
        name in source for name in ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
    )
    if count == 0:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errors.append(invalid(path, "", text))
    elif value:
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _key_ref(reference: Json, path: str) -> list[FieldError]:
    errors = subdomain(reference.get("name", ""), f"{path}.name")
    key = reference.get("key", "")
    if not key:
        return [*errors, required(f"{path}.key")]
    return errors + each(f"{path}.key", key, config_key_faults(key))


def field_ref(reference: Json, allowed: tuple[str, ...], path: str) -> list[FieldError]:
    """A reference to a field of the pod itself."""
    if not reference.get("apiVersion"):
        return [required(f"{path}.apiVersion")]
    field = reference.get("fieldPath", "")
    if not field:
        return [required(f"{path}.fieldPath")]
    if field.endswith("']") and "['" in field:
        base, _, rest = field.partition("['")
        subscript = rest[:-2]
        if base == "metadata.annotations":
            return qualified(subscript.lower(), path)
        if base == "metadata.labels":
            return qualified(subscript, path)
        if base not in _KNOWN_FIELDS:
            return [_unknown_field(field, path)]
        return [invalid(path, base, "does not support subscript")]
    if field not in _KNOWN_FIELDS and field not in (
        "spec.host",
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
    ):
        return [_unknown_field(field, path)]
    if field not in allowed:
        return [not_supported(f"{path}.fieldPath", field, list(allowed))]
    return []


def _unknown_field(field: str, path: str) -> FieldError:
    return invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}")


def resource_field_ref(reference: Json, path: str, *, volume: bool) -> list[FieldError]:
    """A reference to a container's request or limit."""
    errors: list[FieldError] = []
    resource = reference.get("resource", "")
    if volume and not reference.get("containerName"):
        errors.append(required(f"{path}.containerName"))
    elif not resource:
        errors.append(required(f"{path}.resource"))
    elif resource not in _RESOURCE_FIELDS and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        errors.append(not_supported(f"{path}.resource", resource, list(_RESOURCE_FIELDS)))
    divisor = str(reference.get("divisor", "0"))
    if divisor in ("0", ""):
        return errors
    if resource.endswith(".cpu"):
        if divisor not in ("1m", "1"):
            text = "only divisor's values 1m and 1 are supported with the cpu resource"
            errors.append(invalid(f"{path}.divisor", resource, text))
    elif divisor != "1" and divisor not in {
        f"1{unit}" for unit in ["k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
    }:
        what = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}.get(
            resource.partition(".")[2], "hugepages"
        )
        units = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"
        text = f"only divisor's values {units} are supported with the {what} resource"
        errors.append(invalid(f"{path}.divisor", resource, text))
    return errors


def _env_from(sources: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        if source.get("prefix"):
            errors += each(f"{here}.prefix", source["prefix"], env_name_faults(source["prefix"]))
        given = [kind for kind in ("configMapRef", "secretRef") if kind in source]
        for kind in given:
            name = source[kind].get("name", "")
            errors += subdomain(name, f"{here}.{kind}.name") if name else [required(f"{here}.{kind}.name")]
        if not given:
            errors.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _mounts(container: Json, pod: PodContext, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    points: set[str] = set()
    devices = {device.get("name", ""): device.get("devicePath", "") for device in container.get("volumeDevices", ())}
    for index, mount in enumerate(container["volumeMounts"]):
        here = f"{path}[{index}]"
        name, point = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            errors.append(required(f"{here}.name"))
        if name not in pod.volumes:
            errors.append(missing(f"{here}.name", name))
        if not point:
            errors.append(required(f"{here}.mountPath"))
        if point in points:
            errors.append(invalid(f"{here}.mountPath", point, "must be unique"))
        points.add(point)
        if name in devices:
            errors.append(invalid(f"{here}.name", name, "must not already exist in volumeDevices"))
        if point in devices.values():
            text = "must not already exist as a path in volumeDevices"
            errors.append(invalid(f"{here}.mountPath", point, text))
        if mount.get("subPath"):
            errors += descending_path(mount["subPath"], f"{path}.subPath")
        if mount.get("subPathExpr"):
            if mount.get("subPath"):
                text = "subPathExpr and subPath are mutually exclusive"
                errors.append(invalid(f"{here}.subPathExpr", mount["subPathExpr"], text))
            errors += descending_path(mount["subPathExpr"], f"{path}.subPathExpr")
        errors += _propagation(mount, container, path)
    return errors


def _propagation(mount: Json, container: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    propagation, recursive = mount.get("mountPropagation"), mount.get("recursiveReadOnly")
    if propagation is not None:
        here = f"{path}.mountPropagation"
        errors += supported(propagation, ("Bidirectional", "HostToContainer", "None"), here)
        if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
            text = "Bidirectional mount propagation is available only to privileged containers"
            errors.append(forbidden(here, text))
    here = f"{path}.recursiveReadOnly"
    if recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            errors.append(forbidden(here, "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            text = "may only be specified when mountPropagation is None or not specified"
            errors.append(forbidden(here, text))
    elif recursive not in (None, "Disabled"):
        errors.append(not_supported(here, recursive, ["Disabled", "Enabled", "IfPossible"]))
    return errors


def _devices(container: Json, pod: PodContext, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    paths: set[str] = set()
    mounts = {mount.get("name", ""): mount.get("mountPath", "") for mount in container.get("volumeMounts", ())}
    for index, device in enumerate(container["volumeDevices"]):
        here = f"{path}[{index}]"
        name, where = device.get("name", ""), device.get("devicePath", "")
        volume = pod.volumes.get(name)
        if not name:
            errors.append(required(f"{here}.name"))
        if name in names:
            errors.append(invalid(f"{here}.name", name, "must be unique"))
        if volume is None:
            errors.append(missing(f"{here}.name", name))
        elif "persistentVolumeClaim" not in volume and "ephemeral" not in volume:
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(f"{here}.name", name, text))
        if not where:
            errors.append(required(f"{here}.devicePath"))
        if where in paths:
            errors.append(invalid(f"{here}.devicePath", where, "must be unique"))
        if where and no_backsteps(where, here):
            errors.append(invalid(f"{here}.devicePath", where, "can not contain backsteps ('..')"))
        else:
            paths.add(where)
        if name in mounts:
            errors.append(invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if where in mounts.values():
            errors.append(invalid(f"{here}.devicePath", where, "must not already exist as a path in volumeMounts"))
        if name:
            names.add(name)
    return errors


def _resize(policies: list[Json], restart_policy: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        resource, restart = policy.get("resourceName", ""), policy.get("restartPolicy", "")
        if resource in seen:
            errors.append(duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        errors += one_of(resource, ("cpu", "memory"), path)
        errors += one_of(restart, ("NotRequired", "RestartContainer"), path)
        if restart_policy == "Never" and restart != "NotRequired":
            text = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            errors.append(invalid(path, restart, text))
    return errors


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
