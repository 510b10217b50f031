"""Value checks of containers: ports, mounts, devices, restarts and what init containers may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    descending_path,
    each,
    label,
    missing,
    no_backsteps,
    one_of,
    port_name_faults,
    port_number,
    supported,
)
from hansa.apiserver.builtin.environment_checks import validate_env, validate_env_from
from hansa.apiserver.builtin.probe_checks import validate_handler, validate_probe
from hansa.apiserver.builtin.resource_checks import validate_requirements
from hansa.apiserver.builtin.security_checks import validate_security_context
from hansa.base.field import FieldError, duplicate, forbidden, invalid, not_supported, required

PROTOCOLS = ("SCTP", "TCP", "UDP")


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
                errors += validate_handler(lifecycle[when], pod.grace, f"{path}.lifecycle.{when}")
        if lifecycle.get("stopSignal") and not pod.os:
            errors.append(
                forbidden(f"{path}.lifecycle.stopSignal", "may not be set for containers with empty `spec.os.name`")
            )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            errors += validate_probe(name, probe, pod.grace, f"{path}.{name}")
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
        errors += validate_env(container["env"], f"{path}.env")
    if container.get("envFrom"):
        errors += validate_env_from(container["envFrom"], f"{path}.envFrom")
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
