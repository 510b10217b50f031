"""Decisions that bindings bear already and their status does not tell yet: told by whoever writes the status next.

One write then carries the decision and what members report, and while many wait for their clusters, clusters go first.
It is kept in memory only; another replica, or the same one after a restart, finds out by looking at the bindings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hansa.api.conditions import with_condition
from hansa.api.item import Item
from hansa.api.meta import Condition, Json, Key
from hansa.api.work import BindingSpec
from hansa.base.clock import rfc3339
from hansa.control.bindings import template_reference
from hansa.control.context import Context
from hansa.runtime.patience import Patience

SCHEDULED = "Scheduled"
SUCCEED = "ScheduleBindingSucceed"
FAILED = "ScheduleBindingFailed"
_SUCCESS = Condition(
    type=SCHEDULED, status="True", reason="Success", message="Binding has been scheduled successfully."
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """By binding and generation. `reports` asks for a status to be written; None where nobody writes one."""

    reports: Patience | None = None
    _untold: dict[Key, int] = field(default_factory=dict[Key, int])
    _told: dict[Key, int] = field(default_factory=dict[Key, int])

    def postpone(self, key: Key, generation: int) -> bool:
        """Have the decision told with the next report; False when there will be none."""
        if self.reports is None:
            return False
        self._untold[key] = generation
        self.reports.add(key)
        return True

    def untold_of(self, key: Key) -> int | None:
        """The generation that bears a decision which waits to be told."""
        return self._untold.get(key)

    def told(self, key: Key, generation: int) -> None:
        """The status speaks of this generation now."""
        self._untold.pop(key, None)
        self._told[key] = generation

    def told_of(self, key: Key) -> int:
        """The generation that the status was last made to speak of, so that the echo of an own write is no news."""
        return self._told.get(key, 0)

    def forget(self, key: Key) -> None:
        """The binding is gone, or what was decided holds no longer."""
        self._untold.pop(key, None)
        self._told.pop(key, None)


def success(conditions: Sequence[Condition] | None, generation: int, now: datetime) -> tuple[list[Condition], Json]:
    """Conditions, and what else a status says, of a binding that has been scheduled."""
    change: Json = {"schedulerObservedGeneration": generation, "lastScheduledTime": rfc3339(now)}
    return with_condition(conditions, _SUCCESS, now), change


def tell_success(context: Context, item: Item, spec: BindingSpec) -> None:
    """In Events, of the clusters in `spec`."""
    result = ", ".join(f"{target.name}:{target.replicas}" for target in spec.clusters or ())
    colon = ":" if item.key.namespace else ""
    tell(context, item, spec, "Normal", SUCCEED, f"{_SUCCESS.message} Result{colon} {{{result}}}")


def tell(
    context: Context, item: Item, spec: BindingSpec, level: Literal["Normal", "Warning"], reason: str, message: str
) -> None:
    """In Events of the scheduler, on the binding and on its template."""
    source = context.recorder.of(context.options.scheduler_name)
    source.event(item, level, reason, message)
    source.event(template_reference(spec), level, reason, message)
