"""CustomResourceDefinition: defaults, checks, columns. What it makes the server serve is the concern of `customs`."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.fallback import NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.rules import Column, WriteContext
from hansa.base.field import FieldError, invalid, not_supported, required
from hansa.base.names import dns1035_label, dns1123_subdomain

_GVK = GVK("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_SCHEMA = "openAPIV3Schema"


def _default(obj: Json) -> None:
    spec: Json = obj.setdefault("spec", {})
    names: Json = spec.setdefault("names", {})
    kind = names.get("kind", "")
    if kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if spec.get("preserveUnknownFields") is False:
        del spec["preserveUnknownFields"]
    for version in spec.get("versions") or ():
        for field in ("served", "storage"):
            version.setdefault(field, False)
    meta = obj.setdefault("metadata", {})
    for field in [name for name, value in meta.items() if value is None]:
        del meta[field]


def _create(obj: Json, context: WriteContext) -> None:
    del context
    obj["metadata"]["generation"] = 1
    stored = [v.get("name", "") for v in obj["spec"].get("versions") or () if v.get("storage")]
    names = {"plural": "", "kind": ""}
    obj["status"] = {"conditions": None, "acceptedNames": names, "storedVersions": stored[:1] or None}


def _check(obj: Json) -> list[FieldError]:
    spec: Json = obj["spec"]
    names: Json = spec.get("names") or {}
    errors: list[FieldError] = []
    group, plural = spec.get("group", ""), names.get("plural", "")
    if obj["metadata"].get("name") != f"{plural}.{group}":
        text = 'must be spec.names.plural+"."+spec.group'
        errors.append(invalid("metadata.name", obj["metadata"].get("name", ""), text))
    errors += _group(group)
    scope = spec.get("scope", "")
    if not scope:
        errors.append(required("spec.scope"))
    elif scope not in ("Cluster", "Namespaced"):
        errors.append(not_supported("spec.scope", scope, ["Cluster", "Namespaced"]))
    errors += _names(names) + _versions(spec.get("versions") or [])
    return errors


def _group(group: str) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    faults = dns1123_subdomain(group)
    if faults:
        return [invalid("spec.group", group, ",".join(faults))]
    if "." not in group:
        return [invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _names(names: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("plural", "singular", "kind", "listKind"):
        value = names.get(field, "")
        path = f"spec.names.{field}"
        if not value:
            errors.append(required(path))
            continue
        faults = dns1035_label(value.lower())
        if faults:
            mixed = "may have mixed case, but should otherwise match: " if field in ("kind", "listKind") else ""
            errors.append(invalid(path, value, mixed + ",".join(faults)))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        errors.append(invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))
    for index, short in enumerate(names.get("shortNames") or ()):
        faults = dns1035_label(short)
        if faults:
            errors.append(invalid(f"spec.names.shortNames[{index}]", short, ",".join(faults)))
    return errors


def _versions(versions: list[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    if not versions:
        errors.append(required("spec.versions", "must have at least one version"))
    elif sum(bool(version.get("storage")) for version in versions) != 1:
        errors.append(invalid("spec.versions", versions, "must have exactly one version marked as storage version"))
        if not any(version.get("storage") for version in versions):
            errors.append(invalid("status.storedVersions", None, "must have at least one stored version"))
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name", "")
        faults = dns1035_label(name)
        if faults:
            errors.append(invalid(f"{path}.name", name, ",".join(faults)))
        elif name in seen:
            errors.append(invalid(f"{path}.name", name, "must be unique"))
        seen.add(name)
        schema = (version.get("schema") or {}).get(_SCHEMA)
        if schema is None:
            errors.append(required(f"{path}.schema.{_SCHEMA}"))
        else:
            where = f"{path}.schema.{_SCHEMA}" if len(versions) > 1 else f"spec.validation.{_SCHEMA}"
            errors += _structural(schema, where, root=True)
    return errors


def _structural(schema: Json, path: str, *, root: bool = False) -> list[FieldError]:
    """What keeps a schema from being structural (KEP 1693), as far as it concerns types."""
    errors: list[FieldError] = []
    kind = schema.get("type", "")
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if root and kind != "object":
        return [
            required(f"{path}.type", "must not be empty at the root")
            if not kind
            else invalid(f"{path}.type", kind, "must be object at the root")
        ]
    if kind and kind not in _TYPES:
        errors.append(not_supported(f"{path}.type", kind, list(_TYPES)))
    if not kind and not free:
        errors.append(required(f"{path}.type", "must not be empty for specified object fields"))
    if schema.get("x-kubernetes-list-type") and kind != "array":
        errors.append(invalid(f"{path}.type", kind, "must be array if x-kubernetes-list-type is specified"))
    if kind == "array" and "items" not in schema:
        errors.append(required(f"{path}.items", "must be specified"))
    for name, inner in sorted((schema.get("properties") or {}).items()):
        if not (root and name in ("metadata", "apiVersion", "kind")):
            errors += _structural(inner, f"{path}.properties[{name}]")
    items, additional = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        errors += _structural(items, f"{path}.items")
    if isinstance(additional, dict):
        errors += _structural(additional, f"{path}.additionalProperties")
    return errors


def _check_update(new: Json, old: Json) -> list[FieldError]:
    """Once established, scope and kind stay."""
    established = any(
        c.get("type") == "Established" and c.get("status") == "True"
        for c in (old.get("status") or {}).get("conditions") or ()
    )
    errors: list[FieldError] = []
    pairs = [("spec.group", new["spec"].get("group"), old["spec"].get("group"))]
    pairs.append(("spec.names.plural", new["spec"]["names"].get("plural"), old["spec"]["names"].get("plural")))
    if established:
        pairs.append(("spec.scope", new["spec"].get("scope"), old["spec"].get("scope")))
        pairs.append(("spec.names.kind", new["spec"]["names"].get("kind"), old["spec"]["names"].get("kind")))
    for path, now, before in pairs:
        if now != before:
            errors.append(invalid(path, now, "field is immutable"))
    stored: list[str] = (old.get("status") or {}).get("storedVersions") or []
    declared = {version.get("name") for version in new["spec"].get("versions") or ()}
    for index, version in enumerate(stored):
        if version not in declared:
            text = "missing from spec.versions; "
            text += f"{version} was previously a storage version, and must remain in spec.versions until a storage "
            text += "migration ensures no data remains persisted in it"
            text += f" and removes {version} from status.storedVersions"
            errors.append(invalid(f"status.storedVersions[{index}]", version, text))
    return errors


def _shown_versions(obj: Json) -> str:
    """Those that are served."""
    served = [version for version in obj["spec"].get("versions") or () if version.get("served")]
    return ",".join(sorted(f"{each['name']}(storage)" if each.get("storage") else each["name"] for each in served))


def _is_established(obj: Json) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any((each.get("type"), each.get("status")) == ("Established", "True") for each in conditions)


def _created(obj: Json, now: Any) -> Any:
    del now
    return obj["metadata"].get("creationTimestamp")


RULES = {
    _GVK: make(
        _GVK,
        namespaced=False,
        defaults=_default,
        checks=_check,
        update_checks=_check_update,
        status=True,
        counted=("spec",),
        columns=(
            NAME,
            column("Scope", lambda obj: obj["spec"].get("scope", "")),
            column("Versions", _shown_versions),
            Column("Created At", _created, type="date", description="Time at which the definition was created."),
            column("Group", lambda obj: obj["spec"].get("group", ""), wide=True),
            column("Kind", lambda obj: obj["spec"]["names"].get("kind", ""), wide=True),
            column("ShortNames", lambda obj: ",".join(obj["spec"]["names"].get("shortNames") or ()), wide=True),
            column("Established", _is_established, "boolean", wide=True),
        ),
        prepare_create=_create,
    )
}
