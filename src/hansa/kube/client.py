"""Ask one API server: typed errors, paths by resource, bodies as `Item`.

Every request waits for its turn in the client's rate limit, is counted, and is repeated as `hansa.kube.retry` says.
Bodies of what is read stay bytes: only metadata is decoded.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import msgspec

from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.kube.body import body_of, decode_event, encode, page_of
from hansa.kube.discovery import Discovery
from hansa.kube.errors import ApiError, Forbidden, NotFound, Unreachable, error_from_answer, error_from_status
from hansa.kube.limit import TokenBucket
from hansa.kube.metrics import RequestMetrics
from hansa.kube.retry import RetryPolicy
from hansa.kube.transport import Answer, Transport

log = logging.getLogger(__name__)

REQUEST_SECONDS = 30.0
PAGE_SIZE = 500
# A server closes a watch after `timeoutSeconds`; one that is silent for much longer is gone.
WATCH_SECONDS = 300
WATCH_GRACE_SECONDS = 30.0

JSON = "application/json"

T = TypeVar("T")


class PatchKind(enum.Enum):
    """The media types of a PATCH."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class ItemList(NamedTuple):
    items: list[Item]
    resource_version: str


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; an ERROR event is raised instead."""

    type: str
    item: Item


_HEADERS = {"accept": JSON}
_WRITE_HEADERS = {kind: {"accept": JSON, "content-type": kind} for kind in (JSON, *(kind.value for kind in PatchKind))}


class Client:
    """One API server, as one user. `qps` and `burst` bound requests per second; watches are not counted."""

    def __init__(
        self,
        transport: Transport,
        *,
        qps: float = 400,
        burst: int = 800,
        field_manager: str = "hansa",
        retry: RetryPolicy | None = None,
    ) -> None:
        self.server = transport.server
        self.transport = transport
        self.field_manager = field_manager
        self.discovery = Discovery(self._read_discovery)
        self._bucket = TokenBucket(qps, burst)
        self._retry = retry or RetryPolicy()
        self._forbidden: set[tuple[str, str]] = set()
        self._metrics = RequestMetrics(transport.server)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str | None = None
    ) -> Item:
        """One object. Raises NotFound and the other ApiErrors, Unreachable."""
        answer = await self._read("get", _label(resource, subresource), resource.path(namespace, name, subresource))
        return self._understood(Item.parse, answer)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        page_size: int = PAGE_SIZE,
        resource_version: str | None = None,
    ) -> ItemList:
        """All objects, page by page, consistent with the version that is returned.

        `resource_version="0"` lets the server answer from its cache, in one page. Raises Expired when a page token is
        too old.
        """
        query = _selectors(labels, fields)
        if resource_version is not None:
            query.append(("resourceVersion", resource_version))
        elif page_size:
            query.append(("limit", str(page_size)))
        items: list[Item] = []
        token = ""
        while True:
            page_query = [*query, ("continue", token)] if token else query
            answer = await self._read("list", resource.group_resource, resource.path(namespace), page_query)
            metadata, found = self._understood(lambda body: page_of(body, resource), answer)
            items += found
            token = metadata.continue_
            if not token:
                return ItemList(items, metadata.resource_version)

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str,
        timeout_seconds: int = WATCH_SECONDS,
    ) -> AsyncGenerator[AsyncIterator[WatchEvent], None]:
        """What happens after `resource_version`, bookmarks included. Raises Expired when that version is gone."""
        query = [
            *_selectors(labels, fields),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(timeout_seconds)),
        ]
        lines = self.transport.stream(
            resource.path(namespace),
            query=query,
            headers=_HEADERS,
            idle_timeout_seconds=timeout_seconds + WATCH_GRACE_SECONDS,
        )
        async with self._counted_stream("watch", resource.group_resource, lines) as opened:
            yield self._events(opened, resource)

    # -- writing -----------------------------------------------------------------------------------------------------

    async def create(
        self,
        resource: Resource,
        obj: Json | msgspec.Struct | Item,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        name: str | None = None,
        dry_run: bool = False,
    ) -> Item:
        """POST. `namespace` defaults to the object's; `name` and `subresource` are for TokenRequest and the like."""
        body, item = body_of(obj)
        path = resource.path(namespace or item.meta.namespace, name, subresource)
        label = _label(resource, subresource)
        answer = await self._write("create", label, "POST", path, body, self._write_query(dry_run))
        return self._understood(Item.parse, answer)

    async def update(
        self,
        resource: Resource,
        obj: Json | msgspec.Struct | Item,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Item:
        """PUT to the object's own name and namespace. Raises Conflict when its resourceVersion is not current."""
        body, item = body_of(obj)
        path = resource.path(item.meta.namespace, item.meta.name, subresource)
        label = _label(resource, subresource)
        answer = await self._write("update", label, "PUT", path, body, self._write_query(dry_run))
        return self._understood(Item.parse, answer)

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        patch: Json | Sequence[Json] | msgspec.Struct | bytes,
        *,
        kind: PatchKind = PatchKind.MERGE,
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> Item:
        """PATCH. With `kind=APPLY` the patch is the wanted configuration, and `force` takes over others' fields."""
        body = patch if isinstance(patch, bytes) else encode(patch)
        query = self._write_query(dry_run, field_manager)
        if force:
            query.append(("force", "true"))
        path = resource.path(namespace, name, subresource)
        label = _label(resource, subresource)
        answer = await self._write("patch", label, "PATCH", path, body, query, content_type=kind.value)
        return self._understood(Item.parse, answer)

    async def patch_status(self, resource: Resource, item: Item, change: Json) -> Item:
        """Merge `change` into the status of this very version. Raises Conflict when there is a newer one."""
        patch: Json = {"metadata": {"resourceVersion": item.meta.resource_version}, "status": change}
        return await self.patch(resource, item.meta.name, item.meta.namespace or None, patch, subresource="status")

    async def drop_finalizer(self, resource: Resource, item: Item, finalizer: str) -> None:
        """Hold this very version no longer; it may be gone already. Raises Conflict when there is a newer one."""
        kept = [entry for entry in item.meta.finalizers or () if entry != finalizer]
        patch: Json = {"metadata": {"finalizers": kept, "resourceVersion": item.meta.resource_version}}
        with suppress(NotFound):
            await self.patch(resource, item.meta.name, item.meta.namespace or None, patch)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str | None = None,
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> Item | None:
        """The object when it is only marked for deletion, None when it is gone. Given `uid` and version must match."""
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions"}
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if any(preconditions.values()):
            options["preconditions"] = {key: value for key, value in preconditions.items() if value}
        if propagation:
            options["propagationPolicy"] = propagation
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        query = [("dryRun", "All")] if dry_run else []
        path = resource.path(namespace, name)
        answer = await self._write("delete", resource.group_resource, "DELETE", path, encode(options), query)
        item = self._understood(Item.parse, answer)
        return None if item.kind == "Status" else item

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Any request, sent once. Raises ApiError when the code is not 2xx."""
        return await self._send(
            method.lower(), "", method, path, query=query, headers=headers, body=body, timeout_seconds=timeout_seconds
        )

    async def close(self) -> None:
        await self.transport.close()

    # -- within ------------------------------------------------------------------------------------------------------

    def _write_query(self, dry_run: bool, field_manager: str | None = None) -> list[tuple[str, str]]:
        query = [("fieldManager", field_manager or self.field_manager)]
        if dry_run:
            query.append(("dryRun", "All"))
        return query

    async def _send(
        self,
        verb: str,
        label: str,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> Answer:
        if not self._bucket.free():
            await self._bucket.take()
        try:
            answer = await self.transport.request(
                method,
                path,
                query=query,
                headers=headers,
                body=body,
                timeout_seconds=timeout_seconds or REQUEST_SECONDS,
            )
        except Unreachable:
            self._metrics.count(verb, label, 0)
            raise
        self._metrics.count(verb, label, answer.code)
        if 200 <= answer.code < 300:
            return answer
        error = error_from_answer(answer.code, answer.body, answer.headers.get("retry-after"))
        if isinstance(error, Forbidden):
            self._tell_forbidden(verb, label, error)
        raise error

    def _tell_forbidden(self, verb: str, label: str, error: Forbidden) -> None:
        """Once for each verb and resource: whoever is kept waiting would only say so again and again."""
        if (verb, label) not in self._forbidden:
            self._forbidden.add((verb, label))
            log.error(
                "%s does not let us %s %s: %s. Grant it, or install the account's roles anew (`hansa init` for the hub,"
                " `hansa join` for a member)",
                *(self.server, verb, label or "that", error.message),
            )

    async def _read(
        self,
        verb: str,
        label: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = _HEADERS,
    ) -> Answer:
        return await self._retry.read(lambda: self._send(verb, label, "GET", path, query=query, headers=headers))

    async def _read_discovery(
        self, path: str, query: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] | None = None
    ) -> Answer:
        return await self._read("get", "", path, query, headers or _HEADERS)

    async def _write(
        self,
        verb: str,
        label: str,
        method: str,
        path: str,
        body: bytes,
        query: Sequence[tuple[str, str]],
        *,
        content_type: str = JSON,
    ) -> Answer:
        headers = _WRITE_HEADERS[content_type]
        return await self._retry.write(
            lambda: self._send(verb, label, method, path, query=query, headers=headers, body=body)
        )

    @asynccontextmanager
    async def _counted_stream(
        self, verb: str, label: str, stream: AbstractAsyncContextManager[AsyncIterator[bytes]]
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """Count how the stream was opened; how it ends is not a request's outcome."""
        try:
            lines = await stream.__aenter__()
        except ApiError as error:
            self._metrics.count(verb, label, error.status_code)
            if isinstance(error, Forbidden):
                self._tell_forbidden(verb, label, error)
            raise
        except Unreachable:
            self._metrics.count(verb, label, 0)
            raise
        self._metrics.count(verb, label, 200)
        try:
            yield lines
        finally:
            await stream.__aexit__(None, None, None)

    async def _events(self, lines: AsyncIterator[bytes], resource: Resource) -> AsyncGenerator[WatchEvent, None]:
        api_version, kind = resource.api_version, resource.kind
        async for line in lines:
            if not line:
                continue
            try:
                event = decode_event(line)
                if event.type == "ERROR":
                    raise error_from_status(msgspec.json.decode(event.object, type=dict[str, Any]))
                item = Item.parse(event.object, api_version=api_version, kind=kind)
            except msgspec.DecodeError as error:
                raise Unreachable(self.server, f"a watch event cannot be read: {error}") from error
            yield WatchEvent(event.type, item)

    def _understood(self, decode: Callable[[bytes], T], answer: Answer) -> T:
        """A proxy's page is no answer of the API server, whatever its code: nothing is known then."""
        try:
            return decode(answer.body)
        except msgspec.DecodeError as error:
            raise Unreachable(self.server, f"its answer cannot be read: {error}") from error


def _label(resource: Resource, subresource: str | None) -> str:
    return f"{resource.group_resource}/{subresource}" if subresource else resource.group_resource


def _selectors(labels: str, fields: str) -> list[tuple[str, str]]:
    query: list[tuple[str, str]] = []
    if labels:
        query.append(("labelSelector", labels))
    if fields:
        query.append(("fieldSelector", fields))
    return query
