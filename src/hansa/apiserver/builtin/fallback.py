"""Rules for kinds that have none of their own: custom resources, and built-in kinds that are only stored."""

from __future__ import annotations

from dataclasses import replace

from hansa.api.meta import GVK
from hansa.apiserver.builtin.cells import age, name
from hansa.apiserver.builtin.rules import Column, KindRules

NAME = Column("Name", name, format="name", description="Name of the object, unique within its namespace and kind.")
CREATED = Column("Age", age, description="Time since the object was created.")
CREATED_AT = Column(
    "Created At",
    lambda obj, now: obj["metadata"].get("creationTimestamp"),
    type="date",
    description="Time at which the object was created.",
)

_ANY = KindRules(GVK("", "", ""), columns=(NAME, CREATED_AT))


def rules(gvk: GVK) -> KindRules:
    """Rules that hold for every object."""
    return replace(_ANY, gvk=gvk)
