"""What was created or deleted but has not come back through the watch yet.

A controller that counts its pods from a cache must not count again before the cache shows what it did last, or it would
do it twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.runtime.informer import Change, Informer

OWN_WRITES_MAX = 4096
PATIENCE_SECONDS = 30.0
"""After this a wait is given up: the object came and went between two looks."""


class Awaited:
    """Per owner, the uids that the cache still has to show or to drop."""

    def __init__(self, informer: Informer) -> None:
        self._store = informer.store
        self._waits: dict[Key, dict[str, float]] = {}
        self._owners: dict[str, Key] = {}
        informer.subscribe(self._seen)

    def created(self, owner: Key, item: Item) -> None:
        known = self._store.get(item.key)
        if known is None or known.meta.uid != item.meta.uid:
            self._wait(owner, item.meta.uid)

    def deleted(self, owner: Key, item: Item) -> None:
        """Deletion shows as a deletion timestamp or as absence."""
        known = self._store.get(item.key)
        if known is not None and known.meta.uid == item.meta.uid and not known.deleting:
            self._wait(owner, item.meta.uid)

    def pending_seconds(self, owner: Key) -> float | None:
        """None when the cache shows everything; else for how long to wait at most for it."""
        waits = self._waits.get(owner)
        if not waits:
            return None
        left = max(waits.values()) - asyncio.get_running_loop().time()
        if left > 0:
            return left
        for uid in list(waits):
            self._done(uid)
        return None

    def count(self, owner: Key) -> int:
        """How many are waited for."""
        return len(self._waits.get(owner, ()))

    def _wait(self, owner: Key, uid: str) -> None:
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        self._waits.setdefault(owner, {})[uid] = until
        self._owners[uid] = owner

    def _seen(self, change: Change) -> None:
        item = change.item
        owner = self._owners.get(item.meta.uid)
        if owner is None:
            return
        if change.old is None or change.new is None or item.deleting:
            self._done(item.meta.uid)

    def _done(self, uid: str) -> None:
        owner = self._owners.pop(uid, None)
        if owner is None:
            return
        waits = self._waits.get(owner, {})
        waits.pop(uid, None)
        if not waits:
            self._waits.pop(owner, None)


class OwnWrites:
    """The versions that our own writes made, to tell when the cache is behind them.

    Working from such a state ends in a conflict; the watch is about to bring the newer one, and with it the next turn.
    """

    def __init__(self) -> None:
        self._versions: OrderedDict[str, int] = OrderedDict()

    def note(self, item: Item) -> None:
        self._versions[item.meta.uid] = int(item.meta.resource_version)
        self._versions.move_to_end(item.meta.uid)
        if len(self._versions) > OWN_WRITES_MAX:
            self._versions.popitem(last=False)

    def ahead_of(self, item: Item) -> bool:
        """Whether we wrote a newer version than this one (resource versions count upwards)."""
        return self._versions.get(item.meta.uid, 0) > int(item.meta.resource_version)
