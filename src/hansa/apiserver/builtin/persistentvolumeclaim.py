"""core/v1 PersistentVolumeClaim and PersistentVolume, storage.k8s.io/v1 StorageClass."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import UNSET
from hansa.apiserver.builtin.checks import IMMUTABLE, each, immutable, label_selector, one_of, subdomain, supported
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.internal import difference
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.pod_defaults import default_claim_spec
from hansa.apiserver.builtin.resource_checks import quantity, validate_name
from hansa.apiserver.builtin.rules import WriteContext
from hansa.apiserver.builtin.scheduling_checks import validate_node_selector
from hansa.apiserver.builtin.volume_checks import host_path, nfs
from hansa.base.clock import rfc3339
from hansa.base.field import FieldError, forbidden, invalid, not_supported, required
from hansa.base.names import dns1123_subdomain, qualified_name

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_CLASS = "volume.beta.kubernetes.io/storage-class"
_RECLAIM = ("Delete", "Recycle", "Retain")
_SOURCES = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
]


def default_claim(claim: Json) -> None:
    """A PersistentVolumeClaim, also as it stands in a StatefulSet."""
    default_claim_spec(claim["spec"])
    status: Json = claim.setdefault("status", {})
    if "phase" not in status:
        status["phase"] = "Pending"


def validate_claim_spec(spec: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    errors += label_selector(spec.get("selector"), f"{path}.selector")
    for mode in modes:
        errors += supported(mode, _MODES, f"{path}.accessModes")
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        text = "may not use ReadWriteOncePod with other access modes"
        errors.append(forbidden(f"{path}.accessModes", text))
    requests: Json = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        errors.append(required(f"{path}.resources[storage]"))
    elif quantity(requests["storage"]) <= quantity("0"):
        errors.append(invalid(f"{path}.resources[storage]", requests["storage"], "must be greater than zero"))
    name = spec.get("storageClassName")
    if name:
        errors += subdomain(name, f"{path}.storageClassName")
    if spec.get("volumeMode") is not None:
        errors += supported(spec["volumeMode"], ("Block", "Filesystem"), f"{path}.volumeMode")
    for field in ("dataSource", "dataSourceRef"):
        source = spec.get(field)
        if source is not None:
            errors += _data_source(source, f"{path}.{field}")
    return errors


def _data_source(source: Json, path: str) -> list[FieldError]:
    errors = [required(f"{path}.{key}") for key in ("name", "kind") if not source.get(key)]
    if not source.get("apiGroup") and source.get("kind") != "PersistentVolumeClaim":
        text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(invalid(path, source.get("kind", ""), text))
    return errors


def _claim(obj: Json) -> list[FieldError]:
    return validate_claim_spec(obj["spec"], "spec")


def _claim_update(new: Json, old: Json) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors: list[FieldError] = []
    munged = dict(spec)
    if not before.get("volumeName") and "volumeName" in munged:
        del munged["volumeName"]
    bound = (old.get("status") or {}).get("phase") == "Bound"
    wanted, had = _storage(spec), _storage(before)
    if bound and wanted is not None:
        munged["resources"] = before.get("resources", {})
    if not before.get("storageClassName") and "storageClassName" not in before:
        munged.pop("storageClassName", None)
    if "volumeAttributesClassName" in spec:
        munged["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
        if munged["volumeAttributesClassName"] is None:
            del munged["volumeAttributesClassName"]
    if munged != before:
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        changes = difference("PersistentVolumeClaimSpec", before, munged)
        errors.append(forbidden("spec", f"{text}\n{changes}"))
    if bound and wanted is not None and had is not None and quantity(wanted) < quantity(had):
        have = ((old.get("status") or {}).get("capacity") or {}).get("storage")
        if have is None or quantity(wanted) <= quantity(have):
            text = "field can not be less than status.capacity"
            errors.append(forbidden("spec.resources.requests.storage", text))
    return errors + immutable(spec.get("volumeMode"), before.get("volumeMode"), "spec.volumeMode")


def _storage(spec: Json) -> str | None:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage")


def _default_volume(obj: Json) -> None:
    spec: Json = obj["spec"]
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    status: Json = obj.setdefault("status", {})
    if "phase" not in status:
        status["phase"] = "Pending"


def _volume(obj: Json) -> list[FieldError]:
    spec = obj["spec"]
    errors: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if not modes:
        errors.append(required("spec.accessModes"))
    for mode in modes:
        errors += supported(mode, _MODES, "spec.accessModes")
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        errors.append(forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"))
    capacity: Json = spec.get("capacity") or {}
    if not capacity:
        errors.append(required("spec.capacity"))
    if "storage" not in capacity or len(capacity) > 1:
        errors.append(not_supported("spec.capacity", spec.get("capacity"), ["storage"]))
    for name, amount in capacity.items():
        path = f"spec.capacity[{name}]"
        errors += validate_name(name, path)
        if quantity(amount) <= quantity("0"):
            errors.append(invalid(path, amount, "must be greater than zero"))
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy:
        errors += supported(policy, _RECLAIM, "spec.persistentVolumeReclaimPolicy")
    affinity = spec.get("nodeAffinity")
    if affinity is not None and affinity.get("required") is not None:
        errors += validate_node_selector(affinity["required"], "spec.nodeAffinity.required")
    errors += _source(spec)
    name = spec.get("storageClassName", "")
    if name:
        errors += each("spec.storageClassName", name, dns1123_subdomain(name))
    if spec.get("volumeMode") is not None:
        errors += supported(spec["volumeMode"], ("Block", "Filesystem"), "spec.volumeMode")
    return errors


def _source(spec: Json) -> list[FieldError]:
    given = [kind for kind in _SOURCES if spec.get(kind) is not None]
    if not given:
        return [required("spec", "must specify a volume type")]
    errors: list[FieldError] = []
    first = given[0]
    if first == "hostPath":
        errors += host_path(spec[first], "spec.hostPath")
    elif first == "nfs":
        errors += nfs(spec[first], "spec.nfs")
    elif first == "local":
        if not spec[first].get("path"):
            errors.append(required("spec.local.path"))
        if spec.get("nodeAffinity") is None:
            errors.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    elif first == "csi":
        errors += [required(f"spec.csi.{field}") for field in ("driver", "volumeHandle") if not spec[first].get(field)]
    text = "may not specify more than 1 volume type"
    return errors + [forbidden(f"spec.{kind}", text) for kind in given[1:]]


def _volume_update(new: Json, old: Json) -> list[FieldError]:
    def source(spec: Json) -> Json:
        return {kind: spec[kind] for kind in _SOURCES if kind in spec}

    spec, before = new["spec"], old["spec"]
    errors: list[FieldError] = []
    if source(spec) != source(before):
        text = "spec.persistentvolumesource is immutable after creation"
        changes = difference("PersistentVolumeSource", source(before), source(spec))
        errors.append(forbidden("spec.persistentvolumesource", f"{text}\n{changes}"))
    errors += immutable(spec.get("volumeMode"), before.get("volumeMode"), "spec.volumeMode")
    if before.get("nodeAffinity") is not None:
        errors += immutable(spec.get("nodeAffinity"), before.get("nodeAffinity"), "spec.nodeAffinity")
    return errors


def _default_class(obj: Json) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _class(obj: Json) -> list[FieldError]:
    provisioner = obj.get("provisioner", "")
    errors = each("provisioner", provisioner, qualified_name(provisioner.lower())) if provisioner else []
    for key in obj.get("parameters") or {}:
        if not key:
            errors.append(invalid("parameters", key, "field can not be empty."))
    errors += supported(obj.get("reclaimPolicy", ""), ("Delete", "Retain"), "reclaimPolicy")
    errors += one_of(obj.get("volumeBindingMode", ""), ("Immediate", "WaitForFirstConsumer"), "volumeBindingMode")
    return errors if provisioner else [*errors, required("provisioner")]


def _class_update(new: Json, old: Json) -> list[FieldError]:
    return [
        invalid(field, None, IMMUTABLE)
        for field in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")
        if new.get(field) != old.get(field)
    ]


def _modes_text(modes: list[str] | None) -> str:
    return ",".join(_SHORT[mode] for mode in _SHORT if mode in (modes or ()))


def _phase(obj: Json) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else (obj.get("status") or {}).get("phase", "")


def _class_name(obj: Json) -> str:
    return (obj["metadata"].get("annotations") or {}).get(_CLASS) or obj["spec"].get("storageClassName") or ""


def _capacity(obj: Json) -> Any:
    if not obj["spec"].get("volumeName"):
        return ""
    return ((obj.get("status") or {}).get("capacity") or {}).get("storage", "0")


def _claim_modes(obj: Json) -> str:
    return _modes_text((obj.get("status") or {}).get("accessModes")) if obj["spec"].get("volumeName") else ""


def _claim_reference(obj: Json) -> str:
    reference = obj["spec"].get("claimRef")
    return f"{reference.get('namespace', '')}/{reference.get('name', '')}" if reference else ""


def _create_claim(obj: Json, context: WriteContext) -> None:
    del context
    obj["metadata"].pop("generation", None)
    obj["status"] = {"phase": "Pending"}
    spec = obj["spec"]
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and (source.get("apiGroup") or "", source.get("kind")) not in _DATA_SOURCES:
        del spec["dataSource"]
    elif source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    local: Json = {} if reference is None or reference.get("namespace") else reference
    if source is None and (local.get("apiGroup") or "", local.get("kind")) in _DATA_SOURCES:
        spec["dataSource"] = {key: local[key] for key in ("apiGroup", "kind", "name") if key in local}


def _create_volume(obj: Json, context: WriteContext) -> None:
    obj["metadata"].pop("generation", None)
    obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": rfc3339(context.now)}


_DATA_SOURCES = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
_CLAIM, _VOLUME = GVK("", "v1", "PersistentVolumeClaim"), GVK("", "v1", "PersistentVolume")
_STORAGE_CLASS = GVK("storage.k8s.io", "v1", "StorageClass")
_ATTRIBUTES = column("VolumeAttributesClass", lambda o: o["spec"].get("volumeAttributesClassName") or UNSET)
_MODE = column("VolumeMode", lambda o: o["spec"].get("volumeMode") or UNSET, wide=True)
RULES = {
    _CLAIM: make(
        _CLAIM,
        defaults=default_claim,
        checks=_claim,
        update_checks=_claim_update,
        status=True,
        prepare_create=_create_claim,
        columns=(
            NAME,
            column("Status", _phase),
            column("Volume", lambda o: o["spec"].get("volumeName", "")),
            column("Capacity", _capacity),
            column("Access Modes", _claim_modes),
            column("StorageClass", _class_name),
            _ATTRIBUTES,
            CREATED,
            _MODE,
        ),
    ),
    _VOLUME: make(
        _VOLUME,
        namespaced=False,
        defaults=_default_volume,
        checks=_volume,
        update_checks=_volume_update,
        status=True,
        prepare_create=_create_volume,
        columns=(
            NAME,
            column("Capacity", lambda o: (o["spec"].get("capacity") or {}).get("storage", "0")),
            column("Access Modes", lambda o: _modes_text(o["spec"].get("accessModes"))),
            column("Reclaim Policy", lambda o: o["spec"].get("persistentVolumeReclaimPolicy", "")),
            column("Status", _phase),
            column("Claim", _claim_reference),
            column("StorageClass", _class_name),
            _ATTRIBUTES,
            column("Reason", lambda o: (o.get("status") or {}).get("reason", "")),
            CREATED,
            _MODE,
        ),
    ),
    _STORAGE_CLASS: make(
        _STORAGE_CLASS,
        namespaced=False,
        defaults=_default_class,
        checks=_class,
        full_recheck=False,
        update_checks=_class_update,
        columns=(
            NAME,
            column("Provisioner", lambda o: o.get("provisioner", "")),
            column("ReclaimPolicy", lambda o: o.get("reclaimPolicy", "Delete")),
            column("VolumeBindingMode", lambda o: o.get("volumeBindingMode", "Immediate")),
            column("AllowVolumeExpansion", lambda o: bool(o.get("allowVolumeExpansion"))),
            CREATED,
        ),
    ),
}
