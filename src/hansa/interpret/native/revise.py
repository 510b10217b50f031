"""Set how many replicas a workload has: only where the object already says how many."""

from __future__ import annotations

from collections.abc import Callable

from hansa.api.meta import GVK, Json
from hansa.interpret.document import at, put
from hansa.interpret.error import InterpretError
from hansa.interpret.native import kinds


def revise(obj: Json, replicas: int, field: str = "replicas") -> Json:
    """`obj` with `spec.<field>`; unchanged when it has no such field. Raises InterpretError when it is no integer."""
    present = at(obj, "spec", field)
    if present is None:
        return obj
    if not isinstance(present, int):
        raise InterpretError(f"spec.{field} is not an integer: {present!r}")
    return put(obj, replicas, "spec", field)


def _job(obj: Json, replicas: int) -> Json:
    return revise(obj, replicas, "parallelism")


REVISERS: dict[GVK, Callable[[Json, int], Json]] = {
    kinds.DEPLOYMENT: revise,
    kinds.REPLICA_SET: revise,
    kinds.STATEFUL_SET: revise,
    kinds.JOB: _job,
}
