"""A Job's status from those of its members: done when all are, failed when one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hansa.api.meta import Json
from hansa.interpret.document import at, mapping, sequence
from hansa.interpret.question import MemberStatus


def job(template: Json, items: Sequence[MemberStatus]) -> Json | None:
    """None when the template has finished already. New conditions carry no times: the caller's clock stamps them."""
    current = mapping(template, "status")
    if _has(current, "Complete") or _has(current, "Failed"):
        return None
    reported = [item.status for item in items if item.status is not None]
    status = dict(current)
    for counter in ("active", "succeeded", "failed"):
        total = sum(member.get(counter) or 0 for member in reported)
        if total:
            status[counter] = total
        else:
            status.pop(counter, None)
    conditions = _conditions(items, reported)
    if conditions:
        fresh = {condition["type"] for condition in conditions}
        kept = [entry for entry in sequence(current, "conditions") if at(entry, "type") not in fresh]
        status["conditions"] = [*kept, *conditions]
    for field, choose in (("startTime", min), ("completionTime", max)):
        times: list[Any] = [member[field] for member in reported if member.get(field)]
        if not status.get(field) and times and len(times) == len(items):
            status[field] = choose(times)
    return status


def _conditions(items: Sequence[MemberStatus], reported: Sequence[Json]) -> list[Json]:
    failed = [item.cluster for item in items if item.status is not None and _has(item.status, "Failed")]
    if failed:
        message = f"Job executed failed in member clusters {','.join(sorted(failed))}"
        return [_condition("Failed", "JobFailed", message)]
    if not items or not all(_has(status, "Complete") for status in reported) or len(reported) != len(items):
        return []
    conditions = [_condition("Complete", "Completed", "Job completed")]
    if all(_has(status, "SuccessCriteriaMet") for status in reported):
        met = "All member clusters have met success criteria"
        conditions.insert(0, _condition("SuccessCriteriaMet", "CompletionsReached", met))
    return conditions


def _condition(type_: str, reason: str, message: str) -> Json:
    return {"type": type_, "status": "True", "reason": reason, "message": message}


def _has(status: Json, type_: str) -> bool:
    return any(at(entry, "type") == type_ and at(entry, "status") == "True" for entry in sequence(status, "conditions"))
