"""Get, list and watch."""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from hansa.api.meta import Json, Key
from hansa.apiserver import faults, tables
from hansa.apiserver.body import Form
from hansa.apiserver.context import Call, Context
from hansa.apiserver.resources import Served
from hansa.apiserver.storage import Bucket, Entry, Event, Gone
from hansa.apiserver.watch import Watcher, bookmark_line
from hansa.base.selector import Fields, Labels, SelectorError, parse_fields, parse_labels

WATCH_SECONDS = (1800, 3600)
"""Watches without a timeout of their own end after a time between these."""
_COMMON_FIELDS = frozenset({"metadata.name", "metadata.namespace"})

_encode = msgspec.json.Encoder().encode


class _Token(msgspec.Struct):
    """Where a list goes on: after this key, in the state of that version (0: the newest, as an inconsistent list)."""

    v: int
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a bucket is asked for."""

    served: Served
    namespace: str
    labels: Labels
    fields: Fields

    @property
    def everything(self) -> bool:
        return not (self.namespace or self.labels or self.fields)

    def range(self, keys: Sequence[Key]) -> tuple[int, int]:
        """Where in the sorted keys those of the namespace begin and end."""
        if not self.namespace:
            return 0, len(keys)
        return bisect_left(keys, Key(self.namespace, "")), bisect_left(keys, Key(f"{self.namespace}\0", ""))

    def matches(self, entry: Entry) -> bool:
        if self.namespace and entry.key.namespace != self.namespace:
            return False
        if self.labels and not self.labels.matches(entry.labels):
            return False
        return not self.fields or self._fields_match(entry)

    def _fields_match(self, entry: Entry) -> bool:
        key = entry.key
        own = {r.path for r in self.fields.requirements} - _COMMON_FIELDS
        values = self.served.rules.selectable_fields(entry.json()) if own else {}

        def get(path: str) -> str:
            if path == "metadata.name":
                return key.name
            if path == "metadata.namespace":
                return key.namespace
            return values.get(path, "")

        return self.fields.matches(get)


class Reads:
    """Reads of one server."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, call: Call, form: Form) -> bytes | Json:
        entry = self._context.entry(call.served, call.target.namespace, call.target.name)
        if entry is None:
            raise faults.not_found(call.served.resource, call.target.name)
        if form.shape == "Table":
            obj = self._view(call.served, entry)
            return tables.table(call, [obj], self._context.clock.now(), obj["metadata"]["resourceVersion"])
        if form.shape == "PartialObjectMetadata":
            return tables.partial(self._view(call.served, entry), form)
        return self._raw(call.served, entry)

    def list(self, call: Call, form: Form) -> bytes | Json:
        query, served = call.target.query, call.served
        selection = self.select(call)
        bucket = self._context.bucket(served)
        limit = query.number("limit") or 0
        if limit < 0:
            raise faults.bad_request(f"limit must be positive: {limit}")
        version, after, entries = self._snapshot(call, bucket, query.get("continue"))
        keys = bucket.ordered() if entries is bucket.entries else sorted(entries)
        begin, end = selection.range(keys)
        if after is not None:
            begin = max(begin, bisect_right(keys, after))
        found: list[Entry] = []
        left = 0
        for position in range(begin, end):
            entry = entries[keys[position]]
            if not selection.matches(entry):
                continue
            if limit and len(found) == limit:
                left = end - position
                break
            found.append(entry)
        meta: Json = {"resourceVersion": str(version)}
        if left:
            meta["continue"] = _token(version, found[-1].key)
            if not (selection.labels or selection.fields):
                meta["remainingItemCount"] = left
        return self._render_list(call, form, found, meta)

    def watch(self, call: Call, form: Form) -> Watcher:
        context, query, served = self._context, call.target.query, call.served
        selection = self.select(call)
        bucket = context.bucket(served)
        given = query.get("resourceVersion")
        streaming = query.flag("sendInitialEvents") if query.get("sendInitialEvents") else None
        match = query.get("resourceVersionMatch")
        if streaming is not None and match != "NotOlderThan":
            text = "sendInitialEvents is forbidden for watch unless resourceVersionMatch is set to NotOlderThan"
            raise faults.bad_request(text)
        if streaming is None and match:
            raise faults.bad_request("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        initial = streaming is True or (streaming is None and given in ("", "0"))
        since = self._number(given)
        bookmarks = query.flag("allowWatchBookmarks")
        low, high = WATCH_SECONDS
        kind, api_version = served.gvk.kind, served.gvk.api_version

        def bookmark(version: int, annotations: Json | None) -> bytes:
            return bookmark_line(kind, api_version, version, annotations)

        watcher = Watcher(
            bucket,
            matches=None if selection.everything else selection.matches,
            render=self._renderer(call, form),
            bookmark=bookmark if bookmarks else None,
            current=lambda: context.storage.version,
            timeout_seconds=float(query.number("timeoutSeconds") or context.rng.randint(low, high)),
        )
        if initial:
            entries = [bucket.entries[key] for key in bucket.ordered()]
            present = entries if selection.everything else [e for e in entries if selection.matches(e)]
            watcher.start([], present, announce_end=streaming is True)
        else:
            events = self._since(bucket, since) if given not in ("", "0") else []
            watcher.start(events, [])
        return watcher

    def _since(self, bucket: Bucket, version: int) -> list[Event]:
        """Raises Expired for a version that is forgotten, or was never known (a store in memory began anew)."""
        try:
            if version > self._context.storage.version:
                raise Gone
            return bucket.since(version)
        except Gone:
            raise faults.expired(f"too old resource version: {version} ({bucket.oldest})") from None

    # -- parts -------------------------------------------------------------------------------------------------------

    def select(self, call: Call) -> Selection:
        """What the namespace, name and selectors of a request ask for. Raises BadRequest."""
        query, target = call.target.query, call.target
        try:
            labels = parse_labels(query.get("labelSelector"))
            fields = parse_fields(query.get("fieldSelector"))
        except SelectorError as error:
            raise faults.bad_request(str(error)) from error
        allowed = _COMMON_FIELDS | call.rules.field_names
        for requirement in fields.requirements:
            if requirement.path not in allowed:
                raise faults.bad_request(_unknown_field(call, requirement.path))
        namespace = target.namespace if call.served.resource.namespaced else ""
        if target.name:
            name = parse_fields(f"metadata.name={target.name}").requirements
            fields = Fields((*fields.requirements, *name))
        return Selection(call.served, namespace, labels, fields)

    def _snapshot(self, call: Call, bucket: Bucket, token: str) -> tuple[int, Key | None, dict[Key, Entry]]:
        """The version to read at, the key to begin after, and the objects of that version."""
        query, storage = call.target.query, self._context.storage
        if token:
            if query.get("resourceVersion") not in ("", "0"):
                raise faults.bad_request("specifying resource version is not allowed when using continue")
            begin = _read_token(token)
            after = Key(begin.namespace, begin.name)
            if begin.v == 0 or begin.v == storage.version:
                return storage.version, after, bucket.entries
            try:
                return begin.v, after, bucket.at(begin.v)
            except Gone:
                text = (
                    "The provided continue parameter is too old to display a consistent list result. You can start a"
                    " new list without the continue parameter, or use the continue token in this response to retrieve"
                    " the remainder of the results. Continuing with the provided token results in an inconsistent list"
                )
                raise faults.expired(text, _token(0, after)) from None
        given, match = query.get("resourceVersion"), query.get("resourceVersionMatch")
        if match and not given:
            raise faults.bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
        if match == "Exact":
            wanted = self._number(given)
            try:
                return wanted, None, bucket.at(wanted)
            except Gone:
                raise faults.expired(f"The resourceVersion for the provided list is too old: {wanted}") from None
        version = self._number(given)
        if version > storage.version:
            fault = faults.Fault(
                504, "Timeout", f"Too large resource version: {version}, current: {storage.version}", {}
            )
            cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            fault.details = {"causes": [cause], "retryAfterSeconds": 1}
            raise fault
        return storage.version, None, bucket.entries

    def _number(self, text: str) -> int:
        if text in ("", "0"):
            return 0
        if not text.isdigit():
            why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
            raise faults.bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": {why}')
        return int(text)

    def _render_list(self, call: Call, form: Form, entries: list[Entry], meta: Json) -> bytes | Json:
        served = call.served
        if form.shape == "Table":
            objects = [self._view(served, entry) for entry in entries]
            table = tables.table(call, objects, self._context.clock.now(), meta["resourceVersion"])
            table["metadata"] = meta
            return table
        if form.shape == "PartialObjectMetadataList":
            objects = [tables.partial(self._view(served, entry), form) for entry in entries]
            kind = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{form.version or 'v1'}"}
            return {**kind, "metadata": meta, "items": objects}
        head = _encode({"kind": f"{served.gvk.kind}List", "apiVersion": served.gvk.api_version, "metadata": meta})
        return b'%s,"items":[%s]}\n' % (head[:-1], b",".join([self._raw(served, entry) for entry in entries]))

    def _renderer(self, call: Call, form: Form) -> Callable[[str, Entry], bytes] | None:
        served = call.served
        if form.shape == "Table":
            first = True

            def as_table(kind: str, entry: Entry) -> bytes:
                nonlocal first
                obj = self._view(served, entry)
                document = tables.table(
                    call, [obj], self._context.clock.now(), obj["metadata"]["resourceVersion"], columns=first
                )
                first = False
                return _encode({"type": kind, "object": document}) + b"\n"

            return as_table
        if form.shape.startswith("PartialObjectMetadata"):

            def as_metadata(kind: str, entry: Entry) -> bytes:
                return _encode({"type": kind, "object": tables.partial(self._view(served, entry), form)}) + b"\n"

            return as_metadata
        if served.converted:
            return lambda kind, entry: b'{"type":"%s","object":%s}\n' % (kind.encode(), self._raw(served, entry))
        return None

    def _raw(self, served: Served, entry: Entry) -> bytes:
        return _encode(self._view(served, entry)) if served.converted else entry.raw

    def _view(self, served: Served, entry: Entry) -> Json:
        return served.to_served(entry.json())


def _unknown_field(call: Call, path: str) -> str:
    if call.served.custom is None and not call.rules.field_names:
        return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    return f"field label not supported: {path}"


def _token(version: int, key: Key) -> str:
    token = _encode(_Token(version, key.namespace, key.name))
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _read_token(text: str) -> _Token:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except msgspec.DecodeError as error:
        raise faults.bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    except ValueError as error:
        text = "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"
        raise faults.bad_request(text) from error
