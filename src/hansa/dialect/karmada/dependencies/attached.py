"""The binding of a dependency: born with the first binding that needs it, shared with every other one.

It has no placement of its own, unless a policy claims the dependency too; it goes where those go that need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import BindingSpec
from hansa.base.names import binding_name
from hansa.base.patch import equal_json, merge_diff

CONFLICT = "ConflictResolution conflicted (Overwrite vs Abort)"
PRESERVE = "PreserveResourcesOnDeletion conflicted (true vs false)"


class Shared(NamedTuple):
    """What several dependents want together. `conflicts` are told to the user, empty when all agree."""

    conflict_resolution: str
    preserve: bool
    conflicts: tuple[str, ...]

    @property
    def message(self) -> str:
        return f"Dependency policy conflict detected: {'; '.join(self.conflicts)}."


def shared(dependents: Iterable[BindingSpec]) -> Shared:
    """Overwrite wins over Abort, and keeping over deleting."""
    resolutions: set[bool] = set()
    preserves: set[bool] = set()
    for spec in dependents:
        resolutions.add(spec.conflict_resolution == "Overwrite")
        preserves.add(bool(spec.preserve_resources_on_deletion))
    both = {True, False}
    conflicts = (*((CONFLICT,) if resolutions == both else ()), *((PRESERVE,) if preserves == both else ()))
    return Shared("Overwrite" if True in resolutions else "Abort", True in preserves, conflicts)


def snapshot(dependent: Item, spec: BindingSpec) -> Json:
    """An entry of `requiredBy`."""
    entry: Json = {"namespace": dependent.meta.namespace, "name": dependent.meta.name}
    if spec.clusters:
        entry["clusters"] = msgspec.to_builtins(spec.clusters)
    return entry


def key_of(dependency: Item) -> Key:
    return Key(dependency.meta.namespace, binding_name(dependency.meta.name, dependency.kind))


def born(dependency: Item, labels: dict[str, str], required_by: Sequence[Json], wants: Shared) -> Json:
    """An attached binding that is not there yet."""
    key = key_of(dependency)
    return {
        "apiVersion": scheme.RESOURCE_BINDINGS.api_version,
        "kind": scheme.RESOURCE_BINDINGS.kind,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": labels,
            "finalizers": [names.BINDING_FINALIZER],
            "ownerReferences": [dependency.as_owner()],
        },
        "spec": {"resource": dependency.as_resource(), "requiredBy": list(required_by), **_policy(wants)},
    }


def _policy(wants: Shared) -> Json:
    return {"conflictResolution": wants.conflict_resolution, "preserveResourcesOnDeletion": wants.preserve}


def merged(required_by: Any, entry: Json) -> list[Json]:
    """`requiredBy` with the entry of one dependent, in its place or at the end."""
    entries: list[Json] = list(required_by or ())
    for position, old in enumerate(entries):
        if _same(old, entry):
            entries[position] = entry
            return entries
    return [*entries, entry]


def without(required_by: Any, dependent: Key) -> list[Json]:
    gone = {"namespace": dependent.namespace, "name": dependent.name}
    return [entry for entry in required_by or () if not _same(entry, gone)]


def _same(one: Json, other: Json) -> bool:
    return (one.get("namespace", ""), one["name"]) == (other.get("namespace", ""), other["name"])


def changes(
    existing: Item,
    *,
    labels: Mapping[str, str | None],
    required_by: Sequence[Json],
    resource: Json | None,
    wants: Shared | None,
) -> Json | None:
    """The merge patch of an attached binding, None for nothing to do. Without `wants` a policy of its own rules."""
    old = existing.json()
    spec: Json = old.get("spec") or {}
    patch: Json = {}
    have = old["metadata"].get("labels") or {}
    changed = {key: value for key, value in labels.items() if have.get(key) != value}
    if changed:
        patch["metadata"] = {"labels": changed}
    change: Json = {}
    if not equal_json(spec.get("requiredBy") or [], list(required_by)):
        change["requiredBy"] = list(required_by) or None
    if resource is not None and not equal_json(spec.get("resource"), resource):
        change["resource"] = merge_diff(spec.get("resource") or {}, resource)
    if wants is not None:
        policy: Json = _policy(wants) if required_by else dict.fromkeys(_policy(wants))
        defaults = {"conflictResolution": "Abort", "preserveResourcesOnDeletion": None}
        for name, value in policy.items():
            if spec.get(name, defaults[name]) != (defaults[name] if value is None else value):
                change[name] = value
    if change:
        patch["spec"] = change
    return patch or None


def only_version_differs(patch: Json) -> bool:
    """Whether the patch says no more than that the dependency has another resourceVersion."""
    return (
        set(patch) == {"spec"}
        and set(patch["spec"]) == {"resource"}
        and set(patch["spec"]["resource"]) == {"resourceVersion"}
    )
