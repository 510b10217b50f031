"""Value checks of pod specs, for pods and for every kind with a template."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    MAX_INT32,
    each,
    ip,
    label,
    labels,
    one_of,
    qualified,
    subdomain,
    supported,
    user_id,
)
from hansa.apiserver.builtin.container_checks import (
    PodContext,
    validate_containers,
    validate_init_containers,
)
from hansa.apiserver.builtin.objectmeta import validate_annotations
from hansa.apiserver.builtin.scheduling_checks import validate_affinity, validate_spread, validate_tolerations
from hansa.apiserver.builtin.security_checks import profile
from hansa.apiserver.builtin.volume_checks import validate_volumes
from hansa.base.field import FieldError, duplicate, forbidden, invalid, required

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


def validate_template(template: Json, path: str) -> list[FieldError]:
    """A PodTemplateSpec. Its labels and annotations are named without `metadata` in the path, as in Kubernetes."""
    meta: Json = template.get("metadata") or {}
    errors = labels(meta.get("labels"), f"{path}.labels")
    errors += validate_annotations(meta.get("annotations"), f"{path}.annotations")
    spec: Json = template.get("spec") or {}
    errors += validate_pod_spec(spec, f"{path}.spec", pod_name="", is_pod=False)
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        errors.append(forbidden(f"{path}.spec.ephemeralContainers", text))
    return errors


def validate_pod_spec(spec: Json, path: str, *, pod_name: str, is_pod: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is None:
        errors.append(required(f"{path}.terminationGracePeriodSeconds"))
    volumes, faults = validate_volumes(spec.get("volumes") or [], pod_name, f"{path}.volumes")
    errors += faults
    context = PodContext(
        volumes,
        spec.get("restartPolicy", ""),
        grace,
        frozenset(claim.get("name", "") for claim in spec.get("resourceClaims", ())),
        spec.get("hostUsers", True) is not False,
        (spec.get("os") or {}).get("name", ""),
    )
    containers: list[Json] = spec.get("containers") or []
    errors += validate_containers(containers, context, f"{path}.containers")
    if spec.get("initContainers"):
        errors += validate_init_containers(spec["initContainers"], containers, context, f"{path}.initContainers")
    if spec.get("hostNetwork"):
        errors += _host_network(containers, path, is_pod=is_pod)
    errors += one_of(spec.get("restartPolicy", ""), RESTART_POLICIES, f"{path}.restartPolicy")
    errors += one_of(spec.get("dnsPolicy", ""), _DNS_POLICIES, f"{path}.dnsPolicy")
    if spec.get("nodeSelector"):
        errors += labels(spec["nodeSelector"], f"{path}.nodeSelector")
    if spec.get("securityContext"):
        errors += _security(spec["securityContext"], f"{path}.securityContext")
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(f"{path}.shareProcessNamespace", True, text))
    if spec.get("affinity"):
        errors += validate_affinity(spec["affinity"], f"{path}.affinity")
    errors += _dns(spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates", ())):
        errors += qualified(gate.get("conditionType", ""), f"{path}.readinessGates[{index}].conditionType")
    errors += _gates(spec.get("schedulingGates") or [], f"{path}.schedulingGates")
    if spec.get("topologySpreadConstraints"):
        errors += validate_spread(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
    if not context.host_users:
        errors += [
            forbidden(f"{path}.{shown}", "when `hostUsers` is false")
            for field, shown in (("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
            if spec.get(field)
        ]
    return errors + _names(spec, path)


def _names(spec: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("serviceAccountName", "nodeName"):
        if spec.get(field):
            errors += subdomain(spec[field], f"{path}.{field}")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_INT32:
        errors.append(invalid(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"))
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            errors += label(spec[field], f"{path}.{field}")
    if spec.get("tolerations"):
        errors += validate_tolerations(spec["tolerations"], f"{path}.tolerations")
    for index, alias in enumerate(spec.get("hostAliases", ())):
        errors += ip(alias.get("ip", ""), f"{path}.hostAliases[{index}].ip")
        for at, name in enumerate(alias.get("hostnames", ())):
            errors += subdomain(name, f"{path}.hostAliases[{index}].hostnames[{at}]")
    for field in ("priorityClassName", "runtimeClassName"):
        if spec.get(field):
            errors += subdomain(spec[field], f"{path}.{field}")
    if spec.get("preemptionPolicy") is not None:
        errors += one_of(spec["preemptionPolicy"], ("PreemptLowerPriority", "Never"), f"{path}.preemptionPolicy")
    if "os" in spec:
        errors += one_of(spec["os"].get("name", ""), ("linux", "windows"), f"{path}.os.name")
    return errors


def _host_network(containers: list[Json], path: str, *, is_pod: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, container in enumerate(containers):
        for at, port in enumerate(container.get("ports", ())):
            host = port.get("hostPort", 0)
            if (is_pod or host) and host != port.get("containerPort", 0):
                text = "must match `containerPort` when `hostNetwork` is true"
                errors.append(invalid(f"{path}.containers[{index}].ports[{at}].hostPort", host, text))
    return errors


def _security(context: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        errors += user_id(context.get(field), f"{path}.{field}")
    for index, group in enumerate(context.get("supplementalGroups", ())):
        errors += user_id(group, f"{path}.supplementalGroups[{index}]")
    seen: set[str] = set()
    for index, sysctl in enumerate(context.get("sysctls", ())):
        here, name = f"{path}.sysctls[{index}].name", sysctl.get("name", "")
        if not name:
            errors.append(required(here))
        elif name in seen:
            errors.append(duplicate(here, name))
        seen.add(name)
    if context.get("fsGroupChangePolicy") is not None:
        errors += supported(context["fsGroupChangePolicy"], ("Always", "OnRootMismatch"), f"{path}.fsGroupChangePolicy")
    errors += profile(context.get("seccompProfile"), "seccomp", f"{path}.seccompProfile")
    errors += profile(context.get("appArmorProfile"), "AppArmor", f"{path}.appArmorProfile")
    if context.get("supplementalGroupsPolicy") is not None:
        errors += supported(
            context["supplementalGroupsPolicy"], ("Merge", "Strict"), f"{path}.supplementalGroupsPolicy"
        )
    return errors


def _dns(spec: Json, path: str) -> list[FieldError]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", text)]
    if not config:
        return []
    errors: list[FieldError] = []
    servers = config.get("nameservers") or []
    if len(servers) > 3:
        errors.append(invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for index, server in enumerate(servers):
        errors += ip(server, f"{path}.nameservers[{index}]")
    searches = config.get("searches") or []
    if len(searches) > 32:
        errors.append(invalid(f"{path}.searches", searches, "must not have more than 32 search paths"))
    for index, option in enumerate(config.get("options", ())):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{index}]", "must not be empty"))
    return errors


def _gates(gates: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        errors += qualified(name, f"{path}[{index}]")
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return errors


def image_whitespace(containers: list[Json], path: str) -> list[FieldError]:
    """Pods, unlike templates, refuse blanks around an image."""
    errors: list[FieldError] = []
    for index, container in enumerate(containers):
        image = container.get("image", "")
        if image != image.strip():
            text = "must not have leading or trailing whitespace"
            errors += each(f"{path}[{index}].image", image, [text])
    return errors
