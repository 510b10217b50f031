"""Keep a store equal to what a server has: list, watch, reconnect from the last version, list again when that is gone.

States: `syncing` before the first list, `synced` after it, `gone` when the server no longer serves the kind. Unknown
is not empty: while an informer is not synced its store says nothing about absence.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import random
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from hansa.api.item import Item
from hansa.api.meta import Key, Resource
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, Expired, NotFound, TooManyRequests, Unreachable
from hansa.runtime.store import Store

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LAST_PAUSE_SECONDS = 30.0


class Change(NamedTuple):
    """What happened to one object. `old` is None when it is new, `new` is None when it is gone.

    `initial` marks objects that were there when the subscriber came.
    """

    old: Item | None
    new: Item | None
    initial: bool = False

    @property
    def item(self) -> Item:
        """The object as it is, or as it last was."""
        found = self.new if self.new is not None else self.old
        assert found is not None
        return found


class State(enum.Enum):
    SYNCING = "syncing"
    SYNCED = "synced"
    GONE = "gone"


Subscriber = Callable[[Change], None]
Transform = Callable[[Item], Item]


class Informer:
    """One resource of one server. `run` ends only when it is cancelled or the kind is gone."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        transform: Transform | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.resource = resource
        self.store = Store()
        self.state = State.SYNCING
        self.last_error = ""
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._transform = transform
        self._rng = rng or random.Random()
        self._subscribers: list[Subscriber] = []
        self._settled = asyncio.Event()

    @property
    def synced(self) -> bool:
        return self.state is State.SYNCED

    async def wait_synced(self) -> bool:
        """Wait for the first list; False when the kind turned out not to be served."""
        await self._settled.wait()
        return self.synced

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` for every change, beginning with what is known already. Returns what ends it."""
        self._subscribers.append(subscriber)
        for item in self.store:
            self._tell(subscriber, Change(None, item, initial=True))

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    async def run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        version: str | None = None
        while True:
            try:
                if version is None:
                    version = await self._list()
                async for seen in self._watch(version):
                    version = seen
                    pause = FIRST_PAUSE_SECONDS
                continue
            except Expired:
                version = None
                continue
            except NotFound as error:
                if await self._is_gone():
                    log.info("kind is gone", extra={"resource": self.resource.group_resource})
                    self.state = State.GONE
                    self._settled.set()
                    return
                wait = self._failed(error, pause)
                version = None
            except TooManyRequests as error:
                wait = max(self._failed(error, pause), error.retry_after_seconds or 0)
            except (ApiError, Unreachable) as error:
                wait = self._failed(error, pause)
            await asyncio.sleep(wait)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)

    def _failed(self, error: Exception, pause: float) -> float:
        self.last_error = str(error)
        log.debug("watch broke: %s", error, extra={"resource": self.resource.group_resource})
        return pause * (1 + self._rng.random() / 2)

    async def _is_gone(self) -> bool:
        """A 404 may come from a server that is just starting; discovery decides."""
        try:
            await self._client.discovery.refresh()
        except (ApiError, Unreachable):
            return False
        discovery = self._client.discovery
        return discovery.complete and discovery.known(self.resource.gvk) is None

    async def _list(self) -> str:
        page = await self._client.list(self.resource, self._namespace, labels=self._labels, fields=self._fields)
        initial = self.state is not State.SYNCED
        present: set[Key] = set()
        for item in page.items:
            present.add(item.key)
            self._put(item, initial=initial)
        # what the server no longer has was deleted while nobody watched
        for key in set(self.store.keys()) - present:
            self._remove(key)
        self.state = State.SYNCED
        self.last_error = ""
        self._settled.set()
        return page.resource_version

    async def _watch(self, version: str) -> AsyncGenerator[str, None]:
        """Yield the version after each event."""
        async with self._client.watch(
            self.resource,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            resource_version=version,
        ) as events:
            async for event in events:
                if event.type == "DELETED":
                    self._remove(event.item.key)
                elif event.type != "BOOKMARK":
                    self._put(event.item, initial=False)
                yield event.item.meta.resource_version

    def _put(self, item: Item, *, initial: bool) -> None:
        known = self.store.get(item.key)
        if known is not None and known.meta.resource_version == item.meta.resource_version:
            return
        if known is not None and known.meta.uid != item.meta.uid:
            # deleted and made again while nobody watched: two objects, two changes
            self._remove(item.key)
        if self._transform is not None:
            item = self._transform(item)
        old = self.store.put(item)
        self._publish(Change(old, item, initial))

    def _remove(self, key: Key) -> None:
        old = self.store.remove(key)
        if old is not None:
            self._publish(Change(old, None))

    def _publish(self, change: Change) -> None:
        for subscriber in list(self._subscribers):
            self._tell(subscriber, change)

    def _tell(self, subscriber: Subscriber, change: Change) -> None:
        try:
            subscriber(change)
        except Exception:
            # one subscriber's fault must not cost the others their events
            log.exception("subscriber failed", extra={"resource": self.resource.group_resource})
