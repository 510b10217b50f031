"""A template's status from those of its members: counters added, addresses united, phases by gravity.

Each rule returns the new status. Members that report nothing yet are left out, but where a rule says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.interpret.document import at, mapping, sequence
from hansa.interpret.native import kinds
from hansa.interpret.native.addresses import merged_ingress
from hansa.interpret.native.aggregate_job import job
from hansa.interpret.question import MemberStatus

Items = Sequence[MemberStatus]
Rule = Callable[[Json, Items], Json | None]


def _statuses(items: Items) -> list[Json]:
    return [item.status for item in items if item.status is not None]


def _sum(items: Items, counter: str) -> int:
    return sum(status.get(counter) or 0 for status in _statuses(items))


def _workload(*counters: str, caught_up: Callable[[Json, Items], bool]) -> Rule:
    def aggregate(template: Json, items: Items) -> Json:
        status = dict(mapping(template, "status"))
        for counter in counters:
            total = _sum(items, counter)
            if total:
                status[counter] = total
            else:
                status.pop(counter, None)
        if caught_up(template, items):
            status["observedGeneration"] = at(template, "metadata", "generation") or 0
        return status

    return aggregate


def _observed(template: Json, items: Items) -> bool:
    """Every member's controller has seen what the template's current generation led to."""
    generation = at(template, "metadata", "generation") or 0
    return all(
        item.status is not None
        and (item.status.get("observedGeneration") or 0) >= (item.status.get("generation") or 0)
        and (item.status.get("resourceTemplateGeneration") or 0) >= generation
        for item in items
    )


def _never_observed(template: Json, items: Items) -> bool:
    """A StatefulSet's members do not tell what they have observed (as in Karmada), so only none of them is enough."""
    return not items


def _service(template: Json, items: Items) -> Json | None:
    if at(template, "spec", "type") != "LoadBalancer":
        return None
    return {"loadBalancer": _ingress(items, with_mode=True)}


def _ingress_status(template: Json, items: Items) -> Json:
    return {"loadBalancer": _ingress(items, with_mode=False)}


def _ingress(items: Items, *, with_mode: bool) -> Json:
    entries = [entry for status in _statuses(items) for entry in sequence(status, "loadBalancer", "ingress")]
    merged = merged_ingress(entries, with_mode=with_mode)
    return {"ingress": merged} if merged else {}


def _cron_job(template: Json, items: Items) -> Json:
    status = dict(mapping(template, "status"))
    active = [entry for member in _statuses(items) for entry in sequence(member, "active")]
    _set(status, "active", active)
    for field in ("lastScheduleTime", "lastSuccessfulTime"):
        times = [member[field] for member in _statuses(items) if member.get(field)]
        # RFC 3339 in UTC sorts as text
        _set(status, field, max(times, default=None))
    return status


def _pod(template: Json, items: Items) -> Json | None:
    if not items:
        return None
    status: Json = {"phase": _first(("Failed", "Pending", "Running", "Succeeded"), items)}
    for field in ("containerStatuses", "initContainerStatuses"):
        entries = [_container(entry) for member in _statuses(items) for entry in sequence(member, field)]
        _set(status, field, entries)
    return {name: value for name, value in status.items() if value}


def _container(entry: Json) -> Json:
    """Readiness and state only, with the fields that the API requires left at their zero values."""
    picked = {name: entry[name] for name in ("ready", "state") if name in entry}
    return {"name": "", "image": "", "imageID": "", "restartCount": 0, "ready": False, **picked}


def _volume(template: Json, items: Items) -> Json | None:
    phase = _first(("Failed", "Pending", "Available", "Bound", "Released"), items)
    return {"phase": phase} if phase else None


def _claim(template: Json, items: Items) -> Json:
    phase = "Bound"
    for status in _statuses(items):
        found = status.get("phase")
        if found == "Lost":
            return {"phase": "Lost"}
        if found and found != "Bound":
            phase = found
    return {"phase": phase}


def _first(order: Sequence[str], items: Items) -> str:
    """The gravest phase among the members; one that reports nothing is pending."""
    phases = {(item.status or {}).get("phase") or "Pending" for item in items}
    return next((phase for phase in order if phase in phases), "")


def _budget(template: Json, items: Items) -> Json:
    status = dict(mapping(template, "status"))
    for counter in ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"):
        status[counter] = _sum(items, counter)
    disrupted = {
        f"{item.cluster}/{pod}": since
        for item in items
        for pod, since in mapping(item.status or {}, "disruptedPods").items()
    }
    _set(status, "disruptedPods", disrupted)
    return status


def _autoscaler(template: Json, items: Items) -> Json:
    return {counter: _sum(items, counter) for counter in ("currentReplicas", "desiredReplicas")}


def _set(status: Json, field: str, value: Any) -> None:
    if value:
        status[field] = value
    else:
        status.pop(field, None)


AGGREGATORS: dict[GVK, Rule] = {
    kinds.DEPLOYMENT: _workload(
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "unavailableReplicas",
        caught_up=_observed,
    ),
    kinds.REPLICA_SET: _workload("replicas", "readyReplicas", "availableReplicas", caught_up=_observed),
    kinds.DAEMON_SET: _workload(
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "numberAvailable",
        "numberMisscheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberUnavailable",
        caught_up=_observed,
    ),
    kinds.STATEFUL_SET: _workload(
        "availableReplicas",
        "currentReplicas",
        "readyReplicas",
        "replicas",
        "updatedReplicas",
        caught_up=_never_observed,
    ),
    kinds.JOB: job,
    kinds.CRON_JOB: _cron_job,
    kinds.POD: _pod,
    kinds.SERVICE: _service,
    kinds.INGRESS: _ingress_status,
    kinds.PERSISTENT_VOLUME: _volume,
    kinds.PERSISTENT_VOLUME_CLAIM: _claim,
    kinds.POD_DISRUPTION_BUDGET: _budget,
    kinds.HORIZONTAL_POD_AUTOSCALER: _autoscaler,
}
