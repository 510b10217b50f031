"""Cluster IPs and node ports of Services."""

from __future__ import annotations

from collections.abc import Iterable

from hansa.api.meta import Json
from hansa.base.field import FieldError


class ServiceAllocator:
    """Bitmap-free allocator: sets of what is in use, rebuilt from the stored Services at start."""

    def __init__(self, cidrs: Iterable[str] = ("10.96.0.0/12",), node_ports: tuple[int, int] = (30000, 32767)) -> None:
        raise NotImplementedError

    def rebuild(self, services: Iterable[Json]) -> None:
        """Forget everything, then take what the stored Services hold."""
        raise NotImplementedError

    def create(self, service: Json, *, dry_run: bool) -> list[FieldError]:
        """Fill in ipFamilies, clusterIP(s), node ports. On faults nothing is held. Call before `validate_create`."""
        raise NotImplementedError

    def update(self, new: Json, old: Json, *, dry_run: bool) -> list[FieldError]:
        """Keep or change on a type change. What is no longer needed is released by `settle` after the write."""
        raise NotImplementedError

    def settle(self, old: Json | None, new: Json | None) -> None:
        """A write was committed (new None: deleted): release what `old` held and `new` does not."""
        raise NotImplementedError

    def rollback(self, old: Json | None, new: Json) -> None:
        """The write failed after `create` or `update`: release what only `new` holds."""
        raise NotImplementedError
