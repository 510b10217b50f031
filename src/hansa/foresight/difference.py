"""Two states of a hub compared: what changes for members, where templates move, what goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import BindingSpec, ResourceBinding, Work
from hansa.base.names import cluster_of
from hansa.base.patch import equal_json, pointer
from hansa.foresight.edits import Done
from hansa.foresight.plan import DESTRUCTIVE, BindingChange, FieldChange, HubChange, MemberAction, MemberChange, Move
from hansa.foresight.stand_in import Ended
from hansa.foresight.state import State

HIDDEN = "(hidden)"
_MARKS = frozenset(
    {
        names.POLICY_ID_LABEL,
        names.CLUSTER_POLICY_ID_LABEL,
        names.BINDING_ID_LABEL,
        names.CLUSTER_BINDING_ID_LABEL,
        names.WORK_ID_LABEL,
        names.MANAGED_LABEL,
        names.POLICY_NAMESPACE_ANNOTATION,
        names.POLICY_NAME_ANNOTATION,
        names.CLUSTER_POLICY_NAME_ANNOTATION,
        names.BINDING_NAMESPACE_ANNOTATION,
        names.BINDING_NAME_ANNOTATION,
        names.CLUSTER_BINDING_NAME_ANNOTATION,
        names.WORK_NAMESPACE_ANNOTATION,
        names.WORK_NAME_ANNOTATION,
        names.CONFLICT_RESOLUTION_ANNOTATION,
        names.TEMPLATE_UID_ANNOTATION,
        names.TEMPLATE_GENERATION_ANNOTATION,
        names.MANAGED_ANNOTATIONS_ANNOTATION,
        names.MANAGED_LABELS_ANNOTATION,
        names.KUBEFED_MANAGED_LABEL,
        names.LAST_APPLIED_ANNOTATION,
    }
)
"""Book-keeping: what is not the user's in a manifest."""


def without_marks(manifest: Json) -> Json:
    metadata: Json = dict(manifest.get("metadata") or {})
    for member in ("labels", "annotations"):
        kept = {key: value for key, value in (metadata.pop(member, None) or {}).items() if key not in _MARKS}
        if kept:
            metadata[member] = kept
    return {**manifest, "metadata": metadata}


# -- members ----------------------------------------------------------------------------------------------------------


def member_changes(before: State, after: State, ended: Mapping[Key, Ended]) -> tuple[MemberChange, ...]:
    changes: list[MemberChange] = []
    for key in before.works.keys() | after.works.keys() | ended.keys():
        old, new = before.works.get(key), after.works.get(key)
        end = ended.get(key)
        if new is not None and not new.deleting:
            if end is not None and end.fate in DESTRUCTIVE:
                changes += _of_work(new, "replaced")
            elif old is None or old.deleting:
                changes += _of_work(new, "created")
            elif old.raw != new.raw:
                changes += _changed(old, new)
        elif end is not None and old is not None and not old.deleting:
            changes += _of_work(end.work, end.fate)
    return tuple(sorted(changes, key=_order))


def _order(change: MemberChange) -> tuple[Any, ...]:
    gentle = change.action not in DESTRUCTIVE
    return gentle, change.cluster, change.kind, change.namespace, change.name


def _of_work(work: Item, action: MemberAction) -> Iterator[MemberChange]:
    for manifest in work.as_(Work).spec.workload.manifests or ():
        yield _change(work, manifest, action)


def _changed(old: Item, new: Item) -> Iterator[MemberChange]:
    was, now = old.as_(Work).spec, new.as_(Work).spec
    resumed = bool(was.suspend_dispatching) and not now.suspend_dispatching
    olds, news = was.workload.manifests or [], now.workload.manifests or []
    for position, manifest in enumerate(news):
        previous = olds[position] if position < len(olds) else {}
        if equal_json(previous, manifest) and not resumed:
            continue
        secret = manifest["kind"] == "Secret"
        fields = tuple(field_changes(without_marks(previous), without_marks(manifest), secret=secret))
        yield _change(new, manifest, "changed" if fields or resumed else "relabelled", fields)


def _change(work: Item, manifest: Json, action: MemberAction, fields: tuple[FieldChange, ...] = ()) -> MemberChange:
    metadata: Json = manifest.get("metadata") or {}
    annotations = work.annotations
    name = annotations.get(names.BINDING_NAME_ANNOTATION) or annotations.get(names.CLUSTER_BINDING_NAME_ANNOTATION)
    return MemberChange(
        cluster=cluster_of(work.meta.namespace) or work.meta.namespace,
        action=action,
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        namespace=metadata.get("namespace") or "",
        name=metadata.get("name") or "",
        binding=str(Key(annotations.get(names.BINDING_NAMESPACE_ANNOTATION, ""), name)) if name else "",
        held=bool(work.as_(Work).spec.suspend_dispatching) and action in ("created", "changed", "relabelled"),
        fields=fields,
    )


def field_changes(old: Any, new: Any, at: str = "", *, secret: bool = False) -> Iterator[FieldChange]:
    """Leaves that differ; elements of lists of the same length one by one."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            hidden = secret and not at and key in ("data", "stringData")
            for change in field_changes(old.get(key), new.get(key), at + pointer(key), secret=secret):
                yield _hide(change) if hidden else change
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from field_changes(left, right, at + pointer(index), secret=secret)
    elif not equal_json(old, new):
        yield FieldChange(path=at, before=old, after=new)


def _hide(change: FieldChange) -> FieldChange:
    before, after = (None if value is None else HIDDEN for value in (change.before, change.after))
    return FieldChange(path=change.path, before=before, after=after)


# -- bindings ---------------------------------------------------------------------------------------------------------


def binding_changes(before: State, after: State) -> tuple[BindingChange, ...]:
    changes: list[BindingChange] = []
    for key in sorted(before.bindings.keys() | after.bindings.keys()):
        old, new = _present(before.bindings.get(key)), _present(after.bindings.get(key))
        moves = moved(placed(old), placed(new))
        refused = refusal(new)
        if new is None and old is not None:
            changes.append(_binding(old, "deleted", moves))
        elif new is not None and old is None:
            changes.append(_binding(new, "created", moves, refused))
        elif new is not None and (moves or refused != refusal(old)):
            changes.append(_binding(new, "changed", moves, refused))
    return tuple(sorted(changes, key=lambda change: change.action != "deleted"))


def _present(item: Item | None) -> Item | None:
    return None if item is None or item.deleting else item


def placed(binding: Item | None) -> dict[str, int]:
    """Replicas by cluster; 0 where there are none to divide."""
    if binding is None:
        return {}
    return {target.name: target.replicas for target in _spec(binding).clusters or ()}


def moved(old: Mapping[str, int], new: Mapping[str, int]) -> tuple[Move, ...]:
    """The clusters that differ."""
    return tuple(
        Move(cluster=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def refusal(binding: Item | None) -> str:
    """Why it cannot be scheduled as it is; empty when it is."""
    if binding is None:
        return ""
    for condition in binding.as_(ResourceBinding).status.conditions or ():
        if condition.type == "Scheduled" and condition.status == "False":
            return f"{condition.reason}: {condition.message}"
    return ""


def _spec(binding: Item) -> BindingSpec:
    return binding.as_(ResourceBinding).spec


def _binding(item: Item, action: Any, moves: tuple[Move, ...], refused: str = "") -> BindingChange:
    resource = _spec(item).resource
    return BindingChange(
        action=action,
        namespace=item.meta.namespace,
        name=item.meta.name,
        template=f"{resource.kind} {Key(resource.namespace, resource.name)}",
        moves=moves,
        refused=refused,
    )


# -- hub --------------------------------------------------------------------------------------------------------------


def hub_changes(done: Sequence[Done], before: State, after: State) -> tuple[HubChange, ...]:
    """What the edit names, then what goes with it. Deletions first."""
    named = [_hub(one.edit.obj, one.action, named=True) for one in done]
    own = {(change.kind, change.namespace, change.name) for change in named}
    found = [
        _hub(item.json(), "deleted", named=False)
        for (gvk, key), item in before.others.items()
        if not item.deleting and _is_gone(after.others.get((gvk, key))) and (gvk.kind, *key) not in own
    ]
    return tuple(sorted([*named, *found], key=lambda change: change.action != "deleted"))


def _is_gone(item: Item | None) -> bool:
    return item is None or item.deleting


def _hub(obj: Json, action: Any, *, named: bool) -> HubChange:
    metadata: Json = obj["metadata"]
    return HubChange(
        action=action,
        api_version=obj["apiVersion"],
        kind=obj["kind"],
        namespace=metadata.get("namespace") or "",
        name=metadata["name"],
        named=named,
    )


def problems(before: State, after: State) -> tuple[str, ...]:
    """What the control plane has to warn of, once for each object and message."""
    known = {item.meta.uid for item in before.events}
    return tuple(dict.fromkeys(_warned(item for item in after.events if item.meta.uid not in known)))


def _warned(events: Iterable[Item]) -> Iterator[str]:
    for item in sorted(events, key=lambda each: int(each.meta.resource_version)):
        event = item.json()
        if event.get("type") != "Warning":
            continue
        about: Json = event.get("involvedObject") or {}
        key = Key(about.get("namespace") or "", about.get("name") or "")
        yield f"{about.get('kind')} {key}: {event.get('reason')}: {event.get('message')}"
