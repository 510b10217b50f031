"""When the task of an eviction is over: Karmada's rules, and where ours are safer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from hansa.api.meta import Json
from hansa.api.work import ResourceBinding
from hansa.control.evict.tasks import assess

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
A_MINUTE_AGO = (NOW - timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
KARMADA = 600.0
SAFE = None


def task(**fields: Any) -> Json:
    given = {"fromCluster": "old", "producer": "TaintManager", "reason": "TaintUntolerated", **fields}
    return {"creationTimestamp": A_MINUTE_AGO, **given}


def binding(*tasks: Json, healthy: tuple[str, ...] = (), clusters: tuple[str, ...] = ("new",), observed: int = 3):
    items = [{"clusterName": name, "applied": True, "health": "Healthy"} for name in healthy]
    document = {
        "metadata": {"name": "b", "generation": 3},
        "spec": {
            "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "clusters": [{"name": name} for name in clusters],
            "gracefulEvictionTasks": list(tasks),
        },
        "status": {"schedulerObservedGeneration": observed, "aggregatedStatus": items},
    }
    return msgspec.convert(document, ResourceBinding)


def left(found: ResourceBinding, limit: float | None = SAFE) -> list[str]:
    return list(assess(found.spec, found.status, 3, NOW, limit).left)


def test_a_new_task_gets_the_time_and_stays() -> None:
    found = binding(task(creationTimestamp=None), healthy=("new",))
    assessed = assess(found.spec, found.status, 3, NOW, KARMADA)
    assert [each.creation_timestamp for each in assessed.kept] == ["2026-11-24T12:00:00Z"]
    assert not assessed.left
    assert assessed.look_again_seconds == pytest.approx(601)


@pytest.mark.parametrize("limit", [SAFE, KARMADA])
def test_a_healthy_replacement_ends_it(limit: float | None) -> None:
    assert left(binding(task(), healthy=("new",)), limit) == ["old"]
    assert left(binding(task()), limit) == []
    assert left(binding(task(), healthy=("new",), clusters=("new", "newer")), limit) == [], "all of them"
    assert left(binding(task(), healthy=("new",), observed=2), limit) == [], "not scheduled yet"


def test_nowhere_to_go_is_no_replacement() -> None:
    assert left(binding(task(), clusters=())) == []
    assert left(binding(task(), clusters=()), KARMADA) == ["old"], "as Karmada has it"


def test_time_alone_ends_it_where_somebody_said_so() -> None:
    assert left(binding(task(gracePeriodSeconds=59))) == ["old"]
    assert left(binding(task(gracePeriodSeconds=60))) == []
    assert left(binding(task()), 59) == ["old"]
    assert left(binding(task(gracePeriodSeconds=61)), 59) == [], "the task's own counts"
    assert left(binding(task(creationTimestamp="2020-01-01T00:00:00Z"))) == [], "no limit was given"


@pytest.mark.parametrize("limit", [SAFE, KARMADA])
def test_suppression_is_the_users_word(limit: float | None) -> None:
    assert left(binding(task(suppressDeletion=True), healthy=("new",)), limit) == []
    assert left(binding(task(suppressDeletion=False)), limit) == ["old"]
    found = binding(task(suppressDeletion=True))
    assert assess(found.spec, found.status, 3, NOW, limit).look_again_seconds is None


def test_a_time_that_cannot_be_read_begins_again() -> None:
    found = binding(task(creationTimestamp="yesterday"), healthy=("new",))
    assessed = assess(found.spec, found.status, 3, NOW, SAFE)
    assert [each.creation_timestamp for each in assessed.kept] == ["2026-11-24T12:00:00Z"]


def test_each_task_for_itself_and_the_nearest_end_is_looked_at() -> None:
    tasks = (task(fromCluster="a", gracePeriodSeconds=100), task(fromCluster="b", gracePeriodSeconds=90))
    found = binding(*tasks, task(fromCluster="c", gracePeriodSeconds=10))
    assessed = assess(found.spec, found.status, 3, NOW, SAFE)
    assert assessed.left == ["c"]
    assert [each.from_cluster for each in assessed.kept] == ["a", "b"]
    assert assessed.look_again_seconds == pytest.approx(31)
