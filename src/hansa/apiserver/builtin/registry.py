"""Which rules a kind has. Modules of kinds are imported when one of their kinds is first asked for."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin import fallback
from hansa.apiserver.builtin.rules import KindRules

_MODULES: dict[tuple[str, str], str] = {}
"""(group, kind) -> module beneath this package that has `RULES: dict[GVK, KindRules]`."""


@lru_cache(maxsize=4096)
def rules_for(gvk: GVK) -> KindRules:
    """Rules of a kind; those of every object where it has none of its own."""
    name = _MODULES.get((gvk.group, gvk.kind))
    if name is None:
        return fallback.rules(gvk)
    module = import_module(f"hansa.apiserver.builtin.{name}")
    found: KindRules | None = module.RULES.get(gvk)
    return found or fallback.rules(gvk)


def storage_gvk(gvk: GVK) -> GVK:
    """The version in which the kind is stored; the same for most. Differs in group for events.k8s.io."""
    return gvk


def to_storage(obj: Json) -> Json:
    """A served object in its storage form (the same object where the two are one)."""
    return obj


def to_version(obj: Json, gvk: GVK) -> Json:
    """A stored object in a served version (the same object where the two are one)."""
    return obj
