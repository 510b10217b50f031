"""What a binding's status says of each of its Works."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from hansa.api.conditions import condition
from hansa.api.item import Item
from hansa.api.meta import Condition, Json
from hansa.api.work import BindingSpec, Work
from hansa.base.names import cluster_of

FULLY_APPLIED = "FullyApplied"


def aggregated(works: Iterable[Item]) -> list[Json]:
    """One entry for each Work that is not on its way out, sorted by cluster."""
    entries = [_entry(work) for work in works if not work.deleting]
    return sorted(entries, key=lambda entry: entry["clusterName"])


def is_reported(work: Item) -> bool:
    """Whether anybody has said yet what became of a Work."""
    return bool(work.as_(Work).status.conditions)


def _entry(item: Item) -> Json:
    cluster = cluster_of(item.meta.namespace) or ""
    status = item.as_(Work).status
    applied = condition(status.conditions, "Applied")
    if applied is None or applied.status != "True":
        message = applied.message if applied is not None else ""
        entry: Json = {"clusterName": cluster, "applied": False, "health": "Unknown"}
        return {**entry, "appliedMessage": message} if message else entry
    reported = next(iter(status.manifest_statuses or ()), None)
    entry = {"clusterName": cluster, "applied": True, "health": "Unknown"}
    if reported is not None:
        entry["health"] = reported.health or "Unknown"
        if reported.status is not None:
            entry["status"] = msgspec.to_builtins(reported.status)
    return entry


def fully_applied(spec: BindingSpec, entries: Sequence[Json]) -> Condition:
    """True when every cluster that is expected to have the object, and no other, has it."""
    expected = set(spec.expected_clusters)
    reached = [entry["clusterName"] for entry in entries if entry["applied"]]
    if expected and len(entries) == len(expected) and set(reached) == expected:
        message = "All works have been successfully applied"
        return Condition(type=FULLY_APPLIED, status="True", reason="FullyAppliedSuccess", message=message)
    message = "Failed to apply all works, see status.aggregatedStatus for details"
    return Condition(type=FULLY_APPLIED, status="False", reason="FullyAppliedFailed", message=message)
