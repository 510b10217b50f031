"""Conflicts of server-side apply: fields that others manage with other values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hansa.api import fieldset
from hansa.api.fieldset import Path
from hansa.api.managers import Manager


class Conflict(NamedTuple):
    """One field that somebody else manages with another value."""

    manager: Manager
    path: Path

    @property
    def field(self) -> str:
        return fieldset.shown(self.path)

    def cause(self) -> dict[str, str]:
        """The form in a Status."""
        return {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {self.manager}",
            "field": self.field,
        }


class ApplyConflict(Exception):
    """409: applied fields are managed by others with other values. The message is the API server's."""

    def __init__(self, conflicts: Iterable[Conflict]) -> None:
        self.conflicts = sorted(conflicts, key=lambda conflict: conflict.manager)
        super().__init__(_conflict_message(self.conflicts))


def _conflict_message(conflicts: list[Conflict]) -> str:
    if len(conflicts) == 1:
        only = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {only.manager}: {only.field}"
    lines: list[str] = []
    previous: Manager | None = None
    for conflict in conflicts:
        if conflict.manager != previous:
            lines.append(f"conflicts with {conflict.manager}:")
            previous = conflict.manager
        lines.append(f"- {conflict.field}")
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
