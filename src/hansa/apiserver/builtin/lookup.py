"""How rules that need other objects read them: a port onto the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hansa.api.meta import Json


class Lookup(Protocol):
    """Stored objects in their storage version. What it yields is shared: readers must not change it."""

    def get(self, group: str, kind: str, namespace: str, name: str) -> Json | None:
        """One object; namespace "" for cluster-scoped kinds; None when there is none."""
        ...

    def list(self, group: str, kind: str, namespace: str = "") -> Iterable[Json]:
        """Objects of a kind, of all namespaces when none is given."""
        ...
