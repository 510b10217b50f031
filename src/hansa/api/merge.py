"""Server-side apply, and the tracking of who manages which fields by ordinary writes (Kubernetes API concepts:
Server-Side Apply).

Both are functions from objects to an object whose metadata.managedFields are up to date. Times are RFC 3339 texts, and
an entry's time changes only with what it says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from hansa.api import fieldset, managers
from hansa.api.conflict import ApplyConflict, Conflict
from hansa.api.fieldset import FieldSet, FieldSetError
from hansa.api.managers import APPLY, UPDATE, Manager, Managers, Ownership
from hansa.api.meta import GVK, Json
from hansa.api.misfits import misfits
from hansa.api.names import LAST_APPLIED_ANNOTATION
from hansa.api.structured import (
    Comparison,
    StructureError,
    compare,
    fields_of,
    merge,
    regrouped,
    remove,
    settled,
    with_named,
)
from hansa.api.topology import Topology, topology_of
from hansa.api.unowned import NEVER_MANAGED, ignored_fields
from hansa.base.patch import copy_json, equal_json

__all__ = [
    "ApplyConflict",
    "ApplyError",
    "Conflict",
    "FieldSet",
    "apply",
    "ignored_fields",
    "keep_times",
    "update_managed_fields",
]

BEFORE_FIRST_APPLY = "before-first-apply"
KUBECTL = "kubectl"


class ApplyError(ValueError):
    """The applied object cannot be merged. `code` is the HTTP code: 400 if it holds managedFields, 500 if it does not
    fit its schema."""

    def __init__(self, message: str, code: int = 500) -> None:
        super().__init__(message)
        self.code = code


def apply(
    live: Json | None,
    config: Json,
    schema: Json | None,
    *,
    manager: str,
    api_version: str,
    now: str,
    force: bool = False,
    subresource: str = "",
    ignored: FieldSet | None = None,
) -> Json:
    """The object after `manager` applied `config`: a new one, without defaults.

    `live` is the stored object or None, `schema` the kind's (None deduces how to merge), `ignored` as of
    `ignored_fields`. Raises ApplyConflict unless `force`, and ApplyError.
    """
    if config.get("metadata", {}).get("managedFields") is not None:
        raise ApplyError("metadata.managedFields must be nil", 400)
    node = topology_of(schema)
    if fault := next(misfits(config, node), None):
        raise ApplyError(f"failed to create typed patch object ({_name(config)}): {fault}")
    try:
        known = managers.decode((live or {}).get("metadata", {}).get("managedFields"))
    except FieldSetError as error:
        raise ApplyError(f"failed to decode managed fields: {error}") from error
    current = _unmanaged(live or {})
    if not known and live is not None:
        before = Manager.of(BEFORE_FIRST_APPLY, UPDATE, api_version, subresource)
        known = _updated({}, current, node, {}, before, api_version, now, ignored or {})
    who = Manager.of(manager, APPLY, api_version, subresource)
    step = _Apply(current, config, node, known, who, api_version, ignored or {})
    try:
        result, after = step.run(force=force)
    except ApplyConflict as error:
        if manager != KUBECTL:
            raise
        step.allow_last_applied(error.conflicts)
        result, after = step.run(force=True)
    if result is not None and who in after:
        after[who] = replace(after[who], time=now)
    result = settled(current if result is None else result)  # a copy: it shares parts with what it was merged from
    _keep_last_applied(result, config, manager)
    managers.write(result, after)
    return result


def update_managed_fields(
    live: Json | None,
    new: Json,
    schema: Json | None,
    *,
    manager: str,
    api_version: str,
    now: str,
    subresource: str = "",
    ignored: FieldSet | None = None,
    empty: Json | None = None,
) -> Json:
    """`new` with the managedFields that follow from an ordinary write over `live` (None: a create). A new object.

    `empty` is what a typed object of the kind holds before anything is set: a create owns only what goes beyond it.

    Managed fields that the request itself brings replace the stored ones; an empty list forgets them, and an object
    without any is not tracked until somebody applies.
    """
    stored = managers.decode_or_none((live or {}).get("metadata", {}).get("managedFields"))
    asked = new.get("metadata", {}).get("managedFields")
    known = stored
    if not subresource:
        if managers.is_reset(asked):
            known = {}
        else:
            known = managers.decode_or_none(asked) or stored
    result = _unmanaged(new)
    result["metadata"] = dict(result.get("metadata") or {})
    if live is not None and not known:
        return result
    node = topology_of(schema)
    who = Manager.of(manager, UPDATE, api_version, subresource)
    try:
        after = _updated(_unmanaged(live or empty or {}), result, node, known, who, api_version, now, ignored or {})
    except StructureError:
        after = stored  # better old than lost
    managers.write(result, after)
    return result


def keep_times(live: Json, new: Json) -> Json:
    """`new`; or `live` where they differ in nothing but the times of managed fields, so that nothing is written."""
    if live.get("metadata", {}).get("managedFields") == new.get("metadata", {}).get("managedFields"):
        return new
    return live if equal_json(_timeless(live), _timeless(new)) else new


class _Apply:
    """One apply, which may run twice: in earnest only once it is clear that conflicts do not matter."""

    def __init__(
        self,
        live: Json,
        config: Json,
        node: Topology,
        known: Managers,
        who: Manager,
        api_version: str,
        ignored: FieldSet,
    ) -> None:
        self.live = live
        self.config = config
        self.node = node
        self.known = {other: owned.owning(regrouped(owned.fields, node)) for other, owned in known.items()}
        self.who = who
        self.api_version = api_version
        self.ignored = ignored

    def run(self, *, force: bool) -> tuple[Json | None, Managers]:
        """The merged object, None when it is as before, and the managers. Raises ApplyConflict, ApplyError."""
        after = dict(self.known)
        last = after.get(self.who)
        try:
            merged = merge(self.live, self.config, self.node)
            wanted = fieldset.without(fields_of(self.config, self.node), self.ignored)
            after[self.who] = Ownership(wanted, self.api_version, last.time if last else None)
            if last is not None and fieldset.difference(last.fields, wanted):
                merged = _pruned(merged, last.fields, after, self.node)
            difference = compare(self.live, merged, self.node).without(self.ignored)
        except StructureError as error:
            raise ApplyError(str(error)) from error
        after = _disowned(after, self.who, difference, force=force)
        _strip(after, self.who)
        return (None if equal_json(merged, self.live) else merged), after

    def allow_last_applied(self, conflicts: list[Conflict]) -> None:
        """kubectl takes over what its own client-side apply set. Raises ApplyConflict for what is left."""
        text = (self.live.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED_ANNOTATION)
        allowed: FieldSet = {}
        if text:
            try:
                last = msgspec.json.decode(text, type=Json)
            except msgspec.DecodeError:
                raise ApplyConflict(conflicts) from None
            if last.get("apiVersion") == self.api_version:
                difference = compare(last, self.live, self.node)
                allowed = fields_of(last, self.node)
                for changed in difference:
                    allowed = fieldset.difference(allowed, changed)
        left = [conflict for conflict in conflicts if not fieldset.has(allowed, conflict.path)]
        if left or not conflicts:
            raise ApplyConflict(left)


def _pruned(merged: Json, last: FieldSet, after: Managers, node: Topology) -> Json:
    """Less the fields that were applied before and are not any more, unless somebody else has them."""
    kept = remove(merged, with_named(last, node), node)
    had = with_named(fields_of(merged, node), node)
    owned = with_named(managers.all_fields(after.values()), node)
    have = with_named(fields_of(kept, node), node)
    kept = remove(merged, fieldset.difference(had, fieldset.union(have, owned)), node)
    # only what was applied before may go: what merely lay below it stays
    have = with_named(fields_of(kept, node), node)
    gone = fieldset.intersection(fieldset.difference(had, have), with_named(last, node))
    return remove(merged, gone, node)


def _disowned(after: Managers, who: Manager, difference: Comparison, *, force: bool) -> Managers:
    """What others are left with once these fields changed. Raises ApplyConflict unless `force`."""
    changed = fieldset.union(difference.modified, difference.added)
    conflicts = {
        other: common
        for other, owned in after.items()
        if other != who and (common := fieldset.intersection(owned.fields, changed))
    }
    if conflicts and not force:
        raise ApplyConflict(
            Conflict(other, path) for other, common in conflicts.items() for path in fieldset.paths(common)
        )
    result: Managers = {}
    for other, owned in after.items():
        fields = owned.fields
        if other != who:
            fields = fieldset.difference(fields, conflicts.get(other, {}))
            fields = fieldset.difference(fields, difference.removed)
        if fields:
            result[other] = owned.owning(fields)
    return result


def _updated(
    live: Json,
    new: Json,
    node: Topology,
    known: Managers,
    who: Manager,
    api_version: str,
    now: str,
    ignored: FieldSet,
) -> Managers:
    """The managers after an ordinary write. Raises StructureError."""
    known = {other: owned.owning(regrouped(owned.fields, node)) for other, owned in known.items()}
    difference = compare(live, new, node).without(ignored)
    changed = fieldset.difference(fieldset.union(difference.modified, difference.added), NEVER_MANAGED)
    # the writer itself is among the others here: what it loses, it gains
    nobody = Manager("", "", "", "")
    after = _disowned(known, nobody, difference, force=True)
    if changed:
        before = after.get(who)
        fields = fieldset.union(changed, before.fields) if before else changed
        after[who] = Ownership(fields, api_version, now)
    return managers.less_updaters(after)


def _strip(after: Managers, who: Manager) -> None:
    if who not in after:
        return
    fields = fieldset.difference(after[who].fields, NEVER_MANAGED)
    if fields:
        after[who] = after[who].owning(fields)
    else:
        del after[who]


def _keep_last_applied(obj: Json, config: Json, manager: str) -> None:
    """Where client-side apply left its annotation, kubectl's server-side apply keeps it in step."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    if manager != KUBECTL or not annotations.get(LAST_APPLIED_ANNOTATION):
        return
    plain = copy_json(config)
    mine = plain.get("metadata", {}).get("annotations")
    if mine is not None:
        mine.pop(LAST_APPLIED_ANNOTATION, None)
    text = msgspec.json.encode(plain, order="sorted").decode() + "\n"
    obj["metadata"] = {**obj["metadata"], "annotations": {**annotations, LAST_APPLIED_ANNOTATION: text}}


def _name(obj: Json) -> str:
    """`default/web; apps/v1, Kind=Deployment`."""
    meta = obj.get("metadata") or {}
    gvk = GVK.of(obj.get("apiVersion", ""), obj.get("kind", ""))
    return f"{meta.get('namespace', '')}/{meta.get('name', '')}; {gvk.group}/{gvk.version}, Kind={gvk.kind}"


def _unmanaged(obj: Json) -> Json:
    """The object without managedFields; shares everything else."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return dict(obj)
    return {**obj, "metadata": {name: value for name, value in meta.items() if name != "managedFields"}}


def _timeless(obj: Json) -> Any:
    entries = obj.get("metadata", {}).get("managedFields") or []
    plain = [{name: value for name, value in entry.items() if name != "time"} for entry in entries]
    plain.sort(key=lambda entry: msgspec.json.encode(entry, order="sorted"))
    return [_unmanaged(obj), plain]
