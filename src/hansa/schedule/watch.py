"""Whoever measures decisions hears when a step of one is over: deciding itself reads no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Step = Literal["Filter", "Score", "Select", "AssignReplicas"]
Watch = Callable[[Step, bool], None]
"""Is told the step, and whether the decision can go on after it."""


def unwatched(step: Step, good: bool) -> None:
    """Nobody measures."""
