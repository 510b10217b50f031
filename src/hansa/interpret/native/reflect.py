"""What of a member object's status goes to the hub: the counters that aggregation needs, else the whole status."""

from __future__ import annotations

from collections.abc import Callable

from hansa.api import names
from hansa.api.meta import GVK, Json
from hansa.interpret.document import at, mapping
from hansa.interpret.error import InterpretError
from hansa.interpret.native import kinds


def whole(live: Json) -> Json | None:
    """`.status` as it is; None when there is none. Kinds without a rule of their own reflect this."""
    found = live.get("status")
    return found if isinstance(found, dict) else None


def _workload(*counters: str) -> Callable[[Json], Json | None]:
    def reflect(live: Json) -> Json | None:
        status = live.get("status")
        if not isinstance(status, dict):
            return None
        picked = {
            "generation": at(live, "metadata", "generation"),
            "resourceTemplateGeneration": _template_generation(live),
            **{name: status.get(name) for name in counters},
        }
        return {name: value for name, value in picked.items() if value} or None

    return reflect


def _template_generation(live: Json) -> int:
    text = mapping(live, "metadata", "annotations").get(names.TEMPLATE_GENERATION_ANNOTATION)
    try:
        return int(str(text))
    except ValueError as error:
        raise InterpretError(
            f"annotation {names.TEMPLATE_GENERATION_ANNOTATION} is not an integer: {text!r}"
        ) from error


def _fields(*fields: str) -> Callable[[Json], Json | None]:
    def reflect(live: Json) -> Json | None:
        status = live.get("status")
        if not isinstance(status, dict):
            return None
        return {name: status[name] for name in fields if status.get(name) is not None}

    return reflect


def _service(live: Json) -> Json | None:
    if at(live, "spec", "type") != "LoadBalancer" or not isinstance(live.get("status"), dict):
        return None
    return {"loadBalancer": mapping(live, "status", "loadBalancer")}


REFLECTORS: dict[GVK, Callable[[Json], Json | None]] = {
    kinds.DEPLOYMENT: _workload(
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "observedGeneration",
    ),
    kinds.REPLICA_SET: _workload("replicas", "readyReplicas", "availableReplicas", "observedGeneration"),
    kinds.DAEMON_SET: _workload(
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "numberAvailable",
        "numberMisscheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberUnavailable",
        "observedGeneration",
    ),
    # as in Karmada, observedGeneration is not among a StatefulSet's
    kinds.STATEFUL_SET: _workload(
        "availableReplicas", "currentReplicas", "readyReplicas", "replicas", "updatedReplicas"
    ),
    kinds.JOB: _fields("active", "succeeded", "failed", "conditions", "startTime", "completionTime"),
    kinds.SERVICE: _service,
    kinds.POD_DISRUPTION_BUDGET: _fields(
        "disruptionsAllowed", "expectedPods", "desiredHealthy", "currentHealthy", "disruptedPods"
    ),
    kinds.HORIZONTAL_POD_AUTOSCALER: _fields("currentReplicas", "desiredReplicas"),
}
