"""Checks of metadata, for every kind (custom ones too)."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import each, immutable, label_faults, labels, nonnegative
from hansa.apiserver.builtin.rules import NameCheck
from hansa.apiserver.builtin.shape import in_order
from hansa.base.field import FieldError, forbidden, invalid, not_supported, required, too_long
from hansa.base.names import dns1123_label, dns1123_subdomain, path_segment, qualified_name

ANNOTATIONS_LIMIT = 256 * 1024
STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))
_UNCHANGEABLE = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def _masked(name: str, prefix: bool) -> str:
    """A generateName may end in a dash: what follows makes it a name."""
    return f"{name[:-2]}a" if prefix and len(name) > 1 and name.endswith("-") else name


def subdomain_name(name: str, prefix: bool) -> list[str]:
    return dns1123_subdomain(_masked(name, prefix))


def label_name(name: str, prefix: bool) -> list[str]:
    return label_faults(_masked(name, prefix))


def path_segment_name(name: str, prefix: bool) -> list[str]:
    """Names of RBAC kinds: whatever can be part of a path."""
    faults = path_segment(name)
    return [fault for fault in faults if not fault.startswith("may not be")] if prefix else faults


def validate_meta(
    obj: Json, *, namespaced: bool, name: NameCheck, path: str = "metadata", custom: bool = False
) -> list[FieldError]:
    """Faults of an object's metadata on creation (and of what stays checked on update).

    `custom`: custom resources may have finalizers without a domain.
    """
    meta: Json = obj.get("metadata") or {}
    errors: list[FieldError] = []
    prefix, given = meta.get("generateName", ""), meta.get("name", "")
    if prefix:
        errors += each(f"{path}.generateName", prefix, name(prefix, True))
    if not given:
        errors.append(required(f"{path}.name", "name or generateName is required"))
    else:
        faults = name(given, False)
        if faults:
            errors += each(f"{path}.name", given, faults)
    namespace = meta.get("namespace", "")
    if namespaced:
        if not namespace:
            errors.append(required(f"{path}.namespace"))
        else:
            errors += each(f"{path}.namespace", namespace, dns1123_label(namespace))
    elif namespace:
        errors.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    errors += nonnegative(meta.get("generation"), f"{path}.generation")
    errors += _borne(meta, path)
    if meta.get("finalizers"):
        errors += _finalizers(meta["finalizers"], f"{path}.finalizers")
    if meta.get("managedFields"):
        errors += _managed(meta["managedFields"], f"{path}.managedFields")
    if not custom:
        text = "name is neither a standard finalizer name nor is it fully qualified"
        for index, finalizer in enumerate(meta.get("finalizers") or ()):
            if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
                errors.append(invalid(f"{path}.finalizers[{index}]", finalizer, text))
    return errors


def _borne(meta: Json, path: str) -> list[FieldError]:
    """Faults of what an object bears from its creation on, however it changes."""
    errors: list[FieldError] = []
    if meta.get("labels"):
        errors += labels(meta["labels"], f"{path}.labels")
    if meta.get("annotations"):
        errors += validate_annotations(meta["annotations"], f"{path}.annotations")
    if meta.get("ownerReferences"):
        errors += _owners(meta["ownerReferences"], f"{path}.ownerReferences")
    return errors


def validate_annotations(annotations: Json | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    total = 0
    for key, value in (annotations or {}).items():
        faults = qualified_name(key.lower())
        if faults:
            errors += each(path, key, faults)
        total += len(key.encode()) + len(value.encode())
    if total > ANNOTATIONS_LIMIT:
        errors.append(too_long(path, ANNOTATIONS_LIMIT))
    return errors


def _owners(owners: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for index, owner in enumerate(owners):
        here = f"{path}[{index}]"
        version, kind = owner.get("apiVersion", ""), owner.get("kind", "")
        if not version:
            errors.append(required(f"{here}.apiVersion", "must not be empty"))
        elif version.count("/") > 1 or version.endswith("/"):
            errors.append(invalid(f"{here}.apiVersion", version, "must be <group>/<version> or <version>"))
        errors += [
            required(f"{here}.{field}", "must not be empty")
            for field in ("kind", "name", "uid")
            if not owner.get(field)
        ]
        if (version, kind) == ("v1", "Event"):
            errors.append(invalid(here, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            current = f"{kind}/{owner.get('name', '')}"
            if controller:
                text = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {current}"
                )
                errors.append(invalid(path, in_order(owners, "meta.OwnerReference"), text))
            else:
                controller = current
    return errors


def _finalizers(finalizers: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for finalizer in finalizers:
        errors += each(path, finalizer, qualified_name(finalizer))
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        errors.append(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    return errors


def _managed(entries: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        here = f"{path}[{index}]"
        operation = entry.get("operation", "")
        if not operation:
            errors.append(required(f"{here}.operation", "must not be empty"))
        elif operation not in ("Apply", "Update"):
            errors.append(not_supported(f"{here}.operation", operation, ["Apply", "Update"]))
        if entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            errors.append(invalid(f"{here}.fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
        if len(entry.get("manager", "")) > 128:
            errors.append(too_long(f"{here}.manager", 128))
    return errors


def validate_meta_update(new: Json, old: Json, path: str = "metadata") -> list[FieldError]:
    """What an update may not change in metadata, and what stays checked."""
    meta, before = new.get("metadata") or {}, old.get("metadata") or {}
    errors: list[FieldError] = []
    if before.get("deletionTimestamp"):
        added = sorted(set(meta.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            names = ", ".join(f'"{name}"' for name in added)
            text = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{names}}}"
            )
            errors.append(forbidden(f"{path}.finalizers", text))
    if not meta.get("resourceVersion"):
        errors.append(
            invalid(f"{path}.resourceVersion", meta.get("resourceVersion", ""), "must be specified for an update")
        )
    generation, previous = meta.get("generation", 0), before.get("generation", 0)
    errors += nonnegative(generation, f"{path}.generation")
    if generation < previous:
        errors.append(invalid(f"{path}.generation", generation, "must not be decremented"))
    errors += immutable(meta.get("name", ""), before.get("name", ""), f"{path}.name")
    errors += immutable(meta.get("namespace", ""), before.get("namespace", ""), f"{path}.namespace")
    for field in _UNCHANGEABLE:
        errors += immutable(meta.get(field), before.get(field), f"{path}.{field}")
    errors += _borne(meta, path)
    if meta.get("managedFields"):
        errors += _managed(meta["managedFields"], f"{path}.managedFields")
    return errors
