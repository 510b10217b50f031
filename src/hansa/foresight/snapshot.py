"""A federation's hub as it was at one moment, and the file that keeps it.

The file is JSON lines: a header that names format and version, then one object a line, so that it can be compared,
filtered and stored by ordinary tools. A reader refuses a version that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from hansa.api.meta import GVK, Json, Wire
from hansa.kube.errors import ConfigError

API_VERSION = "foresight.hansa.dev/v1"
KIND = "FederationSnapshot"


class LeftOut(Wire, frozen=True, kw_only=True):
    """A resource that could not be read. What depends on it is not part of the snapshot either."""

    resource: str
    kind: str
    api_version: str
    reason: str


class Header(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """First line of the file.

    taken_at: RFC 3339; the time at which a rehearsal begins.
    kinds: Every kind that was read whole, as `apiVersion/Kind`: of these, what is not in the file was not there.
    secret_data: Whether values of Secrets are in the file, or stand-ins that only tell equal from different.
    """

    api_version: str
    kind: str
    taken_at: str
    hub: str
    secret_data: Literal["Hidden", "Included"] = "Hidden"
    kinds: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    objects: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    header: Header
    objects: tuple[Json, ...]

    @property
    def known(self) -> frozenset[GVK]:
        """Kinds of which everything is here."""
        found = (text.rpartition("/") for text in self.header.kinds)
        return frozenset(GVK.of(api_version, kind) for api_version, _, kind in found)

    @property
    def unknown(self) -> frozenset[GVK]:
        """Kinds that the hub has, and of which nothing is here."""
        return frozenset(GVK.of(entry.api_version, entry.kind) for entry in self.header.left_out)

    def of_kind(self, kind: str, group: str) -> Iterator[Json]:
        for obj in self.objects:
            if obj["kind"] == kind and GVK.of(obj["apiVersion"], kind).group == group:
                yield obj


def written(snapshot: Snapshot) -> Iterator[bytes]:
    """The lines of the file."""
    yield msgspec.json.encode(snapshot.header) + b"\n"
    for obj in snapshot.objects:
        yield msgspec.json.encode(obj) + b"\n"


def read(lines: Iterable[bytes], name: str) -> Snapshot:
    """Raises ConfigError, with the file's `name` and the line."""
    objects: list[Json] = []
    header: Header | None = None
    for number, line in enumerate(lines, 1):
        try:
            if header is None:
                header = _header(line, name)
            elif line.strip():
                objects.append(msgspec.json.decode(line, type=Json))
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{name}, line {number}: no snapshot: {error}") from error
    if header is None:
        raise ConfigError(f"{name}: no snapshot: the file is empty")
    if len(objects) != header.objects:
        raise ConfigError(f"{name}: cut short: {len(objects)} of {header.objects} objects")
    return Snapshot(header, tuple(objects))


def _header(line: bytes, name: str) -> Header:
    head = msgspec.json.decode(line, type=dict)
    if head.get("kind") != KIND:
        raise ConfigError(f"{name}: no snapshot of a federation; take one with `hansa snapshot -o {name}`")
    if head.get("apiVersion") != API_VERSION:
        raise ConfigError(f"{name}: version {head.get('apiVersion')} is not known here, {API_VERSION} is: take it anew")
    return msgspec.convert(head, Header)
