"""Value checks of a pod's volumes."""

from __future__ import annotations

from collections.abc import Callable

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    descending_path,
    file_mode,
    label,
    no_backsteps,
    supported,
    unreserved_path,
)
from hansa.apiserver.builtin.environment_checks import VOLUME_FIELDS, field_ref, resource_field_ref
from hansa.apiserver.builtin.resource_checks import quantity
from hansa.base.field import FieldError, duplicate, forbidden, invalid, required

HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")


def validate_volumes(volumes: list[Json], pod_name: str, path: str) -> tuple[dict[str, Json], list[FieldError]]:
    """The valid volumes by name, and all faults."""
    errors: list[FieldError] = []
    valid: dict[str, Json] = {}
    created = {f"{pod_name}-{v.get('name', '')}" for v in volumes if pod_name and "ephemeral" in v}
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        name = volume.get("name", "")
        faults = validate_source(volume, here)
        faults += label(name, f"{here}.name") if name else [required(f"{here}.name")]
        if name in valid:
            faults.append(duplicate(f"{here}.name", name))
        if faults:
            errors += faults
        else:
            valid[name] = volume
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        if claim and claim in created:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(f"{here}.persistentVolumeClaim.claimName", claim, text))
    return valid, errors


def validate_source(volume: Json, path: str) -> list[FieldError]:
    """Exactly one source, and a good one."""
    errors: list[FieldError] = []
    found = False
    for kind, check in _SOURCES.items():
        source = volume.get(kind)
        if source is None:
            continue
        if found:
            errors.append(forbidden(f"{path}.{kind}", "may not specify more than 1 volume type"))
            continue
        found = True
        errors += check(source, f"{path}.{kind}")
    if not found:
        errors.append(required(path, "must specify a volume type"))
    return errors


def _needs(*fields: str) -> Callable[[Json, str], list[FieldError]]:
    def check(source: Json, path: str) -> list[FieldError]:
        return [required(f"{path}.{field}") for field in fields if not source.get(field)]

    return check


def _empty_dir(source: Json, path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and quantity(limit) < quantity("0"):
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def host_path(source: Json, path: str) -> list[FieldError]:
    if not source.get("path"):
        return [required(f"{path}.path")]
    errors = no_backsteps(source["path"], f"{path}.path")
    if source.get("type") is not None:
        errors += supported(source["type"], HOST_PATH_TYPES, f"{path}.type")
    return errors


def _git_repo(source: Json, path: str) -> list[FieldError]:
    errors = [] if source.get("repository") else [required(f"{path}.repository")]
    return errors + descending_path(source.get("directory", ""), f"{path}.directory")


def _secret(source: Json, path: str) -> list[FieldError]:
    errors = [] if source.get("secretName") else [required(f"{path}.secretName")]
    return errors + _items(source, path)


def _config_map(source: Json, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name")]
    return errors + _items(source, path)


def _items(source: Json, path: str) -> list[FieldError]:
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, item in enumerate(source.get("items", ())):
        errors += _item(item, f"{path}.items[{index}]")
    return errors


def _item(item: Json, path: str) -> list[FieldError]:
    errors = [required(f"{path}.{field}") for field in ("key", "path") if not item.get(field)]
    errors += unreserved_path(item.get("path", ""), f"{path}.path")
    return errors + file_mode(item.get("mode"), f"{path}.mode")


def nfs(source: Json, path: str) -> list[FieldError]:
    errors = [required(f"{path}.{field}") for field in ("server", "path") if not source.get(field)]
    if not source.get("path", "").startswith("/"):
        errors.append(invalid(f"{path}.path", source.get("path", ""), "must be an absolute path"))
    return errors


def _downward(source: Json, path: str) -> list[FieldError]:
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items", ()):
        errors += _downward_file(item, path)
    return errors


def _downward_file(item: Json, path: str) -> list[FieldError]:
    errors = [] if item.get("path") else [required(f"{path}.path")]
    errors += unreserved_path(item.get("path", ""), f"{path}.path")
    if "fieldRef" in item:
        errors += field_ref(item["fieldRef"], VOLUME_FIELDS, f"{path}.fieldRef")
        if "resourceFieldRef" in item:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid(path, "resource", text))
    elif "resourceFieldRef" in item:
        errors += resource_field_ref(item["resourceFieldRef"], f"{path}.resourceFieldRef", volume=True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + file_mode(item.get("mode"), f"{path}.mode")


def _projected(source: Json, path: str) -> list[FieldError]:
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    paths: set[str] = set()

    def claim(where: str, value: str) -> None:
        if where and where in paths:
            errors.append(invalid(path, value, "conflicting duplicate paths"))
        paths.add(where)

    projections: list[Json] = source.get("sources") or []
    for index, projection in enumerate(projections):
        here = f"{path}.sources[{index}]"
        for kind in ("secret", "configMap"):
            if not projection.get(kind):
                continue
            part = projection[kind]
            if not part.get("name"):
                errors.append(required(f"{here}.{kind}.name"))
            for at, item in enumerate(part.get("items", ())):
                errors += _item(item, f"{here}.{kind}.items[{at}]")
                claim(item.get("path", ""), part.get("name", ""))
        if "downwardAPI" in projection:
            for item in projection["downwardAPI"].get("items", ()):
                errors += _downward_file(item, f"{here}.downwardAPI")
                claim(item.get("path", ""), item.get("path", ""))
        if "serviceAccountToken" in projection:
            errors += _token(projection["serviceAccountToken"], f"{here}.serviceAccountToken", path)
            claim(projection["serviceAccountToken"].get("path", ""), projection["serviceAccountToken"].get("path", ""))
        if len(projection) > 1:
            errors.append(forbidden(here, "may not specify more than 1 volume type"))
    return errors


def _token(token: Json, path: str, volume: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds = token.get("expirationSeconds", 0)
    if seconds < 600:
        errors.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds > 1 << 32:
        errors.append(
            invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
        )
    if not token.get("path"):
        errors.append(required(f"{volume}.path"))
    else:
        errors += unreserved_path(token["path"], f"{volume}.path")
    return errors


def _ephemeral(source: Json, path: str) -> list[FieldError]:
    from hansa.apiserver.builtin.persistentvolumeclaim import validate_claim_spec

    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{path}.volumeClaimTemplate")]
    return validate_claim_spec(template["spec"], f"{path}.volumeClaimTemplate.spec")


def _accept(source: Json, path: str) -> list[FieldError]:
    del source, path
    return []


_SOURCES: dict[str, Callable[[Json, str], list[FieldError]]] = {
    "emptyDir": _empty_dir,
    "hostPath": host_path,
    "gitRepo": _git_repo,
    "gcePersistentDisk": _needs("pdName"),
    "awsElasticBlockStore": _needs("volumeID"),
    "secret": _secret,
    "nfs": nfs,
    "iscsi": _needs("targetPortal", "iqn"),
    "glusterfs": _needs("endpoints", "path"),
    "flocker": _accept,
    "persistentVolumeClaim": _needs("claimName"),
    "rbd": _needs("monitors", "image"),
    "cinder": _needs("volumeID"),
    "cephfs": _needs("monitors"),
    "downwardAPI": _downward,
    "fc": _accept,
    "configMap": _config_map,
    "azureFile": _needs("secretName", "shareName"),
    "flexVolume": _needs("driver"),
    "vsphereVolume": _needs("volumePath"),
    "quobyte": _needs("registry", "volume"),
    "azureDisk": _needs("diskName", "diskURI"),
    "storageos": _needs("volumeName"),
    "projected": _projected,
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "scaleIO": _needs("gateway", "system", "volumeName"),
    "csi": _needs("driver"),
    "ephemeral": _ephemeral,
    "image": _needs("reference"),
}
