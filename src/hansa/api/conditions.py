"""Lists of conditions: a time of transition moves only with the status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from hansa.api.meta import Condition, Json
from hansa.base.clock import rfc3339


def with_condition(conditions: Sequence[Condition] | None, condition: Condition, now: datetime) -> list[Condition]:
    """`conditions` with one of them set, in its place or at the end. Equal input gives an equal list."""
    result = list(conditions or ())
    for index, old in enumerate(result):
        if old.type == condition.type:
            stamp = old.last_transition_time if old.status == condition.status else rfc3339(now)
            result[index] = msgspec.structs.replace(condition, last_transition_time=stamp)
            return result
    return [*result, msgspec.structs.replace(condition, last_transition_time=rfc3339(now))]


def condition(conditions: Iterable[Condition] | None, type_: str) -> Condition | None:
    return next((each for each in conditions or () if each.type == type_), None)


def documents(conditions: Iterable[Condition]) -> list[Json]:
    """As they are written: the API requires reason and message even when they are empty."""
    return [{"reason": "", "message": "", **msgspec.to_builtins(each)} for each in conditions]
