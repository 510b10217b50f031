"""What execution did, told to whoever writes the Works' status: one write then carries everything.

It is kept in memory only. Another replica, or the same one after a restart, finds it out by executing again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hansa.api.meta import Key


@dataclass(frozen=True, slots=True)
class Outcome:
    """`fault` is empty when everything was applied. `dispatching` is False while the Work is suspended."""

    dispatching: bool = True
    applied: int = 0
    total: int = 0
    fault: str = ""


@dataclass(slots=True)
class Outcomes:
    _by_work: dict[Key, Outcome] = field(default_factory=dict[Key, Outcome])
    _listeners: list[Callable[[Key], None]] = field(default_factory=list[Callable[[Key], None]])

    def get(self, work: Key) -> Outcome | None:
        return self._by_work.get(work)

    def record(self, work: Key, outcome: Outcome) -> None:
        self._by_work[work] = outcome
        for listener in self._listeners:
            listener(work)

    def forget(self, work: Key) -> None:
        self._by_work.pop(work, None)

    def listen(self, listener: Callable[[Key], None]) -> None:
        self._listeners.append(listener)
