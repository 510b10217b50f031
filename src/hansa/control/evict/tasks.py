"""Which eviction tasks of a binding stay, and which have done their duty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from hansa.api.work import BindingSpec, BindingStatus, GracefulEvictionTask
from hansa.base.clock import parse_rfc3339, rfc3339


class Assessed(NamedTuple):
    """`left` are the clusters whose tasks are over; `look_again_seconds` is the nearest end of a grace period."""

    kept: Sequence[GracefulEvictionTask]
    left: Sequence[str]
    look_again_seconds: float | None


def assess(spec: BindingSpec, status: BindingStatus, generation: int, now: datetime, limit: float | None) -> Assessed:
    """Karmada's rules for one binding's tasks, but for one: without a `limit` in seconds, only a replacement that is
    healthy, or what a task says itself, ends it (safety rule 2). With one, time alone does, and so does having nowhere
    to go, as in Karmada.
    """
    scheduled = status.scheduler_observed_generation == generation
    replaced = scheduled and _all_healthy(spec, status) and bool(spec.clusters or limit is not None)
    kept: list[GracefulEvictionTask] = []
    left: list[str] = []
    waits: list[float] = []
    for task in spec.graceful_eviction_tasks or ():
        began = _began(task)
        grace = limit if task.grace_period_seconds is None else float(task.grace_period_seconds)
        if began is None:
            kept.append(msgspec.structs.replace(task, creation_timestamp=rfc3339(now)))
            began = now
        elif _is_over(task, replaced, (now - began).total_seconds(), grace):
            left.append(task.from_cluster)
            continue
        else:
            kept.append(task)
        if task.suppress_deletion is None and grace is not None:
            # past its end, not at it
            waits.append((began + timedelta(seconds=grace) - now).total_seconds() + 1)
    return Assessed(kept, left, min(waits, default=None))


def _is_over(task: GracefulEvictionTask, replaced: bool, age: float, grace: float | None) -> bool:
    if task.suppress_deletion is not None:
        return not task.suppress_deletion
    return replaced or (grace is not None and age > grace)


def _all_healthy(spec: BindingSpec, status: BindingStatus) -> bool:
    healthy = {item.cluster_name for item in status.aggregated_status or () if item.health == "Healthy"}
    return all(target.name in healthy for target in spec.clusters or ())


def _began(task: GracefulEvictionTask) -> datetime | None:
    """A time that cannot be read counts as none: waiting begins again."""
    try:
        return parse_rfc3339(task.creation_timestamp) if task.creation_timestamp else None
    except ValueError:
        return None
