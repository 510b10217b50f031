"""Which parts of the control plane are at work already."""

from __future__ import annotations

from collections.abc import Sequence

from hansa.control.context import Part
from hansa.runtime.controller import Controller


class Watchdog:
    """Controllers say when their caches are complete; other parts are ready when they run."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._controllers = [part for part in parts if isinstance(part, Controller)]

    @property
    def ready(self) -> bool:
        return all(controller.ready.is_set() for controller in self._controllers)

    def why_not_ready(self) -> str:
        waiting = [controller.name for controller in self._controllers if not controller.ready.is_set()]
        return f"caches are not complete: {', '.join(waiting)}" if waiting else ""
