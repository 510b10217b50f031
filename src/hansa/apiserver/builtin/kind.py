"""Putting a kind's rules together from its parts: what its Go type does, its own defaults and checks, metadata's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin import fallback
from hansa.apiserver.builtin.generation import (
    create_counted,
    create_with_status,
    keep_generation,
    update_counted,
    update_with_status,
)
from hansa.apiserver.builtin.objectmeta import subdomain_name, validate_meta, validate_meta_update
from hansa.apiserver.builtin.rules import Cell, Column, KindRules, NameCheck, WriteContext
from hansa.apiserver.builtin.shape import shaper
from hansa.base.field import FieldError

Checks = Callable[[Json], list[FieldError]]
UpdateChecks = Callable[[Json, Json], list[FieldError]]


def no_checks(obj: Json) -> list[FieldError]:
    del obj
    return []


def no_update_checks(new: Json, old: Json) -> list[FieldError]:
    del new, old
    return []


def make(
    gvk: GVK,
    *,
    namespaced: bool = True,
    name: NameCheck = subdomain_name,
    defaults: Callable[[Json], None] | None = None,
    checks: Checks = no_checks,
    update_checks: UpdateChecks = no_update_checks,
    update_first: bool = False,
    recheck: bool = True,
    full_recheck: bool = False,
    status_checks: UpdateChecks = no_update_checks,
    status: bool = False,
    empty_status: Json | None = None,
    counted: Iterable[str] = (),
    count_annotations: bool = False,
    keep_labels_on_status: bool = False,
    columns: tuple[Column, ...] = (),
    fields: Mapping[str, Callable[[Json], str]] | None = None,
    **more: Any,
) -> KindRules:
    """Rules of one kind.

    `checks` see the object (metadata apart) on create and, unless `recheck` is off, on update; `full_recheck` also
    repeats metadata's creation checks on update. `update_checks` compare with the old object, after `checks` or, with
    `update_first`, before them. `counted`: top-level fields whose change bumps the generation (none: no generation).
    """
    counted = tuple(counted)
    shape: list[Callable[[Json], None] | None] = []

    def default(obj: Json) -> None:
        if not shape:
            shape.append(shaper(gvk))
        if shape[0] is not None:
            shape[0](obj)
        if defaults is not None:
            defaults(obj)

    def validate_create(obj: Json) -> list[FieldError]:
        return validate_meta(obj, namespaced=namespaced, name=name) + checks(obj)

    def validate_update(new: Json, old: Json, subresource: str) -> list[FieldError]:
        errors = validate_meta_update(new, old)
        if subresource == "status":
            return errors + status_checks(new, old)
        if update_first:
            errors += update_checks(new, old)
        if full_recheck:
            errors += validate_create(new)
        elif recheck:
            errors += checks(new)
        return errors if update_first else errors + update_checks(new, old)

    selectable = dict(fields or {})
    parts: dict[str, Any] = {
        "default": default,
        "prepare_create": _creation(status, empty_status, counted),
        "prepare_update": _updating(status, counted, count_annotations, keep_labels_on_status),
        "validate_create": validate_create,
        "validate_update": validate_update,
        "selectable_fields": lambda obj: {field: get(obj) for field, get in selectable.items()},
        "field_names": frozenset(selectable),
        "columns": columns or (fallback.NAME, fallback.CREATED_AT),
        "has_status": status,
    }
    return KindRules(gvk, **(parts | more))


def _creation(status: bool, empty: Json | None, counted: tuple[str, ...]) -> Callable[[Json, WriteContext], None]:
    if status:
        return create_with_status(empty, generation=bool(counted))
    return create_counted if counted else _drop_generation


def _drop_generation(obj: Json, context: WriteContext) -> None:
    del context
    obj["metadata"].pop("generation", None)


def _updating(
    status: bool, counted: tuple[str, ...], annotations: bool, keep_meta: bool
) -> Callable[[Json, Json, str], None]:
    if status:
        return update_with_status(
            spec=counted or ("spec",), annotations=annotations, generation=bool(counted), keep_meta=keep_meta
        )
    return update_counted(counted) if counted else _same_generation


def _same_generation(new: Json, old: Json, subresource: str) -> None:
    del subresource
    keep_generation(new, old)


def column(name: str, cell: Callable[[Json], Any], type_: str = "string", *, wide: bool = False) -> Column:
    """A column whose cell depends on the object alone."""

    def show(obj: Json, now: Any) -> Any:
        del now
        return cell(obj)

    return Column(name, show, type=type_, priority=1 if wide else 0, description=_DESCRIPTIONS.get(name, name))


def timed(name: str, cell: Cell, *, wide: bool = False) -> Column:
    """A column whose cell depends on the time."""
    return Column(name, cell, priority=1 if wide else 0, description=_DESCRIPTIONS.get(name, name))


_DESCRIPTIONS = {
    "Ready": "How much of it is ready.",
    "Status": "What state it is in.",
    "Containers": "Names of the containers in the template.",
    "Images": "Images of the containers in the template.",
    "Selector": "Labels of the pods that belong to it.",
}
