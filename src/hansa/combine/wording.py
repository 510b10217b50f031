"""Long lists in messages."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN_MAX = 5


def some(entries: Sequence[str], separator: str = ", ") -> str:
    """The first few, and how many more there are."""
    more = len(entries) - SHOWN_MAX
    return separator.join(entries[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
