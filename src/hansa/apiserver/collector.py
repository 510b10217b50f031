"""Garbage collection: dependents of deleted owners go, foreground deletion waits for them, orphaning frees them.

Works on ownerReferences of stored objects as Kubernetes' controller does: an owner is looked for by uid, in the
dependent's own namespace or cluster-wide; one reference to a living owner keeps a dependent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from hansa.api.meta import GVK, Json, Key
from hansa.apiserver.context import Context, finished
from hansa.apiserver.deletes import FOREGROUND, ORPHAN
from hansa.apiserver.storage import Bucket, Entry, Event
from hansa.base.clock import rfc3339

log = logging.getLogger(__name__)


class _Where(NamedTuple):
    bucket: str
    key: Key


class Collector:
    """Runs for one server. Knows owners and dependents by uid from the store's own events."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._objects: dict[str, _Where] = {}
        self._dependents: dict[str, dict[_Where, None]] = {}
        self._queue: dict[str, None] = {}  # uids of owners that went or are going, and of dependents to look at
        self._wake = asyncio.Event()
        for bucket in context.storage.buckets():
            for entry in bucket.entries.values():
                self._learn(_Where(bucket.name, entry.key), None, entry)
        context.storage.subscribe(self._hear)

    async def run(self) -> None:
        """Until cancelled."""
        # what lost its owner while the server was down, or is waiting half deleted
        for where in list(self._objects.values()):
            entry = self._entry(where)
            if entry is not None and (entry.owners or entry.deleting):
                self._add(entry.uid)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                uid = next(iter(self._queue))
                del self._queue[uid]
                try:
                    self._look(uid)
                except Exception:
                    log.exception("garbage collection failed", extra={"key": uid})
                await asyncio.sleep(0)

    def _hear(self, name: str, event: Event) -> None:
        where = _Where(name, event.new.key)
        if event.deleted:
            self._forget(where, event.old)
            for dependent in self._dependents_of(event.new.uid):
                self._add(dependent.uid)
            for owner in event.new.owners:
                self._add(owner)
            return
        self._learn(where, event.old, event.new)
        if event.new.deleting:
            self._add(event.new.uid)
        if event.new.owners and (event.old is None or event.old.owners != event.new.owners):
            self._add(event.new.uid)
        if event.old is not None:
            for owner in event.old.owners:
                if owner not in event.new.owners:
                    self._add(owner)

    def _add(self, uid: str) -> None:
        self._queue[uid] = None
        self._wake.set()

    def _learn(self, where: _Where, old: Entry | None, new: Entry) -> None:
        self._objects[new.uid] = where
        if old is not None and old.owners != new.owners:
            self._unlink(where, old)
        for owner in new.owners:
            self._dependents.setdefault(owner, {})[where] = None

    def _forget(self, where: _Where, old: Entry | None) -> None:
        if old is None:
            return
        self._objects.pop(old.uid, None)
        self._unlink(where, old)

    def _unlink(self, where: _Where, old: Entry) -> None:
        for owner in old.owners:
            known = self._dependents.get(owner)
            if known is not None:
                known.pop(where, None)
                if not known:
                    del self._dependents[owner]

    def _entry(self, where: _Where) -> Entry | None:
        return self._context.storage.bucket(where.bucket).entries.get(where.key)

    def _dependents_of(self, uid: str) -> Iterator[Entry]:
        for where in list(self._dependents.get(uid, ())):
            entry = self._entry(where)
            if entry is not None:
                yield entry

    # -- decisions ---------------------------------------------------------------------------------------------------

    def _look(self, uid: str) -> None:
        where = self._objects.get(uid)
        entry = self._entry(where) if where else None
        if where is None or entry is None:
            return
        bucket = self._context.storage.bucket(where.bucket)
        if entry.deleting:
            self._progress(bucket, entry)
        elif entry.owners:
            self._judge(bucket, entry)

    def _progress(self, bucket: Bucket, entry: Entry) -> None:
        """An object that is being deleted with dependents in mind."""
        obj = entry.json()
        finalizers = obj["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            for dependent in list(self._dependents_of(entry.uid)):
                self._release(dependent, entry.uid)
            self._context.drop_finalizer(bucket, obj, entry, ORPHAN)
        elif FOREGROUND in finalizers:
            waiting = False
            for dependent in list(self._dependents_of(entry.uid)):
                waiting = self._blocks(dependent, entry.uid) or waiting
                self._add(dependent.uid)
            if not waiting:
                self._context.drop_finalizer(bucket, obj, entry, FOREGROUND)

    def _judge(self, bucket: Bucket, entry: Entry) -> None:
        """An object whose owners may be gone, or wait for it."""
        obj = entry.json()
        living, waiting = 0, False
        for reference in obj["metadata"].get("ownerReferences") or []:
            owner = self._owner(reference, entry.key.namespace)
            if owner is None:
                continue
            held = FOREGROUND in (owner.json()["metadata"].get("finalizers") or ()) if owner.deleting else False
            waiting = waiting or held
            living += not held
        if living:
            return
        self._delete(bucket, entry, obj, foreground=waiting and any(True for _ in self._dependents_of(entry.uid)))

    def _owner(self, reference: Json, namespace: str) -> Entry | None:
        """The living owner, None when it is gone, or in another namespace, or a kind that nobody serves."""
        served = self._context.resources.of_kind(GVK.of(reference["apiVersion"], reference["kind"]))
        if served is None:
            # the kind may come back with its definition; until then nobody proved the owner gone
            where = self._objects.get(reference["uid"])
            return self._entry(where) if where else _UNKNOWN
        if served.resource.namespaced and not namespace:
            return _UNKNOWN  # a cluster-scoped object cannot be owned by one in a namespace
        key = Key(namespace if served.resource.namespaced else "", reference["name"])
        entry = self._context.bucket(served).entries.get(key)
        return entry if entry is not None and entry.uid == reference["uid"] else None

    def _blocks(self, dependent: Entry, owner: str) -> bool:
        return any(
            reference["uid"] == owner and reference.get("blockOwnerDeletion")
            for reference in dependent.json()["metadata"].get("ownerReferences") or []
        )

    def _release(self, dependent: Entry, owner: str) -> None:
        where = self._objects[dependent.uid]
        obj = dependent.json()
        kept = [r for r in obj["metadata"].get("ownerReferences") or [] if r["uid"] != owner]
        if kept:
            obj["metadata"]["ownerReferences"] = kept
        else:
            obj["metadata"].pop("ownerReferences", None)
        self._context.storage.put(self._context.storage.bucket(where.bucket), obj, dependent)

    def _delete(self, bucket: Bucket, entry: Entry, obj: Json, *, foreground: bool) -> None:
        """Delete as the collector's own request would: graceful for pods, waiting for finalizers."""
        served = self._context.resources.of_kind(GVK.of(obj["apiVersion"], obj["kind"]))
        grace = 0
        if served is not None and served.rules.graceful is not None:
            grace = served.rules.graceful(obj, None)
        meta = obj["metadata"]
        if foreground and FOREGROUND not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), FOREGROUND]
        meta["deletionTimestamp"] = rfc3339(self._context.clock.now() + timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        if finished(obj):
            self._context.storage.delete(bucket, entry)
            return
        if meta.get("generation"):
            meta["generation"] += 1
        self._context.storage.put(bucket, obj, entry)


class _Unknown(Entry):
    """Stands for an owner whose kind nobody serves: not proved gone, so its dependents stay."""

    def __init__(self) -> None:
        self.deleting = False
        self.raw = b'{"metadata":{}}'


_UNKNOWN = _Unknown()
