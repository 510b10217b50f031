"""CustomResourceDefinitions: what they make the server serve, and their own conditions.

A definition is served in the same write that stores it. Conversion between versions is `None`: only apiVersion changes.
"""

from __future__ import annotations

from typing import Any

from hansa.api.meta import GVK, Json, Resource
from hansa.apiserver.builtin import rules_for
from hansa.apiserver.context import Context
from hansa.apiserver.resources import CUSTOM_VERBS, CustomVersion, Served, Subresource, version_priority
from hansa.apiserver.storage import Entry, Event
from hansa.base.clock import rfc3339
from hansa.base.patch import equal_json

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_SCALE = GVK("autoscaling", "v1", "Scale")


class Customs:
    """Keeps the table of resources equal to the stored definitions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._serving: dict[str, Json] = {}
        for entry in context.storage.bucket(DEFINITIONS).entries.values():
            self._serve(entry.json())
        context.storage.subscribe(self._hear)

    def _hear(self, bucket: str, event: Event) -> None:
        if bucket != DEFINITIONS:
            return
        obj = event.new.json()
        if event.deleted:
            self._serving.pop(obj["metadata"]["name"], None)
            self._context.resources.replace(obj["metadata"]["name"], ())
            return
        self._serve(obj)
        self._settle_status(event.new, obj)

    def _serve(self, definition: Json) -> None:
        name, spec = definition["metadata"]["name"], definition["spec"]
        if not self._conflict(definition):
            if self._serving.get(name) != spec:
                self._serving[name] = spec
                self._context.resources.replace(name, _served(definition))
                self._migrate(name, f"{spec['group']}/{_storage_version(spec)}")
        elif name in self._serving:
            del self._serving[name]
            self._context.resources.replace(name, ())

    def _migrate(self, name: str, api_version: str) -> None:
        """Store objects anew that were stored in another version than now."""
        storage = self._context.storage
        bucket = storage.bucket(name)
        first = next(iter(bucket.entries.values()), None)
        if first is None or first.json()["apiVersion"] == api_version:
            return
        for entry in list(bucket.entries.values()):
            storage.put(bucket, {**entry.json(), "apiVersion": api_version}, entry)

    def _conflict(self, definition: Json) -> str:
        """Why the names of a definition cannot be served: another resource of the group has one of them."""
        name, spec = definition["metadata"]["name"], definition["spec"]
        names = spec["names"]
        wanted = {names["plural"], names.get("singular", ""), *(names.get("shortNames") or ())} - {""}
        for served in self._context.resources.all():
            if served.resource.group != spec["group"] or (served.custom and served.custom.definition == name):
                continue
            taken = wanted & {served.resource.plural, served.singular, *served.short_names}
            if taken:
                return f'"{sorted(taken)[0]}" is already in use'
            if served.resource.kind == names["kind"]:
                return f'"{names["kind"]}" is already in use'
        return ""

    def _settle_status(self, entry: Entry, definition: Json) -> None:
        status = dict(definition.get("status") or {})
        now = rfc3339(self._context.clock.now())
        conflict = self._conflict(definition)
        accepted = {**definition["spec"]["names"]}
        accepted.setdefault("singular", definition["spec"]["names"]["kind"].lower())
        conditions: list[Json] = list(status.get("conditions") or ())
        if conflict:
            _set(conditions, "NamesAccepted", "False", "PluralConflict", conflict, now)
            _set(conditions, "Established", "False", "NotAccepted", "not all names are accepted", now)
        else:
            _set(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
            _set(conditions, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted", now)
            status["acceptedNames"] = accepted
        status["conditions"] = conditions
        stored = next((v["name"] for v in definition["spec"]["versions"] if v.get("storage")), None)
        versions: list[str] = list(status.get("storedVersions") or ())
        if stored and stored not in versions:
            versions.append(stored)
        status["storedVersions"] = versions
        if equal_json(status, definition.get("status")):
            return
        bucket = self._context.storage.bucket(DEFINITIONS)
        if bucket.entries.get(entry.key) is entry:
            self._context.storage.put(bucket, {**definition, "status": status}, entry)


def begin_removal(definition: Json, now: str) -> None:
    """A definition that is being deleted holds on until its objects are gone."""
    finalizers: list[str] = definition["metadata"].setdefault("finalizers", [])
    if CLEANUP not in finalizers:
        definition["metadata"]["finalizers"] = [*finalizers, CLEANUP]
    status = definition["status"] = dict(definition.get("status") or {})
    conditions: list[Json] = list(status.get("conditions") or ())
    _set(conditions, "Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress", now)
    status["conditions"] = conditions


def _storage_version(spec: Json) -> str:
    return next((v["name"] for v in spec["versions"] if v.get("storage")), spec["versions"][0]["name"])


def _served(definition: Json) -> list[Served]:
    spec = definition["spec"]
    group, names = spec["group"], spec["names"]
    storage = _storage_version(spec)
    found: list[Served] = []
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        resource = Resource(group, version["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced")
        found.append(
            Served(
                resource,
                f"{names['plural']}.{group}",
                rules_for(resource.gvk),
                resource.gvk._replace(version=storage),
                names.get("singular") or names["kind"].lower(),
                tuple(names.get("shortNames") or ()),
                tuple(names.get("categories") or ()),
                CUSTOM_VERBS,
                _subresources(version, resource),
                _version(definition, version),
            )
        )
    return found


def _subresources(version: Json, resource: Resource) -> dict[str, Subresource]:
    declared: Json = version.get("subresources") or {}
    found: dict[str, Subresource] = {}
    verbs = ("get", "patch", "update")
    if "status" in declared:
        found["status"] = Subresource("status", resource.gvk, verbs)
    if "scale" in declared:
        found["scale"] = Subresource("scale", _SCALE, verbs)
    return found


def _version(definition: Json, version: Json) -> CustomVersion:
    schema: Json = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    declared: Json = version.get("subresources") or {}
    preserves: Any = definition["spec"].get("preserveUnknownFields") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    return CustomVersion(
        definition["metadata"]["name"],
        schema,
        tuple(version.get("additionalPrinterColumns") or ()),
        declared.get("scale"),
        "status" in declared,
        bool(preserves) or not schema,
        _deprecation(definition["spec"], version),
    )


def _deprecation(spec: Json, version: Json) -> str:
    """What whoever asks for this version is warned of: the definition's own words, or what to use instead."""
    if not version.get("deprecated"):
        return ""
    group, kind, name = spec["group"], spec["names"]["kind"], version["name"]
    lasting = [each["name"] for each in spec["versions"] if each.get("served") and not each.get("deprecated")]
    better = [each for each in lasting if version_priority(each) < version_priority(name)]
    instead = f"; use {group}/{min(better, key=version_priority)} {kind}" if better else ""
    return version.get("deprecationWarning") or f"{group}/{name} {kind} is deprecated{instead}"


def _set(conditions: list[Json], kind: str, status: str, reason: str, message: str, now: str) -> None:
    found = next((c for c in conditions if c.get("type") == kind), None)
    if found is not None and (found["status"], found.get("reason"), found.get("message")) == (status, reason, message):
        return
    moved = now if found is None or found["status"] != status else found.get("lastTransitionTime", now)
    entry = {"type": kind, "status": status, "lastTransitionTime": moved, "reason": reason, "message": message}
    if found is None:
        conditions.append(entry)
    else:
        conditions[conditions.index(found)] = entry
