"""The arithmetic of rollouts, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hansa.api.item import Item
from hansa.sim.controllers.rollout import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    Revision,
    Wanted,
    is_scaling,
    new_replicas,
    resolve,
    scale,
    shrink_old,
)


def revision(name: str, replicas: int, available: int | None = None, *, desired: int = 0, maximum: int = 0) -> Revision:
    ready = replicas if available is None else available
    annotations = {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(maximum)} if desired else {}
    item = Item.of(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": "n",
                "uid": name,
                "annotations": annotations,
                "creationTimestamp": f"2026-01-01T00:00:0{len(name)}Z",
            },
            "spec": {"replicas": replicas},
            "status": {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready},
        }
    )
    return Revision.of(item)


def wanted(replicas: int, surge: Any = "25%", unavailable: Any = "25%") -> Wanted:
    return Wanted.of(
        {
            "replicas": replicas,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
            },
        }
    )


@pytest.mark.parametrize(
    ("value", "total", "up", "expected"),
    [(3, 10, True, 3), ("25%", 10, True, 3), ("25%", 10, False, 2), ("0%", 10, True, 0), ("100%", 7, False, 7)],
)
def test_percentages_round_surge_up_and_unavailable_down(value: Any, total: int, up: bool, expected: int) -> None:
    assert resolve(value, total, up=up) == expected


def test_when_neither_may_be_exceeded_one_pod_may_be_missing() -> None:
    assert wanted(4, 0, 0).unavailable == 1


def test_a_new_replica_set_grows_into_the_room_that_surge_leaves() -> None:
    old = revision("a", 4)
    assert new_replicas(wanted(4), [old], 0) == 1
    assert new_replicas(wanted(4, 0, 1), [old], 0) == 0
    assert new_replicas(Wanted.of({"replicas": 4, "strategy": {"type": "Recreate"}}), [], 0) == 4


def test_old_pods_go_only_as_far_as_availability_allows_and_useless_ones_first() -> None:
    assert shrink_old(wanted(4), revision("bb", 1), [revision("a", 4)]) == {"a": 2}
    assert shrink_old(wanted(4), revision("bb", 1, 0), [revision("a", 4)]) == {"a": 3}
    assert shrink_old(wanted(4), revision("bb", 1, 0), [revision("a", 2, 0), revision("aaa", 2)]) == {"a": 1}


def test_scaling_in_the_middle_of_a_rollout_is_shared_in_proportion() -> None:
    old, new = revision("a", 8, desired=10, maximum=13), revision("bb", 5, desired=10, maximum=13)
    grown = wanted(15, 3, 2)
    assert is_scaling(grown, [old, new])
    assert scale(grown, new, [old]) == {"a": 11, "bb": 7}


def test_a_single_active_replica_set_takes_everything() -> None:
    only = revision("a", 3, desired=3, maximum=4)
    assert scale(wanted(5), only, []) == {"a": 5}
    assert scale(wanted(3), only, []) == {}


@given(
    replicas=st.integers(1, 30),
    surge=st.integers(0, 10),
    unavailable=st.integers(0, 10),
    old=st.integers(0, 40),
    old_ready=st.integers(0, 40),
    new=st.integers(0, 30),
    new_ready=st.integers(0, 30),
)
def test_a_step_never_exceeds_the_surge_nor_the_unavailability(
    replicas: int, surge: int, unavailable: int, old: int, old_ready: int, new: int, new_ready: int
) -> None:
    want = wanted(replicas, surge, unavailable)
    before_old = revision("a", old, min(old, old_ready))
    before_new = revision("bb", min(new, replicas), min(new, new_ready, replicas))
    size = new_replicas(want, [before_old, before_new], before_new.replicas)
    if size > before_new.replicas:
        assert size + old <= want.maximum
    sizes = shrink_old(want, before_new, [before_old])
    if sizes:
        removed = old - sizes["a"]
        useful = max(0, removed - (before_old.replicas - before_old.available))
        available = before_old.available + before_new.available
        assert available - useful >= min(available, want.replicas - want.unavailable)
    assert all(0 <= value <= old for value in sizes.values())


@given(
    sizes=st.lists(st.integers(1, 20), min_size=2, max_size=5),
    replicas=st.integers(0, 60),
    surge=st.integers(0, 5),
)
@example(sizes=[2, 2, 2, 2], replicas=2, surge=0)
def test_proportional_scaling_reaches_the_allowed_total(sizes: list[int], replicas: int, surge: int) -> None:
    want = wanted(replicas, surge, 1)
    every = [
        revision("x" * (number + 1), size, 0, desired=sum(sizes), maximum=sum(sizes) + surge)
        for number, size in enumerate(sizes)
    ]
    after = scale(want, every[-1], every[:-1])
    total = sum(after.get(entry.name, entry.replicas) for entry in every)
    # what rounding leaves over is the largest one's, which cannot go below none: then the rest comes a step later
    assert total == (want.maximum if replicas else 0) or 0 in after.values()
    assert all(value >= 0 for value in after.values())
