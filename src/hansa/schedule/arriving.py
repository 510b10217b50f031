"""What was decided a moment ago and is not in its clusters' status yet, as far as bindings tell it.

Karmada's assumed workloads (gate SchedulingOvercommitProtection) are a memory of its scheduler; bindings know nearly
the same, so that another scheduler, a plan and an explanation can go on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from hansa.api.work import BindingSpec, BindingStatus, ResourceBinding
from hansa.base.clock import parse_rfc3339
from hansa.schedule.capacity import Demand, Load
from hansa.schedule.request import load_of

LIFETIME_SECONDS = 300.0
"""What has not arrived by then is not waited for: the room may be taken."""


def age_seconds(status: BindingStatus, now: datetime) -> float | None:
    """Since the last decision; None without one, or when its time cannot be read."""
    try:
        return max(0.0, (now - parse_rfc3339(str(status.last_scheduled_time or ""))).total_seconds())
    except ValueError:
        return None


def arriving(spec: BindingSpec, status: BindingStatus, now: datetime) -> Mapping[str, Load]:
    """What the binding has on its way, by cluster. What is healthy has arrived: it is in its cluster's status."""
    age = age_seconds(status, now)
    if age is None or age >= LIFETIME_SECONDS or not spec.is_workload:
        return {}
    arrived = {each.cluster_name for each in status.aggregated_status or () if each.health == "Healthy"}
    return {target.name: load_of(spec, target) for target in spec.clusters or () if target.name not in arrived}


def arriving_in_all(bindings: Iterable[ResourceBinding], now: datetime) -> Mapping[str, Load]:
    """The same of many bindings together."""
    totals: dict[str, Counter[Demand]] = {}
    for binding in bindings:
        for name, load in arriving(binding.spec, binding.status, now).items():
            totals.setdefault(name, Counter()).update(dict(load))
    return {name: tuple(counter.items()) for name, counter in totals.items()}
