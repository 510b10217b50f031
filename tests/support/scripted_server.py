"""A tiny versioned API server behind the Transport protocol, whose faults a test writes down beforehand.

It holds ConfigMaps, knows list (paged), watch (bookmarks, 410), create, update, patch (merge), delete and discovery.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from hansa.api import scheme
from hansa.api.meta import Resource
from hansa.base.patch import apply_merge_patch
from hansa.kube.errors import Unreachable, error_from_answer
from hansa.kube.transport import Answer

encode = msgspec.json.encode
Obj = dict[str, Any]


class Fault(Enum):
    """What may happen to one request."""

    NONE = "none"
    REFUSED = "refused"
    BUSY = "429"
    BROKEN = "500"
    NONSENSE = "a page of HTML"
    EXPIRED = "410"
    MISSING = "404"


class Cut(Enum):
    """How a watch ends."""

    CLOSED = "closed"
    RESET = "reset"
    EXPIRED = "ERROR event 410"
    BUSY = "ERROR event 429"
    SILENT = "silent"
    TORN = "half a line"
    REPEATED = "events again, then closed"


@dataclass
class WatchScript:
    """One watch: after `events` events it ends by `cut`. With None it lasts until its time is up."""

    events: int
    cut: Cut


@dataclass
class ScriptedServer:
    """`faults` and `watches` are used up one by one; without more of them all goes well."""

    resource: Resource = scheme.CONFIGMAPS
    server: str = "https://scripted"
    faults: deque[Fault] = field(default_factory=deque)
    watches: deque[WatchScript] = field(default_factory=deque)
    latency_seconds: float = 0.0
    dead: bool = False
    served: bool = True
    retry_after: str = "1"
    bookmark_seconds: float = 60.0

    def __post_init__(self) -> None:
        self.objects: dict[tuple[str, str], Obj] = {}
        self.version = 1
        self.oldest = 0
        self.history: list[tuple[int, str, Obj]] = []
        self.log: list[str] = []
        self.open_watches = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = False
        self._news = asyncio.Event()
        self._uids = 0
        self._snapshots: dict[int, list[Obj]] = {}

    # -- what others do to the server ----------------------------------------------------------------------------

    def put(self, name: str, data: dict[str, str] | None = None, namespace: str = "default") -> Obj:
        known = self.objects.get((namespace, name))
        self.version += 1
        uid = known["metadata"]["uid"] if known else f"uid-{self._next_uid()}"
        metadata = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": str(self.version)}
        obj = {"metadata": metadata, "data": data or {}}
        self.objects[namespace, name] = obj
        self._happened("MODIFIED" if known else "ADDED", obj)
        return obj

    def delete(self, name: str, namespace: str = "default") -> None:
        obj = self.objects.pop((namespace, name), None)
        if obj is None:
            return
        self.version += 1
        self._happened("DELETED", {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}})

    def compact(self) -> None:
        """Forget history: watches from before get 410."""
        self.oldest = self.version
        self.history.clear()

    def state(self) -> dict[tuple[str, str], str]:
        return {key: obj["metadata"]["resourceVersion"] for key, obj in self.objects.items()}

    # -- Transport -----------------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> Answer:
        self.log.append(f"{method} {path}")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            async with asyncio.timeout(timeout_seconds):
                if self.dead:
                    await asyncio.Event().wait()
                await asyncio.sleep(self.latency_seconds)
        except TimeoutError:
            raise Unreachable(self.server, "timed out") from None
        finally:
            self.in_flight -= 1
        fault = self.faults.popleft() if self.faults else Fault.NONE
        if fault is Fault.REFUSED:
            raise Unreachable(self.server, "refused")
        if fault is not Fault.NONE:
            return self._faulty(fault)
        if path in ("/api", "/apis"):
            return self._discovery(path)
        if not self.served:
            return status(404, "NotFound")
        if method == "GET":
            return self._read(path, dict(query))
        return self._write(method, path, body)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        idle_timeout_seconds: float | None = None,
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        self.log.append(f"WATCH {path}")
        if self.dead:
            await asyncio.sleep(30)
            raise Unreachable(self.server, "timed out")
        fault = self.faults.popleft() if self.faults else Fault.NONE
        if fault is Fault.REFUSED:
            raise Unreachable(self.server, "refused")
        answer = self._faulty(fault) if fault not in (Fault.NONE, Fault.NONSENSE) else None
        wanted = dict(query)
        if answer is None and not self.served:
            answer = status(404, "NotFound")
        if answer is None and int(wanted["resourceVersion"]) < self.oldest:
            answer = status(410, "Expired")
        if answer is not None:
            raise error_from_answer(answer.code, answer.body, answer.headers.get("retry-after"))
        script = self.watches.popleft() if self.watches else None
        self.open_watches += 1
        lines = self._watch(int(wanted["resourceVersion"]), script, wanted, idle_timeout_seconds or 1e9)
        try:
            yield lines
        finally:
            await lines.aclose()
            self.open_watches -= 1

    async def close(self) -> None:
        self.closed = True

    # -- within --------------------------------------------------------------------------------------------------

    def _next_uid(self) -> int:
        self._uids += 1
        return self._uids

    def _happened(self, type_: str, obj: Obj) -> None:
        self.history.append((self.version, type_, obj))
        self._news.set()
        self._news = asyncio.Event()

    def _faulty(self, fault: Fault) -> Answer:
        match fault:
            case Fault.BUSY:
                return status(429, "TooManyRequests", {"retry-after": self.retry_after})
            case Fault.BROKEN:
                return status(500, "InternalError")
            case Fault.EXPIRED:
                return status(410, "Expired")
            case Fault.MISSING:
                return status(404, "NotFound")
            case _:
                return Answer(200, {}, b"<html>hello</html>")

    def _read(self, path: str, query: dict[str, str]) -> Answer:
        if path != self.resource.path():
            namespace, name = path.split("/")[-3], path.split("/")[-1]
            obj = self.objects.get((namespace, name))
            if obj is None:
                return status(404, "NotFound")
            return Answer(200, {}, encode({"apiVersion": "v1", "kind": "ConfigMap", **obj}))
        limit = int(query.get("limit", "0"))
        offset = 0
        version = self.version
        if "continue" in query:
            version, offset = map(int, query["continue"].split(":"))
            if version < self.oldest:
                return status(410, "Expired")
        found = self._snapshots.setdefault(version, list(self.objects.values()))
        metadata: Obj = {"resourceVersion": str(version)}
        page = found[offset : offset + limit] if limit else found
        if limit and offset + limit < len(found):
            metadata["continue"] = f"{version}:{offset + limit}"
        return Answer(200, {}, encode({"kind": "ConfigMapList", "metadata": metadata, "items": page}))

    def _write(self, method: str, path: str, body: bytes) -> Answer:
        parts = path.split("/")
        given = msgspec.json.decode(body) if body else {}
        if method == "POST":
            metadata = given["metadata"]
            key = (metadata.get("namespace", ""), metadata["name"])
            if key in self.objects:
                return status(409, "AlreadyExists")
        else:
            key = (parts[-3], parts[-1])
            known = self.objects.get(key)
            if known is None:
                return status(404, "NotFound")
            if method == "DELETE":
                self.delete(key[1], key[0])
                return Answer(200, {}, encode({"kind": "Status", "status": "Success"}))
            if method == "PATCH":
                given = apply_merge_patch(known, given)
            expected = given["metadata"].get("resourceVersion") if method == "PUT" else None
            if expected and expected != known["metadata"]["resourceVersion"]:
                return status(409, "Conflict")
        self.put(key[1], None, key[0])
        metadata = self.objects[key]["metadata"]
        obj = {**given, "metadata": {**given["metadata"], **metadata}}
        self.objects[key] = obj
        self.history[-1] = (self.version, self.history[-1][1], obj)
        return Answer(200, {}, encode(obj))

    def _discovery(self, path: str) -> Answer:
        resources: list[Obj] = []
        if self.served:
            resources.append(
                {
                    "resource": self.resource.plural,
                    "responseKind": {"group": "", "version": "v1", "kind": self.resource.kind},
                    "scope": "Namespaced",
                    "verbs": ["list", "watch"],
                }
            )
        items = [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": resources}]}]
        document = {"kind": "APIGroupDiscoveryList", "items": items if path == "/api" else []}
        return Answer(200, {}, encode(document))

    async def _watch(
        self, version: int, script: WatchScript | None, query: dict[str, str], idle: float
    ) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        closes = loop.time() + float(query["timeoutSeconds"])
        sent = 0
        told: list[bytes] = []
        while True:
            if version < self.oldest:
                yield event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
                return
            for number, type_, obj in list(self.history):
                if number <= version:
                    continue
                if script is not None and sent >= script.events:
                    break
                version = number
                sent += 1
                told.append(event(type_, obj))
                yield told[-1]
            if script is not None and sent >= script.events:
                for line in await self._cut(script.cut, told, idle):
                    yield line
                return
            left = min(closes - loop.time(), self.bookmark_seconds)
            if left < 0.001:  # virtual time has a resolution
                return
            news = self._news
            try:
                async with asyncio.timeout(left):
                    await news.wait()
            except TimeoutError:
                if self.version > version:
                    continue  # a bookmark must not pass by what has yet to be sent
                yield event("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": str(version)}})

    async def _cut(self, cut: Cut, told: list[bytes], idle: float) -> list[bytes]:
        match cut:
            case Cut.CLOSED:
                return []
            case Cut.RESET:
                raise Unreachable(self.server, "connection reset")
            case Cut.EXPIRED:
                return [event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})]
            case Cut.BUSY:
                return [event("ERROR", {"kind": "Status", "code": 429, "reason": "TooManyRequests"})]
            case Cut.SILENT:
                await asyncio.sleep(idle)
                raise Unreachable(self.server, "silent")
            case Cut.TORN:
                return [b'{"type":"ADDED","object":{"metadata":{"na']
            case Cut.REPEATED:
                return told


def event(type_: str, obj: Obj) -> bytes:
    return encode({"type": type_, "object": obj})


def status(code: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason}
    return Answer(code, headers or {}, encode(body))
