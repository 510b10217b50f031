"""The objects of one server, their versions, and who watches them.

One counter gives every write its resourceVersion. Objects are kept as bytes, with just the metadata that lists, watches
and garbage collection look at. With a file, a write is in SQLite (WAL) before anybody sees or acknowledges it, so a
killed process loses nothing that it acknowledged.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from hansa.api.meta import Json, Key, ObjectMeta

HISTORY = 2048
"""Events kept for each resource, for watches that begin in the past."""


class Entry:
    """One version of one object."""

    __slots__ = ("deleting", "finalizers", "key", "labels", "owners", "raw", "uid", "version")

    def __init__(self, raw: bytes, version: int, meta: ObjectMeta) -> None:
        self.raw = raw
        self.version = version
        self.key = meta.key
        self.uid = meta.uid
        self.labels: dict[str, str] = meta.labels or {}
        self.owners = tuple(owner.uid for owner in meta.owner_references or ())
        self.finalizers = bool(meta.finalizers)
        self.deleting = meta.deletion_timestamp is not None

    def json(self) -> Json:
        """A private copy."""
        return _decode_json(self.raw)


class _Head(msgspec.Struct):
    metadata: ObjectMeta


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_json = msgspec.json.Decoder(Json).decode
_encode = msgspec.json.Encoder().encode


class Event:
    """One write. `old` is None when the object is new; of a delete, `new` is the last state under its version."""

    __slots__ = ("deleted", "lines", "new", "old")

    def __init__(self, new: Entry, old: Entry | None, deleted: bool) -> None:
        self.new = new
        self.old = old
        self.deleted = deleted
        self.lines: dict[str, bytes] = {}

    @property
    def version(self) -> int:
        return self.new.version

    def line(self, kind: str, entry: Entry) -> bytes:
        """The event as watchers get it, encoded once for all of them."""
        key = kind if entry is self.new else f"{kind} old"
        found = self.lines.get(key)
        if found is None:
            found = self.lines[key] = b'{"type":"%s","object":%s}\n' % (kind.encode(), entry.raw)
        return found


class Gone(Exception):
    """The version asked for is older than what is remembered."""


Listener = Callable[[Event], None]


class Bucket:
    """The objects of one resource."""

    def __init__(self, name: str, oldest: int) -> None:
        self.name = name
        self.entries: dict[Key, Entry] = {}
        self.history: deque[Event] = deque()
        self.oldest = oldest
        """Events up to this version are forgotten."""
        self.listeners: list[Listener] = []
        self._order: list[Key] | None = None

    def ordered(self) -> list[Key]:
        """Keys by namespace, then name."""
        if self._order is None:
            self._order = sorted(self.entries)
        return self._order

    def of_namespace(self, namespace: str) -> Iterator[Entry]:
        order = self.ordered()
        for position in range(bisect_left(order, Key(namespace, "")), len(order)):
            key = order[position]
            if key.namespace != namespace:
                return
            yield self.entries[key]

    def at(self, version: int) -> dict[Key, Entry]:
        """The objects as they were. Raises Gone when that is forgotten."""
        if version < self.oldest:
            raise Gone
        entries = dict(self.entries)
        for event in reversed(self.history):
            if event.version <= version:
                break
            if event.old is None:
                entries.pop(event.new.key, None)
            else:
                entries[event.old.key] = event.old
        return entries

    def since(self, version: int) -> list[Event]:
        """What happened after a version. Raises Gone when that is forgotten."""
        if version < self.oldest:
            raise Gone
        found: list[Event] = []
        for event in reversed(self.history):
            if event.version <= version:
                break
            found.append(event)
        found.reverse()
        return found

    def record(self, event: Event) -> None:
        key = event.new.key
        if event.deleted:
            del self.entries[key]
            self._order = None
        else:
            if event.old is None:
                self._order = None
            self.entries[key] = event.new
        self.history.append(event)
        if len(self.history) > HISTORY:
            self.oldest = self.history.popleft().version
        for listener in list(self.listeners):
            listener(event)


class Storage:
    """All buckets. `path` is the SQLite file; without one nothing outlives the process."""

    def __init__(self, path: Path | None = None) -> None:
        self.version = 0
        self.writes = 0
        """Writes since the start, for benchmarks and tests."""
        self._buckets: dict[str, Bucket] = {}
        self._listeners: list[Callable[[str, Event], None]] = []
        self._file: sqlite3.Connection | None = None
        if path is not None:
            self._open(path)

    def bucket(self, name: str) -> Bucket:
        found = self._buckets.get(name)
        if found is None:
            found = self._buckets[name] = Bucket(name, self.version)
        return found

    def buckets(self) -> list[Bucket]:
        return list(self._buckets.values())

    def subscribe(self, listener: Callable[[str, Event], None]) -> None:
        """Hear of every write of every resource, within the write."""
        self._listeners.append(listener)

    def put(self, bucket: Bucket, obj: Json, old: Entry | None) -> Entry:
        """Store an object under the next version, which is set in `obj`."""
        version = self.version + 1
        obj["metadata"]["resourceVersion"] = str(version)
        raw = _encode(obj)
        entry = Entry(raw, version, _decode_head(raw).metadata)
        self._persist(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
            (bucket.name, entry.key.namespace, entry.key.name, version, raw),
            version,
        )
        self._publish(bucket, Event(entry, old, False))
        return entry

    def restore(self, bucket: Bucket, obj: Json) -> Entry:
        """Store an object of another server under the version that it has there. Only before anybody watches.

        Raises ValueError when that is no number.
        """
        raw = _encode(obj)
        meta = _decode_head(raw).metadata
        entry = Entry(raw, int(meta.resource_version), meta)
        latest = max(self.version, entry.version)
        self._persist(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
            (bucket.name, entry.key.namespace, entry.key.name, entry.version, raw),
            latest,
        )
        self._publish(bucket, Event(entry, bucket.entries.get(entry.key), False))
        self.version = max(self.version, latest)
        return entry

    def delete(self, bucket: Bucket, old: Entry) -> Entry:
        """Remove an object; its last state carries the version of the delete."""
        version = self.version + 1
        obj = old.json()
        obj["metadata"]["resourceVersion"] = str(version)
        raw = _encode(obj)
        entry = Entry(raw, version, _decode_head(raw).metadata)
        self._persist(
            "DELETE FROM objects WHERE bucket = ? AND namespace = ? AND name = ?",
            (bucket.name, entry.key.namespace, entry.key.name),
            version,
        )
        self._publish(bucket, Event(entry, old, True))
        return entry

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _publish(self, bucket: Bucket, event: Event) -> None:
        self.version = event.version
        self.writes += 1
        bucket.record(event)
        for listener in self._listeners:
            listener(bucket.name, event)

    def _persist(self, statement: str, values: tuple[object, ...], version: int) -> None:
        if self._file is None:
            return
        with self._file:
            self._file.execute("BEGIN")
            self._file.execute(statement, values)
            self._file.execute("UPDATE counter SET version = ?", (version,))

    def _open(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = sqlite3.connect(path, isolation_level=None)
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute(
            "CREATE TABLE IF NOT EXISTS objects"
            " (bucket TEXT, namespace TEXT, name TEXT, version INTEGER, body BLOB,"
            " PRIMARY KEY (bucket, namespace, name)) WITHOUT ROWID"
        )
        file.execute("CREATE TABLE IF NOT EXISTS counter (version INTEGER)")
        row = file.execute("SELECT version FROM counter").fetchone()
        if row is None:
            file.execute("INSERT INTO counter VALUES (0)")
        self.version = row[0] if row else 0
        for name, version, raw in file.execute("SELECT bucket, version, body FROM objects"):
            entry = Entry(raw, version, _decode_head(raw).metadata)
            self.bucket(name).entries[entry.key] = entry
        self._file = file
        path.chmod(0o600)
