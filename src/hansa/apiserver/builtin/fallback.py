"""Rules for kinds that have none of their own: custom resources, and built-in kinds that are only stored."""

from __future__ import annotations

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import age, name
from hansa.apiserver.builtin.objectmeta import subdomain_name, validate_meta, validate_meta_update
from hansa.apiserver.builtin.rules import Column, KindRules
from hansa.base.field import FieldError

NAME = Column("Name", name, format="name", description="Name of the object, unique within its namespace and kind.")
CREATED = Column("Age", age, description="Time since the object was created.")
CREATED_AT = Column(
    "Created At",
    lambda obj, now: obj["metadata"].get("creationTimestamp"),
    type="date",
    description="Time at which the object was created.",
)


def _default(gvk: GVK) -> KindRules:
    shape: list[object] = []

    def default(obj: Json) -> None:
        if not shape:
            from hansa.apiserver.builtin.shape import shaper

            shape.append(shaper(gvk))
        convert = shape[0]
        if callable(convert):
            convert(obj)

    def create(obj: Json) -> list[FieldError]:
        return validate_meta(
            obj, namespaced="namespace" in (obj.get("metadata") or {}), name=subdomain_name, custom=True
        )

    def update(new: Json, old: Json, subresource: str) -> list[FieldError]:
        del subresource
        return validate_meta_update(new, old)

    return KindRules(gvk, default=default, validate_create=create, validate_update=update, columns=(NAME, CREATED_AT))


def rules(gvk: GVK) -> KindRules:
    """Rules that hold for every object."""
    return _default(gvk)
