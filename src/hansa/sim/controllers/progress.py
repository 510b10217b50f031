"""A Deployment's status: its numbers, whether it is available, and whether it makes progress. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.clock import parse_rfc3339, rfc3339
from hansa.sim.controllers.rollout import Revision, Wanted
from hansa.sim.status import condition, counts, with_condition, without_condition

AVAILABLE = "Available"
PROGRESSING = "Progressing"
REPLICA_FAILURE = "ReplicaFailure"
NEW_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"
NO_DEADLINE = 2**31 - 1


def deadline_seconds(spec: Json) -> int | None:
    """None when the Deployment does not want its progress to be judged."""
    seconds = spec.get("progressDeadlineSeconds")
    return None if seconds is None or int(seconds) == NO_DEADLINE else int(seconds)


def noted(conditions: list[Json], spec: Json, now: str, *, created: str = "", found: str = "") -> list[Json]:
    """The conditions after a pause, a resumption, or a new ReplicaSet that was `created` or `found`."""
    if deadline_seconds(spec) is None:
        return conditions

    def progressing(status: str, reason: str, message: str) -> list[Json]:
        return with_condition(conditions, PROGRESSING, status, reason, message, now, updates=True)

    if created:
        return progressing("True", "NewReplicaSetCreated", f'Created new replica set "{created}"')
    current = condition(conditions, PROGRESSING)
    if found and current is None:
        return progressing("True", "FoundNewReplicaSet", f'Found new replica set "{found}"')
    reason = current.get("reason") if current is not None else None
    if reason == TIMED_OUT:
        return conditions
    if spec.get("paused") and reason != PAUSED:
        return progressing("Unknown", PAUSED, "Deployment is paused")
    if not spec.get("paused") and reason == PAUSED:
        return progressing("Unknown", RESUMED, "Deployment is resumed")
    return conditions


def failed_create(conditions: list[Json], spec: Json, message: str, now: str) -> list[Json]:
    """The conditions after the API server refused a new ReplicaSet."""
    if deadline_seconds(spec) is None:
        return conditions
    return with_condition(conditions, PROGRESSING, "False", "ReplicaSetCreateError", message, now, updates=True)


def deployment_status(
    item: Item,
    spec: Json,
    wanted: Wanted,
    new: Revision | None,
    every: Sequence[Revision],
    old: Json,
    conditions: list[Json],
    moment: datetime,
    *,
    rolling: bool,
) -> tuple[Json, float | None]:
    """The status, and after how many seconds the progress deadline is due (None: it is not).

    `rolling` is False while the Deployment is paused, scaled or deleted: progress is not judged then.
    """
    status = _numbers(item, new, every, old)
    now = rfc3339(moment)
    enough = sum(revision.available for revision in every) >= wanted.replicas - wanted.unavailable
    conditions = (
        with_condition(
            conditions,
            AVAILABLE,
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            now,
            updates=True,
        )
        if enough
        else with_condition(
            conditions,
            AVAILABLE,
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            now,
            updates=True,
        )
    )
    deadline = deadline_seconds(spec)
    if rolling:
        if deadline is None:
            conditions = without_condition(conditions, PROGRESSING)
        else:
            conditions = _judged(item, wanted, new, status, old, conditions, deadline, moment)
        conditions = _with_failure(conditions, new, every)
    status["conditions"] = conditions
    return status, _due(conditions, deadline, moment) if rolling else None


def _numbers(item: Item, new: Revision | None, every: Sequence[Revision], old: Json) -> Json:
    available = sum(revision.available for revision in every)
    status: Json = {"observedGeneration": item.meta.generation}
    status |= counts(
        replicas=sum(revision.actual for revision in every),
        updatedReplicas=new.actual if new is not None else 0,
        readyReplicas=sum(revision.ready for revision in every),
        availableReplicas=available,
        unavailableReplicas=max(0, sum(revision.replicas for revision in every) - available),
        collisionCount=old.get("collisionCount"),
    )
    status["terminatingReplicas"] = sum(revision.terminating for revision in every)
    return status


def _judged(
    item: Item,
    wanted: Wanted,
    new: Revision | None,
    status: Json,
    old: Json,
    conditions: list[Json],
    deadline: int,
    moment: datetime,
) -> list[Json]:
    now = rfc3339(moment)
    current = condition(conditions, PROGRESSING)
    number = lambda name: int(status.get(name, 0))  # noqa: E731  read four times below
    settled = number("replicas") == number("updatedReplicas")
    if settled and current is not None and current.get("reason") == NEW_AVAILABLE:
        return conditions
    subject = f'ReplicaSet "{new.name}"' if new is not None else f'Deployment "{item.meta.name}"'
    if number("updatedReplicas") == number("replicas") == number("availableReplicas") == wanted.replicas:
        message = f"{subject} has successfully progressed."
        return with_condition(conditions, PROGRESSING, "True", NEW_AVAILABLE, message, now, updates=True)
    if _moved(status, old):
        kept = current.get("lastTransitionTime") if current is not None and current.get("status") == "True" else None
        entry: Json = {
            "type": PROGRESSING,
            "status": "True",
            "lastUpdateTime": now,
            "lastTransitionTime": kept or now,
            "reason": "ReplicaSetUpdated",
            "message": f"{subject} is progressing.",
        }
        return [*without_condition(conditions, PROGRESSING), entry]
    if _timed_out(current, deadline, moment):
        message = f"{subject} has timed out progressing."
        return with_condition(conditions, PROGRESSING, "False", TIMED_OUT, message, now, updates=True)
    return conditions


def _moved(status: Json, old: Json) -> bool:
    """Whether the rollout got further since the last status."""

    def numbers(source: Json) -> tuple[int, int, int, int]:
        updated = int(source.get("updatedReplicas") or 0)
        replicas = int(source.get("replicas") or 0)
        return (
            updated,
            updated - replicas,
            int(source.get("readyReplicas") or 0),
            int(source.get("availableReplicas") or 0),
        )

    return any(now > before for now, before in zip(numbers(status), numbers(old), strict=True))


def _timed_out(current: Json | None, deadline: int, moment: datetime) -> bool:
    if current is None or current.get("reason") == NEW_AVAILABLE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    return _silence(current, moment) > deadline


def _due(conditions: list[Json], deadline: int | None, moment: datetime) -> float | None:
    current = condition(conditions, PROGRESSING)
    if deadline is None or current is None or current.get("reason") in (NEW_AVAILABLE, TIMED_OUT):
        return None
    return max(0.0, deadline - _silence(current, moment)) + 1


def _silence(current: Json, moment: datetime) -> float:
    return (moment - parse_rfc3339(current["lastUpdateTime"])).total_seconds()


def _with_failure(conditions: list[Json], new: Revision | None, every: Sequence[Revision]) -> list[Json]:
    """Carry over what keeps the ReplicaSets from making pods, the new one's first."""
    order = [new, *(revision for revision in every if revision is not new)] if new is not None else every
    for revision in order:
        assert revision is not None
        failure = condition((revision.item.json().get("status") or {}).get("conditions") or [], REPLICA_FAILURE)
        if failure is not None:
            kept = condition(conditions, REPLICA_FAILURE)
            if kept is not None and kept["status"] == failure["status"] and kept.get("reason") == failure.get("reason"):
                return conditions
            moment = failure.get("lastTransitionTime")
            return [*without_condition(conditions, REPLICA_FAILURE), {**failure, "lastUpdateTime": moment}]
    return without_condition(conditions, REPLICA_FAILURE)
