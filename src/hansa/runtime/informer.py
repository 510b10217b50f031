"""Keep a store equal to what a server has: list, watch, reconnect from the last version, list again when that is gone.

States: `syncing` before the first list, `synced` after it, `gone` when the server no longer serves the kind, `stopped`
when nobody wants it any more. Unknown is not empty: unless an informer is synced its store says nothing about absence.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, nullcontext
from typing import Any, NamedTuple

from hansa.api.item import Item
from hansa.api.meta import Key, Resource
from hansa.kube.client import PAGE_SIZE, Client, WatchEvent
from hansa.kube.errors import ApiError, Expired, NotFound, ServerError, TooManyRequests, Unreachable
from hansa.runtime.backoff import Backoff
from hansa.runtime.store import Store

log = logging.getLogger(__name__)

# a watch that ends sooner than this and brought nothing is not worth asking for again at once
SHORT_WATCH_SECONDS = 1.0
# let others run after so many items in one go
ITEMS_AT_ONCE = 200

RESTART_SECONDS = 5.0
"""How long a kind that is gone is not asked for again."""


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
    STOPPED = "stopped"


Subscriber = Callable[[Change], None]
Transform = Callable[[Item], Item]


class Informer:
    """One resource of one server. `run` ends only when it is cancelled or the kind is gone.

    `gate` bounds how many informers of a server list at the same time. `rng` is for the jitter of pauses.
    """

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
        gate: asyncio.Semaphore | None = None,
    ) -> None:
        self.resource = resource
        self.store = Store()
        self.state = State.SYNCING
        self.connected = False
        """Whether a watch is open: when not, the store may be behind."""
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._transform = transform
        self._backoff = Backoff(rng or random.Random())
        self._gate = gate
        self._page_size = PAGE_SIZE
        self._subscribers: list[Subscriber] = []
        self._on_listed: list[Callable[[], None]] = []
        self._settled = asyncio.Event()
        self._ended_at = 0.0

    @property
    def synced(self) -> bool:
        return self.state is State.SYNCED

    async def wait_synced(self) -> bool:
        """Wait for the first list; False when the kind is not served, or the informer was stopped."""
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

    def on_listed(self, told: Callable[[], None]) -> None:
        """Call `told` whenever the store has just been brought up to a whole list.

        What came and went between two lists, or before the first, leaves no other trace.
        """
        self._on_listed.append(told)

    def restarts(self, instead: Resource | None = None) -> bool:
        """Get ready for another `run` after one that has ended, unless it ended just now: a kind that is gone would
        otherwise be asked for at every look at its store. `instead`: another version of the kind, asked for at once."""
        if instead is not None and instead != self.resource:
            self.resource = instead
        elif asyncio.get_running_loop().time() < self._ended_at + RESTART_SECONDS:
            return False
        self.state = State.SYNCING
        self._settled.clear()
        return True

    async def run(self) -> None:
        end = State.STOPPED
        try:
            await self._follow()
            end = State.GONE
        finally:
            self.state = end
            self._ended_at = asyncio.get_running_loop().time()
            self._settled.set()

    # -- within ------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """List and watch in turns, until the kind is gone.

        `version` is how far the store is; None means that only a list can tell.
        """
        version: str | None = None
        while True:
            try:
                if version is None:
                    version = await self._list()
                async with aclosing(self._watch(version)) as seen:
                    async for reached in seen:
                        version = reached
                        self._backoff.reset()
                continue
            except Expired:
                # also when a list's page token is too old: then the next one asks for all at once
                self._page_size = PAGE_SIZE if version is not None else 0
                version = None
                wait = self._backoff.again_now_or_later()
            except NotFound as error:
                if await self._is_gone():
                    log.info("kind is gone", extra=self._about())
                    return
                version = None
                wait = self._failed(error)
            except TooManyRequests as error:
                wait = max(self._failed(error), error.retry_after_seconds or 0)
            except (ApiError, Unreachable) as error:
                wait = self._failed(error)
                if _is_ahead(error):
                    version = None  # the server was restored from a backup
            except Exception as error:
                # what cannot be read (a proxy's page, a broken line): nothing of it may end this informer
                log.exception("list or watch failed unexpectedly", extra=self._about())
                version = None
                wait = self._failed(error)
            await asyncio.sleep(wait)

    def _failed(self, error: Exception) -> float:
        if self._backoff.failures == 0:
            log.info("watch broke: %s", error, extra=self._about())
        return self._backoff.next()

    def _about(self) -> dict[str, str]:
        return {"resource": self.resource.group_resource, "server": self._client.server}

    async def _is_gone(self) -> bool:
        """A 404 may come from a server that is just starting; discovery decides."""
        discovery = self._client.discovery
        try:
            await discovery.refresh()
        except (ApiError, Unreachable):
            return False
        return discovery.complete and discovery.known(self.resource.gvk) is None

    async def _list(self) -> str:
        async with self._gate or nullcontext():
            page = await self._client.list(
                self.resource, self._namespace, labels=self._labels, fields=self._fields, page_size=self._page_size
            )
        self._page_size = PAGE_SIZE
        initial = self.state is not State.SYNCED
        present: set[Key] = set()
        for number, item in enumerate(page.items, 1):
            present.add(item.key)
            self._put(item, initial=initial)
            if number % ITEMS_AT_ONCE == 0:
                await asyncio.sleep(0)
        # what the server no longer has was deleted while nobody watched
        for key in set(self.store.keys()) - present:
            self._remove(key)
        self.state = State.SYNCED
        self._settled.set()
        for told in self._on_listed:
            told()
        return page.resource_version

    async def _watch(self, version: str) -> AsyncGenerator[str, None]:
        """Yield the version after each event. Waits a little before it ends when the server closes at once."""
        loop = asyncio.get_running_loop()
        opened = loop.time()
        count = 0
        try:
            async with self._client.watch(
                self.resource,
                self._namespace,
                labels=self._labels,
                fields=self._fields,
                resource_version=version,
            ) as events:
                self.connected = True
                async for event in events:
                    count += 1
                    if count % ITEMS_AT_ONCE == 0:
                        await asyncio.sleep(0)
                    if self._take(event, version):
                        version = event.item.meta.resource_version or version
                        yield version
        finally:
            self.connected = False
        if count == 0 and loop.time() - opened < SHORT_WATCH_SECONDS:
            await asyncio.sleep(self._backoff.next())

    def _take(self, event: WatchEvent, reached: str) -> bool:
        """Bring one event into the store. False for what a server repeats, which must not turn time back."""
        item = event.item
        version = item.meta.resource_version
        if event.type == "DELETED":
            known = self.store.get(item.key)
            if known is not None and _is_older(version, known.meta.resource_version):
                return False  # made again since
            self._remove(item.key)
            return not _is_older(version, reached)
        if version == reached or _is_older(version, reached):
            return False
        if event.type != "BOOKMARK":
            self._put(item, initial=False)
        return True

    def _put(self, item: Item, *, initial: bool) -> None:
        known = self.store.get(item.key)
        if known is not None:
            if known.meta.resource_version == item.meta.resource_version and known.meta.uid == item.meta.uid:
                return
            if known.meta.uid != item.meta.uid:
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
            log.exception("subscriber failed", extra=self._about())


def _is_older(version: str, than: str) -> bool:
    """Versions compare as numbers where they are numbers; other words, of aggregated servers, tell nothing."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def _is_ahead(error: Exception) -> bool:
    """We know a version that the server has yet to reach."""
    if not isinstance(error, ServerError):
        return False
    causes: list[Any] = error.details.get("causes") or []
    return "Too large resource version" in error.message or any(
        cause.get("reason") == "ResourceVersionTooLarge" for cause in causes
    )
