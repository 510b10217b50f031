"""Bring a Work on the hub to what it should be, with one write or none."""

from __future__ import annotations

from collections.abc import Sequence

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.patch import equal_json, merge_diff
from hansa.kube.client import Client
from hansa.kube.errors import AlreadyExists, NotFound
from hansa.runtime.controller import Retry

RECORDS = (names.APPLIED_OVERRIDES_ANNOTATION, names.APPLIED_CLUSTER_OVERRIDES_ANNOTATION)
"""Annotations that go when nothing is recorded any more; others that we do not want are somebody else's."""


async def ensure_work(hub: Client, wanted: Json, existing: Item | None) -> bool:
    """True when something was written. Raises Retry while an old Work of the name is on its way out."""
    namespace, name = wanted["metadata"]["namespace"], wanted["metadata"]["name"]
    if existing is None:
        try:
            await hub.create(scheme.WORKS, wanted, namespace)
            return True
        except AlreadyExists:
            # the cache was behind
            existing = await hub.get(scheme.WORKS, name, namespace)
    if existing.deleting:
        raise Retry(f"work {namespace}/{name} is being deleted")
    patch = work_patch(wanted, existing)
    if patch is None:
        return False
    patch.setdefault("metadata", {})["resourceVersion"] = existing.meta.resource_version
    await hub.patch(scheme.WORKS, name, namespace, patch)
    return True


def work_patch(wanted: Json, existing: Item) -> Json | None:
    """The merge patch that makes the Work what is wanted; None when it is."""
    old = existing.json()
    patch: Json = {}
    metadata = _metadata_patch(wanted["metadata"], old["metadata"])
    if metadata:
        patch["metadata"] = metadata
    old_spec = old.get("spec") or {}
    if not equal_json(old_spec, wanted["spec"]):
        patch["spec"] = merge_diff(old_spec, wanted["spec"])
    return patch or None


def _metadata_patch(wanted: Json, old: Json) -> Json:
    """Labels and annotations are added and changed, finalizers united, owners set; others' are left alone."""
    patch: Json = {}
    for member in ("labels", "annotations"):
        have = old.get(member) or {}
        changed: Json = {key: value for key, value in wanted[member].items() if have.get(key) != value}
        if member == "annotations":
            changed |= {key: None for key in RECORDS if key in have and key not in wanted[member]}
        if changed:
            patch[member] = changed
    finalizers = sorted({*(old.get("finalizers") or ()), *wanted["finalizers"]})
    if finalizers != sorted(old.get("finalizers") or ()):
        patch["finalizers"] = finalizers
    if "ownerReferences" in wanted and not equal_json(old.get("ownerReferences"), wanted["ownerReferences"]):
        patch["ownerReferences"] = wanted["ownerReferences"]
    return patch


async def delete_works(hub: Client, works: Sequence[Item]) -> None:
    """Ask for the end of Works; their finalizer holds them until the member is clean."""
    for work in works:
        if work.deleting:
            continue
        try:
            await hub.delete(scheme.WORKS, work.meta.name, work.meta.namespace, uid=work.meta.uid)
        except NotFound:
            continue
