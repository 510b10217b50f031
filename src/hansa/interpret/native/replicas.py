"""How many replicas a workload has, and what one of them needs of a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.base.quantity import Quantity
from hansa.interpret.document import at, mapping, sequence
from hansa.interpret.error import InterpretError
from hansa.interpret.native import kinds
from hansa.interpret.question import Needs

_NATIVE = ("cpu", "memory", "ephemeral-storage", "pods")


def requirements(pod: Json) -> Json | None:
    """ReplicaRequirements of a pod spec; None when it asks for nothing. Raises InterpretError for a bad quantity."""
    needs: Json = {}
    if claim := _node_claim(pod):
        needs["nodeClaim"] = claim
    if request := resource_request(pod):
        needs["resourceRequest"] = request
    # a quota that is scoped to a priority class asks for it; alone it is no need
    if needs and pod.get("priorityClassName"):
        needs["priorityClassName"] = pod["priorityClassName"]
    return needs or None


def resource_request(pod: Json) -> dict[str, str]:
    """Effective requests: containers together, but at least each init container, and overhead on top.

    A resource without a request counts with its limit. What is not above zero is left out.
    """
    try:
        total: dict[str, Quantity] = {}
        for container in sequence(pod, "containers"):
            _add(total, _requests(container))
        for container in sequence(pod, "initContainers"):
            for name, quantity in _requests(container).items():
                if name not in total or total[name] < quantity:
                    total[name] = quantity
        _add(total, {name: Quantity.parse(str(text)) for name, text in mapping(pod, "overhead").items()})
    except ValueError as error:
        raise InterpretError(f"resources of the pod cannot be read: {error}") from error
    zero = Quantity.parse("0")
    return {name: str(quantity) for name, quantity in sorted(total.items()) if _counted(name) and zero < quantity}


def _requests(container: Any) -> dict[str, Quantity]:
    texts = {**mapping(container, "resources", "limits"), **mapping(container, "resources", "requests")}
    return {name: Quantity.parse(str(text)) for name, text in texts.items()}


def _add(total: dict[str, Quantity], more: dict[str, Quantity]) -> None:
    for name, quantity in more.items():
        total[name] = total[name] + quantity if name in total else quantity


def _counted(name: str) -> bool:
    return name in _NATIVE or "/" in name or name.startswith(("hugepages-", "attachable-volumes-"))


def _node_claim(pod: Json) -> Json:
    required = at(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    claim = {
        "hardNodeAffinity": required,
        "nodeSelector": at(pod, "nodeSelector"),
        "tolerations": at(pod, "tolerations"),
    }
    return {name: value for name, value in claim.items() if value}


def _templated(obj: Json) -> Needs:
    return Needs(_integer(obj, "replicas"), requirements(mapping(obj, "spec", "template", "spec")))


def _job(obj: Json) -> Needs:
    replicas = _integer(obj, "parallelism")
    if at(obj, "spec", "completions") is not None:
        replicas = min(replicas, _integer(obj, "completions"))
    return Needs(replicas, requirements(mapping(obj, "spec", "template", "spec")))


def _pod(obj: Json) -> Needs:
    return Needs(1, requirements(mapping(obj, "spec")))


def _integer(obj: Json, field: str) -> int:
    value = at(obj, "spec", field)
    if value is None:
        return 0
    if not isinstance(value, int):
        raise InterpretError(f"spec.{field} is not an integer: {value!r}")
    return value


COUNTERS: dict[GVK, Callable[[Json], Needs]] = {
    kinds.DEPLOYMENT: _templated,
    kinds.REPLICA_SET: _templated,
    kinds.STATEFUL_SET: _templated,
    kinds.JOB: _job,
    kinds.POD: _pod,
}
