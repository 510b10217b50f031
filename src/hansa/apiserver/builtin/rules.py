"""The shape of a kind's rules, and what holds for kinds that have none of their own.

The order of one write, as in kube-apiserver: decode, `default`, mutating admission (and `default` again), then
`prepare_create`/`prepare_update`, then `validate_create`/`validate_update`, allocation, validating admission, storage.
All functions work on decoded JSON; `default` and `prepare_*` change the new object in place and never the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver.message import UserInfo
from hansa.base.field import FieldError

NameCheck = Callable[[str, bool], list[str]]
"""(name, it is only a prefix) -> faults in Kubernetes' words."""

Cell = Callable[[Json, datetime], Any]
"""(object, now) -> cell of a printed table."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a printed table (meta.k8s.io/v1 TableColumnDefinition). Priority 1 = only with `-o wide`."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class WriteContext:
    """Circumstances of one write that rules may look at."""

    now: datetime
    user: UserInfo
    dry_run: bool = False
    subresource: str = ""


def _nothing(obj: Json) -> None:
    del obj


def _no_create(obj: Json, context: WriteContext) -> None:
    del obj, context


def _no_update(new: Json, old: Json, subresource: str) -> None:
    del new, old, subresource


def _valid(obj: Json) -> list[FieldError]:
    del obj
    return []


def _valid_update(new: Json, old: Json, subresource: str) -> list[FieldError]:
    del new, old, subresource
    return []


def _no_fields(obj: Json) -> dict[str, str]:
    del obj
    return {}


def _no_warnings(new: Json, old: Json | None) -> list[str]:
    del new, old
    return []


@dataclass(frozen=True)
class KindRules:
    """Rules of one group, version and kind. Replace parts with `dataclasses.replace`.

    - `default(obj)`: read the object as its Go type does and fill in defaults; idempotent; runs on every decoded
      object and on what patches and webhooks made. Raises `shape.ShapeError` where a value has the wrong type (400:
      `Deployment in version "v1" cannot be handled as a Deployment: …`).
    - `prepare_create(obj, context)`: drop status, set generation 1 where the kind counts it, set what the server owns.
    - `prepare_update(new, old, subresource)`: "" keeps the old status, "status" keeps the old spec and metadata as the
      kind does; bumps generation.
    - `validate_create(obj)`, `validate_update(new, old, subresource)`: all faults, metadata's first, in the real order.
    - `selectable_fields(obj)`: field selector name -> value, without metadata.name and metadata.namespace.
    - `field_names`: the selectable names, so that an unknown one is a 400.
    - `warnings(new, old)`: texts for Warning headers; old is None on create.
    - `columns`: printed columns, Name and Age included.
    """

    gvk: GVK
    default: Callable[[Json], None] = _nothing
    prepare_create: Callable[[Json, WriteContext], None] = _no_create
    prepare_update: Callable[[Json, Json, str], None] = _no_update
    validate_create: Callable[[Json], list[FieldError]] = _valid
    validate_update: Callable[[Json, Json, str], list[FieldError]] = _valid_update
    selectable_fields: Callable[[Json], dict[str, str]] = _no_fields
    field_names: frozenset[str] = frozenset()
    warnings: Callable[[Json, Json | None], list[str]] = _no_warnings
    columns: tuple[Column, ...] = ()
    has_status: bool = False
    """The kind serves `/status`; its main endpoint ignores `status`."""
    create_on_update: bool = False
    """A PUT of a missing object creates it."""
    unconditional_update: bool = True
    """A PUT without resourceVersion is accepted."""
    orphan_by_default: bool = False
    """A delete without propagationPolicy orphans dependents (Job v1, ReplicationController)."""
    graceful: Callable[[Json, int | None], int] | None = None
    """(object, asked seconds) -> grace period of a delete; None = the kind is deleted at once."""
