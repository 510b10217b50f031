"""Value checks of containers' environment, and of references to fields of the pod and its resources."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    config_key_faults,
    each,
    env_name_faults,
    qualified,
    subdomain,
)
from hansa.base.field import FieldError, invalid, not_supported, required

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


def validate_env(variables: list[Json], path: str) -> list[FieldError]:
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


def validate_env_from(sources: list[Json], path: str) -> list[FieldError]:
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
