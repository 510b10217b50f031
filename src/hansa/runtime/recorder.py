"""Events about objects, written in a second lane: never blocking, never raising, never in the way of work.

What is recorded waits in a bounded table where repetitions meet, and a single task writes it at a modest rate: first
what went wrong, and what went well only while nothing waits on the way to members. The
behaviour users see is client-go's: a repeated event is one object with a count, and from the eleventh different
message of one reason on, messages are combined into one event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.clock import Clock, rfc3339
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, Conflict, NotFound, Unreachable
from hansa.runtime import metrics
from hansa.runtime.clock import SystemClock
from hansa.runtime.patience import LONGEST_SECONDS, Traffic

log = logging.getLogger(__name__)

EventType = Literal["Normal", "Warning"]

PENDING_MAX = 2000
KNOWN_MAX = 4096
WRITES_PER_SECOND = 50.0
GATHER_SECONDS = 0.5
ATTEMPTS = 4
SIMILAR_MAX = 10
SIMILAR_SECONDS = 600.0
MESSAGE_MAX = 1024
COMBINED = "(combined from similar events): "


class _Subject(NamedTuple):
    """The object an event is about. Its resourceVersion is that of the first sighting, and not part of the key."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class _EventKey(NamedTuple):
    component: str
    subject: _Subject
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class _Pending:
    """Sightings that have not been written yet; `message` is what to write, for combined ones the latest."""

    count: int
    first: str
    last: str
    message: str
    resource_version: str


@dataclass(slots=True)
class _Written:
    """The Event object that stands for a key."""

    name: str
    count: int


class Source:
    """One component's way to a recorder that several share."""

    def __init__(self, recorder: Recorder, component: str) -> None:
        self._recorder = recorder
        self._component = component

    def event(self, obj: Item | Json, type_: EventType, reason: str, message: str) -> None:
        """Record that `reason` happened to `obj`. Must be called within the event loop."""
        self._recorder.record(self._component, obj, type_, reason, message)


class Recorder:
    """Records events in one API server, of `component` and of those that `of` names."""

    def __init__(
        self,
        client: Client,
        component: str,
        *,
        clock: Clock | None = None,
        traffic: Traffic | None = None,
        writes_per_second: float = WRITES_PER_SECOND,
        pending_max: int = PENDING_MAX,
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock or SystemClock()
        self._traffic = traffic
        self._pause = 1 / writes_per_second
        self._pending_max = pending_max
        self._pending: dict[str, OrderedDict[_EventKey, _Pending]] = {"Warning": OrderedDict(), "Normal": OrderedDict()}
        """In the order in which they are written; they are dropped from the other end."""
        self._written: OrderedDict[_EventKey, _Written] = OrderedDict()
        self._similar: OrderedDict[tuple[str, _Subject, str, str], deque[tuple[float, str]]] = OrderedDict()
        self._sources: dict[str, Source] = {}
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._jammed_since: float | None = None
        self._serial = 0

    def of(self, component: str) -> Source:
        """The same lane for events whose source is another component."""
        return self._sources.setdefault(component, Source(self, component))

    def event(self, obj: Item | Json, type_: EventType, reason: str, message: str) -> None:
        """Record that `reason` happened to `obj`. Must be called within the event loop."""
        self.record(self._component, obj, type_, reason, message)

    def record(self, component: str, obj: Item | Json, type_: EventType, reason: str, message: str) -> None:
        """The same, with the component that saw it."""
        if self._closed:
            return
        try:
            subject, version = _subject(obj)
        except (KeyError, TypeError):
            log.warning("event about something that is no object", extra={"reason": reason})
            return
        message = message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 3] + "..."
        key, message = self._aggregated(_EventKey(component, subject, type_, reason, message))
        now = rfc3339(self._clock.now())
        lane = self._pending[type_]
        pending = lane.get(key)
        if pending is not None:
            pending.count += 1
            pending.last = now
            pending.message = message
            return
        lane[key] = _Pending(1, now, now, message, version)
        if sum(map(len, self._pending.values())) > self._pending_max:
            next(other for other in reversed(self._pending.values()) if other).popitem(last=False)
            metrics.EVENTS_DROPPED.inc()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name=f"events of {self._component}")

    async def flush(self) -> None:
        """Wait until everything recorded so far is written or given up."""
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def close(self, seconds: float = 2.0) -> None:
        """Write what waits, for at most `seconds`, and record nothing more."""
        self._closed = True
        if self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer], timeout=seconds)
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)

    # -- within ------------------------------------------------------------------------------------------------------

    def _aggregated(self, key: _EventKey) -> tuple[_EventKey, str]:
        """Too many messages that differ: they share one event, which shows the latest."""
        group = (key.component, key.subject, key.type, key.reason)
        now = self._clock.monotonic()
        seen = self._similar.setdefault(group, deque())
        self._similar.move_to_end(group)
        if len(self._similar) > KNOWN_MAX:
            self._similar.popitem(last=False)
        while seen and now - seen[0][0] > SIMILAR_SECONDS:
            seen.popleft()
        if all(message != key.message for _, message in seen):
            if len(seen) >= SIMILAR_MAX:
                return key._replace(message=COMBINED), COMBINED + key.message
            seen.append((now, key.message))
        return key, key.message

    async def _write_all(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        while lane := next((each for each in self._pending.values() if each), None):
            if lane is self._pending["Normal"] and await self._gave_way():
                continue
            key, pending = lane.popitem(last=False)
            try:
                await self._write_one(key, pending)
            except Exception:
                metrics.EVENTS_DROPPED.inc()
                log.exception("event lost", extra={"reason": key.reason})
            await asyncio.sleep(self._pause)

    async def _gave_way(self) -> bool:
        """Whether time has passed, because others go first; then a Warning may have come."""
        now = self._clock.monotonic()
        if self._closed or self._traffic is None or not self._traffic.jammed:
            self._jammed_since = None
            return False
        self._jammed_since = now if self._jammed_since is None else self._jammed_since
        if now - self._jammed_since > LONGEST_SECONDS:
            return False
        await asyncio.sleep(self._pause)
        return True

    async def _write_one(self, key: _EventKey, pending: _Pending) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._put(key, pending)
            except (Unreachable, Conflict):
                await asyncio.sleep(2**attempt)
            except ApiError as error:
                # a namespace that ends takes no events, and nobody is served by trying again
                log.debug("event refused: %s", error, extra={"reason": key.reason})
                break
            else:
                return
        metrics.EVENTS_DROPPED.inc()

    async def _put(self, key: _EventKey, pending: _Pending) -> None:
        written = self._written.get(key)
        namespace = key.subject.namespace or "default"
        if written is not None:
            total = written.count + pending.count
            patch = {"count": total, "lastTimestamp": pending.last, "message": pending.message}
            try:
                await self._client.patch(scheme.EVENTS, written.name, namespace, patch)
            except NotFound:
                del self._written[key]  # expired: it begins anew
            else:
                written.count = total
                self._written.move_to_end(key)
                return
        event = self._document(key, pending, namespace)
        await self._client.create(scheme.EVENTS, event)
        self._written[key] = _Written(event["metadata"]["name"], pending.count)
        if len(self._written) > KNOWN_MAX:
            self._written.popitem(last=False)

    def _document(self, key: _EventKey, pending: _Pending, namespace: str) -> Json:
        subject = key.subject
        self._serial += 1
        suffix = f"{int(self._clock.now().timestamp() * 1e6) * 1000 + self._serial % 1000:x}"
        about = {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
            "resourceVersion": pending.resource_version,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{subject.name[:230]}.{suffix}", "namespace": namespace},
            "involvedObject": {name: value for name, value in about.items() if value},
            "type": key.type,
            "reason": key.reason,
            "message": pending.message,
            "count": pending.count,
            "firstTimestamp": pending.first,
            "lastTimestamp": pending.last,
            "source": {"component": key.component},
            "reportingComponent": key.component,
            "reportingInstance": "",
        }


def _subject(obj: Item | Json) -> tuple[_Subject, str]:
    if isinstance(obj, Item):
        meta = obj.meta
        return _Subject(obj.api_version, obj.kind, meta.namespace, meta.name, meta.uid), meta.resource_version
    metadata = obj["metadata"]
    subject = _Subject(
        obj.get("apiVersion", ""),
        obj.get("kind", ""),
        metadata.get("namespace", ""),
        metadata["name"],
        metadata.get("uid", ""),
    )
    return subject, metadata.get("resourceVersion", "")
