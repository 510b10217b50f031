"""When a member's object is healthy: it has caught up with its spec, and what it runs is available."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.interpret.document import at, mapping, sequence
from hansa.interpret.native import kinds


def _observed(live: Json) -> bool:
    return _count(live, "status", "observedGeneration") == _count(live, "metadata", "generation")


def _rollout(live: Json) -> bool:
    wanted = at(live, "spec", "replicas")
    updated = _count(live, "status", "updatedReplicas")
    return (
        _observed(live)
        and (wanted is None or updated >= wanted)
        and _count(live, "status", "availableReplicas") >= updated
    )


def _replica_set(live: Json) -> bool:
    return _observed(live) and _count(live, "status", "availableReplicas") >= _count(live, "spec", "replicas")


def _daemon_set(live: Json) -> bool:
    updated = _count(live, "status", "updatedNumberScheduled")
    return (
        _observed(live)
        and updated >= _count(live, "status", "desiredNumberScheduled")
        and _count(live, "status", "numberAvailable") >= updated
    )


def _has_address(live: Json) -> bool:
    ingress = sequence(live, "status", "loadBalancer", "ingress")
    return any(at(entry, "ip") or at(entry, "hostname") for entry in ingress)


def _service(live: Json) -> bool:
    return at(live, "spec", "type") != "LoadBalancer" or _has_address(live)


def _claim(live: Json) -> bool:
    return at(live, "status", "phase") == "Bound"


def _pod(live: Json) -> bool:
    phase = at(live, "status", "phase")
    if phase == "Succeeded":
        return True
    conditions = sequence(live, "status", "conditions")
    return phase == "Running" and any(
        at(entry, "type") == "Ready" and at(entry, "status") == "True" for entry in conditions
    )


def _budget(live: Json) -> bool:
    status = mapping(live, "status")
    return (status.get("currentHealthy") or 0) >= (status.get("desiredHealthy") or 0)


def _count(obj: Any, *path: str) -> int:
    return at(obj, *path) or 0


CHECKS: dict[GVK, Callable[[Json], bool]] = {
    kinds.DEPLOYMENT: _rollout,
    kinds.STATEFUL_SET: _rollout,
    kinds.REPLICA_SET: _replica_set,
    kinds.DAEMON_SET: _daemon_set,
    kinds.SERVICE: _service,
    kinds.INGRESS: _has_address,
    kinds.PERSISTENT_VOLUME_CLAIM: _claim,
    kinds.POD: _pod,
    kinds.POD_DISRUPTION_BUDGET: _budget,
}
