"""Make a fresh embedded server hold what a snapshot holds: identities, versions, statuses and times included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hansa.api import names
from hansa.api.meta import GVK, Json
from hansa.apiserver.embedded import Embedded
from hansa.foresight.snapshot import Snapshot

GroupKind = tuple[str, str]
_BINDINGS = ("ResourceBinding", "ClusterResourceBinding")
_FIRST = ("CustomResourceDefinition", "Namespace")


def restore(snapshot: Snapshot, server: Embedded) -> list[str]:
    """Notes about what could not be restored. Nothing of it is taken for absent: what hangs on it is left out too."""
    left = Counter[str]()
    context = server.context
    objects = sorted(_complete(snapshot, left), key=_order)
    for obj in objects:
        served = context.resources.of_kind(GVK.of(obj["apiVersion"], obj["kind"]))
        if served is None or not str(obj["metadata"].get("resourceVersion", "")).isdecimal():
            left[f"{obj['kind']} ({obj['apiVersion']}): not served here"] += 1
            continue
        context.storage.restore(context.bucket(served), served.to_storage(obj))
    notes = [f"left out: {entry.resource}: {entry.reason}" for entry in snapshot.header.left_out]
    return notes + [f"left out: {count} × {what}" for what, count in sorted(left.items())]


def _order(obj: Json) -> tuple[bool, int]:
    """Definitions before what they define; then as it was written."""
    version = str(obj["metadata"].get("resourceVersion", ""))
    return obj["kind"] not in _FIRST, int(version) if version.isdecimal() else 0


def _complete(snapshot: Snapshot, left: Counter[str]) -> Iterator[Json]:
    """Objects whose owners and templates are known to be there or not.

    An owner that nobody may read would look absent, and the garbage collector would draw its conclusion.
    """
    unknown = {(gvk.group, gvk.kind) for gvk in snapshot.unknown}
    lost: set[str] = set()
    if unknown:
        for obj in snapshot.objects:
            if obj["kind"] in _BINDINGS and _hangs_on(obj, unknown):
                lost |= _binding_ids(obj)
    for obj in snapshot.objects:
        if unknown and (_hangs_on(obj, unknown) or (obj["kind"] == "Work" and _binding_ids(obj) & lost)):
            left[f"{obj['kind']}: of an object that you may not read"] += 1
        else:
            yield obj


def _hangs_on(obj: Json, unknown: set[GroupKind]) -> bool:
    references: list[Json] = list(obj["metadata"].get("ownerReferences") or ())
    if obj["kind"] in _BINDINGS:
        references.append((obj.get("spec") or {}).get("resource") or {})
    return any(
        (GVK.of(str(each.get("apiVersion", "")), "").group, str(each.get("kind", ""))) in unknown for each in references
    )


def _binding_ids(obj: Json) -> set[str]:
    labels: Json = obj["metadata"].get("labels") or {}
    found = (labels.get(names.BINDING_ID_LABEL), labels.get(names.CLUSTER_BINDING_ID_LABEL))
    return {entry for entry in found if entry}
