"""Who manages which fields: metadata.managedFields, read and written (meta.k8s.io/v1 ManagedFieldsEntry).

A manager is a name, an operation, a subresource and, for updates, a version: `kubectl` that applies and `kubectl` that
updates are two. Entries are sorted by operation, time and name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hansa.api import fieldset
from hansa.api.fieldset import FieldSet, FieldSetError
from hansa.api.meta import Json

APPLY = "Apply"
UPDATE = "Update"
MOST_UPDATERS = 10
OLD_CHANGES = "ancient-changes"


class Manager(NamedTuple):
    """Identity. `api_version` is empty for appliers, who stay the same when they apply another version."""

    name: str
    operation: str
    api_version: str
    subresource: str

    @classmethod
    def of(cls, name: str, operation: str, api_version: str, subresource: str = "") -> Manager:
        return cls(name or "unknown", operation, "" if operation == APPLY else api_version, subresource)

    def __str__(self) -> str:
        """As conflicts name it: `"kubectl" with subresource "status" using apps/v1`."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Ownership:
    """The fields of one manager, in one version, and when they last changed (RFC 3339, or None)."""

    fields: FieldSet
    api_version: str
    time: str | None
    settled: bool = False
    """The fields are as they came off the wire, so sorted."""

    def owning(self, fields: FieldSet) -> Ownership:
        """The same with other fields; itself if they are the same."""
        return self if fields is self.fields or fields == self.fields else replace(self, fields=fields, settled=False)


Managers = dict[Manager, Ownership]


def decode(entries: Any) -> Managers:
    """From metadata.managedFields. Raises FieldSetError."""
    managers: Managers = {}
    for index, entry in enumerate(entries or ()):
        operation, version = entry.get("operation"), entry.get("apiVersion")
        if operation not in (APPLY, UPDATE):
            raise FieldSetError("operation must be `Apply` or `Update`")
        if not version:
            raise FieldSetError("apiVersion must not be empty")
        kind = entry.get("fieldsType")
        if kind != "FieldsV1":
            fault = f'invalid fieldsType "{kind}"' if kind else "missing fieldsType"
            raise FieldSetError(f"{fault} in managed fields entry {index}")
        # an entry may lack a name; it keeps lacking it
        who = Manager(
            entry.get("manager", ""), operation, "" if operation == APPLY else version, entry.get("subresource", "")
        )
        managers[who] = Ownership(fieldset.decode(entry.get("fieldsV1")), version, entry.get("time"), settled=True)
    return managers


def decode_or_none(entries: Any) -> Managers:
    """The same; entries that cannot be read count as none."""
    try:
        return decode(entries)
    except (FieldSetError, AttributeError, TypeError):
        return {}


def encode(managers: Managers) -> list[Json]:
    """To metadata.managedFields, sorted."""
    return [_entry(who, managers[who]) for who in sorted(managers, key=lambda who: _order(who, managers[who]))]


def write(obj: Json, managers: Managers) -> None:
    """Set metadata.managedFields in place; without managers the field is absent."""
    meta = obj.setdefault("metadata", {})
    meta.pop("managedFields", None)
    if managers:
        meta["managedFields"] = encode(managers)


def is_reset(entries: Any) -> bool:
    """Whether a request asks to forget all managers: an empty list, or one empty entry."""
    return entries is not None and (len(entries) == 0 or (len(entries) == 1 and not entries[0]))


def less_updaters(managers: Managers) -> Managers:
    """At most ten updaters: the oldest are merged into one for each version."""
    updaters = sorted(
        (who for who in managers if who.operation == UPDATE), key=lambda who: (managers[who].time or "", _text(who))
    )
    result = dict(managers)
    first_of: dict[str, Manager] = {}
    length = len(updaters)
    for who in updaters:
        if length <= MOST_UPDATERS:
            break
        owned = managers[who]
        first = first_of.setdefault(owned.api_version, who)
        if first == who:
            continue
        bucket = Manager.of(OLD_CHANGES, UPDATE, owned.api_version)
        if bucket not in result:
            result[bucket] = result.pop(first)
        result.pop(who, None)
        result[bucket] = owned.owning(fieldset.union(owned.fields, result[bucket].fields))
        length -= 1
    return result


def all_fields(managers: Iterable[Ownership]) -> FieldSet:
    """Everything that any of them owns."""
    result: FieldSet = {}
    for owned in managers:
        result = fieldset.union(result, owned.fields)
    return result


def _entry(who: Manager, owned: Ownership) -> Json:
    entry: Json = {"manager": who.name} if who.name else {}
    entry |= {"operation": who.operation, "apiVersion": owned.api_version}
    if owned.time:
        entry["time"] = owned.time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": owned.fields if owned.settled else fieldset.encode(owned.fields)}
    if who.subresource:
        entry["subresource"] = who.subresource
    return entry


def _order(who: Manager, owned: Ownership) -> tuple[str, str, str, str, str]:
    return who.operation, owned.time or "", who.name, owned.api_version, who.subresource


def _text(who: Manager) -> tuple[str, str, str, str]:
    return who.name, who.operation, who.api_version, who.subresource
