"""The Karmada convention: what its manifests carry, what a member keeps, when an object is ours.

Behaviour of Karmada's binding and execution controllers and of its object watcher.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hansa.api import names
from hansa.api.meta import Json, Key, ObjectMeta
from hansa.interpret.convention import Convention, Delete, Deletion, Leave, Origin, Release
from hansa.interpret.document import mapping, without
from hansa.interpret.native.prune import prune

_CLAIM_OF_POLICY = (
    names.POLICY_ID_LABEL,
    names.POLICY_NAMESPACE_ANNOTATION,
    names.POLICY_NAME_ANNOTATION,
)
_CLAIM_OF_CLUSTER_POLICY = (names.CLUSTER_POLICY_ID_LABEL, names.CLUSTER_POLICY_NAME_ANNOTATION)
_CLAIM_LABELS = frozenset((names.POLICY_ID_LABEL, names.CLUSTER_POLICY_ID_LABEL))
_CLAIM_ANNOTATIONS = frozenset((*_CLAIM_OF_POLICY[1:], *_CLAIM_OF_CLUSTER_POLICY[1:]))
# marks of a cluster binding and the conflict resolution are not among them: Karmada leaves those on what it releases
_MARK_LABELS = (names.BINDING_ID_LABEL, names.WORK_ID_LABEL, names.MANAGED_LABEL)
_MARK_ANNOTATIONS = (
    names.MANAGED_ANNOTATIONS_ANNOTATION,
    names.MANAGED_LABELS_ANNOTATION,
    names.BINDING_NAMESPACE_ANNOTATION,
    names.BINDING_NAME_ANNOTATION,
    names.TEMPLATE_UID_ANNOTATION,
    names.TEMPLATE_GENERATION_ANNOTATION,
    names.WORK_NAME_ANNOTATION,
    names.WORK_NAMESPACE_ANNOTATION,
)
# what an API server keeps by itself; everything else in metadata is compared
_SERVER_OWNED = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields")


def conflict_resolution(template: ObjectMeta, binding_asks: str | None) -> str:
    """`overwrite` or `abort`: the template's annotation when it says one of them, else what the binding asks for."""
    asked = (template.annotations or {}).get(names.CONFLICT_RESOLUTION_ANNOTATION)
    if asked in ("overwrite", "abort"):
        return asked
    return "overwrite" if binding_asks == "Overwrite" else "abort"


def _body(template: Json, binding: ObjectMeta | None, cluster: str) -> Json:
    """The template with the claim that its binding bears.

    The two differ for a moment when a claim changes; a Work that took the template's would keep what it saw last.
    """
    if binding is None:
        return template
    metadata = mapping(template, "metadata")
    labels = _claimed_as(mapping(metadata, "labels"), binding.labels or {}, _CLAIM_LABELS)
    annotations = _claimed_as(mapping(metadata, "annotations"), binding.annotations or {}, _CLAIM_ANNOTATIONS)
    return {**template, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def _claimed_as(have: Json, bound: Mapping[str, str], marks: frozenset[str]) -> Json:
    kept = {key: value for key, value in have.items() if key not in marks}
    return kept | {key: value for key, value in bound.items() if key in marks}


def _overrides(template: Json, cluster: str) -> list[Json]:
    return []


def binding_labels(origin: Origin) -> dict[str, str]:
    """The label by which Works, and what they become, are found from their binding."""
    if origin.binding is None:
        return {}
    key = names.BINDING_ID_LABEL if origin.binding.namespace else names.CLUSTER_BINDING_ID_LABEL
    return {key: (origin.binding.labels or {}).get(key, "")}


def binding_annotations(origin: Origin) -> dict[str, str]:
    """The annotations that lead from a Work to its binding."""
    binding = origin.binding
    if binding is None:
        return {}
    if not binding.namespace:
        return {names.CLUSTER_BINDING_NAME_ANNOTATION: binding.name}
    return {
        names.BINDING_NAMESPACE_ANNOTATION: binding.namespace,
        names.BINDING_NAME_ANNOTATION: binding.name,
    }


def _work_kind(kind: str) -> str:
    return kind


def _work_of(live: ObjectMeta, kind: str, cluster: str) -> Key | None:
    annotations = live.annotations or {}
    name = annotations.get(names.WORK_NAME_ANNOTATION)
    namespace = annotations.get(names.WORK_NAMESPACE_ANNOTATION)
    return Key(namespace, name) if namespace and name else None


def _work_labels(template: Json, origin: Origin) -> dict[str, str]:
    return binding_labels(origin)


def _work_annotations(template: Json, origin: Origin) -> dict[str, str]:
    return {**binding_annotations(origin), names.CONFLICT_RESOLUTION_ANNOTATION: origin.conflict_resolution}


def _mark(manifest: Json, origin: Origin) -> Json:
    marked = prune(manifest)
    metadata = mapping(marked, "metadata")
    annotations: dict[str, str] = {
        **mapping(metadata, "annotations"),
        **binding_annotations(origin),
        names.TEMPLATE_UID_ANNOTATION: origin.template.uid,
        names.WORK_NAMESPACE_ANNOTATION: origin.work.namespace,
        names.WORK_NAME_ANNOTATION: origin.work.name,
        names.CONFLICT_RESOLUTION_ANNOTATION: origin.conflict_resolution,
    }
    # namespaces that are propagated by themselves carry no generation: nothing aggregates their status
    if origin.template.generation > 0 and origin.binding is not None:
        annotations[names.TEMPLATE_GENERATION_ANNOTATION] = str(origin.template.generation)
    labels: dict[str, str] = {
        **mapping(metadata, "labels"),
        **binding_labels(origin),
        names.MANAGED_LABEL: "true",
        names.WORK_ID_LABEL: origin.work_id,
    }
    return {**marked, "metadata": {**metadata, "labels": labels, "annotations": record_managed(labels, annotations)}}


def record_managed(labels: Json, annotations: Json) -> dict[str, str]:
    """`annotations` with the record of which keys of labels and annotations come from the hub."""
    records = (names.MANAGED_ANNOTATIONS_ANNOTATION, names.MANAGED_LABELS_ANNOTATION)
    return {
        **annotations,
        names.MANAGED_ANNOTATIONS_ANNOTATION: ",".join(sorted({*annotations, *records})),
        names.MANAGED_LABELS_ANNOTATION: ",".join(sorted(labels)),
    }


def _owns(live: ObjectMeta) -> bool:
    return (live.labels or {}).get(names.MANAGED_LABEL) == "true"


def _may_adopt(manifest: Json, live: ObjectMeta, work: ObjectMeta) -> bool:
    return mapping(manifest, "metadata", "annotations").get(names.CONFLICT_RESOLUTION_ANNOTATION) == "overwrite"


def _refusal(manifest: Json, live: ObjectMeta, cluster: str) -> str:
    where = f"{live.namespace}/{live.name}" if live.namespace else live.name
    return (
        f"resource(kind={manifest.get('kind', '')}, {where}) already exists in the cluster {cluster} and the"
        f" {names.CONFLICT_RESOLUTION_ANNOTATION} strategy value is empty, Karmada will not manage this resource."
        " To take it over, set conflictResolution: Overwrite in the policy, or the annotation"
        f" {names.CONFLICT_RESOLUTION_ANNOTATION}: overwrite on the template"
    )


def _retain(manifest: Json, live: Json, work: ObjectMeta) -> Json:
    ours = mapping(manifest, "metadata")
    theirs = mapping(live, "metadata")
    records = mapping(theirs, "annotations")
    metadata = {
        **ours,
        "labels": _merged(ours, theirs, "labels", records.get(names.MANAGED_LABELS_ANNOTATION)),
        "annotations": _merged(ours, theirs, "annotations", records.get(names.MANAGED_ANNOTATIONS_ANNOTATION)),
    }
    for name in ("resourceVersion", "finalizers", "ownerReferences"):
        if name in theirs:
            metadata[name] = theirs[name]
    return {**manifest, "metadata": metadata}


def _merged(ours: Json, theirs: Json, member: str, record: Any) -> Json:
    """Ours win; theirs stay, but for those that were ours once and are no longer."""
    wanted = mapping(ours, member)
    recorded = set(str(record).split(",")) if record else set[str]()
    kept = {key: value for key, value in mapping(theirs, member).items() if key in wanted or key not in recorded}
    return {**kept, **wanted}


def _equal(wanted: Json, live: Json) -> bool:
    return _comparable(wanted) == _comparable(live)


def _comparable(obj: Json) -> Json:
    metadata = {
        name: value
        for name, value in mapping(obj, "metadata").items()
        if name not in _SERVER_OWNED and name not in ("uid", "selfLink", "resourceVersion") and value
    }
    return _without_empty(without({**obj, "metadata": metadata}, "status"))


def _without_empty(value: Any) -> Any:
    """Null, absent and empty are one to the API: Go leaves empty fields out, or does not, as their tags say."""
    if isinstance(value, dict):
        cleaned = {key: _without_empty(member) for key, member in value.items()}
        return {key: member for key, member in cleaned.items() if member is not None}
    if isinstance(value, list):
        return [_without_empty(entry) for entry in value]
    return value


def _release(live: Json, work: ObjectMeta) -> Json:
    metadata = mapping(live, "metadata")
    claim = _CLAIM_OF_POLICY if metadata.get("namespace") else _CLAIM_OF_CLUSTER_POLICY
    gone = {*claim, *_MARK_LABELS, *_MARK_ANNOTATIONS}
    released = {**metadata}
    for member in ("labels", "annotations"):
        released[member] = {key: value for key, value in mapping(metadata, member).items() if key not in gone}
    return {**live, "metadata": released}


def _on_delete(work: ObjectMeta, preserve: bool, live: ObjectMeta) -> Deletion:
    if not _owns(live):
        return Leave()
    return Release() if preserve else Delete(propagation="Background")


KARMADA = Convention(
    name=names.KARMADA,
    body=_body,
    overrides=_overrides,
    patch_missing="error",
    override_policies=True,
    interpreted=True,
    work_kind=_work_kind,
    work_of=_work_of,
    work_labels=_work_labels,
    work_annotations=_work_annotations,
    mark=_mark,
    owns=_owns,
    may_adopt=_may_adopt,
    refusal=_refusal,
    retain=_retain,
    equal=_equal,
    release=_release,
    on_delete=_on_delete,
)
