"""Laws of decisions, whatever the clusters and the binding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus
from hansa.schedule import Fit, Memory, Outcome, Request, Snapshot, Unfit, schedule
from hansa.schedule.capacity import Demand
from hansa.schedule.groups import Group, Path, choose
from hansa.schedule.survey import survey
from hansa.schedule.trace import trace

APIS = [{"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]}]
NAMES = [f"m{i}" for i in range(6)]
STRATEGIES: dict[str, Any] = {
    "dynamic": {"replicaDivisionPreference": "Weighted", "weightPreference": {"dynamicWeight": "AvailableReplicas"}},
    "aggregated": {"replicaDivisionPreference": "Aggregated"},
    "static": {"replicaDivisionPreference": "Weighted"},
}
rooms = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 30), min_size=1)
held = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 20), max_size=4)
uids = st.sampled_from(["", "4858ca61-3ff8-4095-8267-f3d059d8074c", "d43fdeeb-d750-4e2b-bee3-64eb94534f4c"])


def clusters(room: dict[str, int]) -> list[Cluster]:
    found: list[Cluster] = []
    for name, pods in room.items():
        status = {"apiEnablements": APIS, "resourceSummary": {"allocatable": {"pods": str(pods)}}}
        spec = {"region": f"r{int(name[1:]) % 3}"}
        found.append(msgspec.convert({"metadata": {"name": name}, "spec": spec, "status": status}, Cluster))
    return found


def decide(
    strategy: str, replicas: int, current: dict[str, int], members: Sequence[Cluster], uid: str = "", **placement: Any
) -> Outcome:
    return schedule(request_of(strategy, replicas, current, uid, **placement), Snapshot.of(members))


def request_of(strategy: str, replicas: int, current: dict[str, int], uid: str = "", **placement: Any) -> Request:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "n", "name": "w", "uid": uid}
    document = {
        "resource": reference,
        "replicas": replicas,
        "replicaRequirements": {},
        "clusters": [{"name": name, "replicas": count} for name, count in current.items()],
        "placement": {"replicaScheduling": {"replicaSchedulingType": "Divided", **STRATEGIES[strategy]}, **placement},
    }
    return Request.of(msgspec.convert(document, BindingSpec), BindingStatus())


def shares(outcome: Outcome) -> dict[str, int]:
    assert isinstance(outcome, Fit)
    return {target.name: target.replicas for target in outcome.targets}


@given(st.sampled_from(sorted(STRATEGIES)), st.integers(0, 60), held, rooms, uids)
def test_sums_are_what_was_asked_for(
    strategy: str, replicas: int, current: dict[str, int], room: dict[str, int], uid: str
) -> None:
    outcome = decide(strategy, replicas, current, clusters(room), uid)
    if isinstance(outcome, Fit):
        assert sum(shares(outcome).values()) == replicas
        assert all(share > 0 for share in shares(outcome).values())
    else:
        assert outcome.reason == "Unschedulable"
        assert strategy != "static"


@given(st.sampled_from(["dynamic", "aggregated"]), st.integers(0, 60), held, rooms, uids)
def test_nobody_gets_more_than_has_room(
    strategy: str, replicas: int, current: dict[str, int], room: dict[str, int], uid: str
) -> None:
    outcome = decide(strategy, replicas, current, clusters(room), uid)
    if isinstance(outcome, Fit):
        for name, share in shares(outcome).items():
            assert share <= current.get(name, 0) + room[name]
    else:
        there = sum(count for name, count in current.items() if name in room)
        assert replicas - there > sum(room.values())


@given(st.sampled_from(["dynamic", "aggregated"]), st.integers(0, 60), held, rooms, uids)
def test_scaling_moves_nothing(
    strategy: str, replicas: int, current: dict[str, int], room: dict[str, int], uid: str
) -> None:
    """Up: nobody loses. Down: nobody gains. No change: nothing changes."""
    outcome = decide(strategy, replicas, current, clusters(room), uid)
    if isinstance(outcome, Unfit):
        return
    there = {name: count for name, count in current.items() if name in room}
    found = shares(outcome)
    if replicas >= sum(there.values()):
        assert all(found.get(name, 0) >= count for name, count in there.items())
    if replicas <= sum(there.values()):
        assert all(share <= there.get(name, 0) for name, share in found.items())


@given(
    st.sampled_from(sorted(STRATEGIES)),
    st.integers(0, 60),
    held,
    rooms,
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_the_order_of_clusters_does_not_matter(
    strategy: str, replicas: int, current: dict[str, int], room: dict[str, int], chance: Any, spreads: bool
) -> None:
    limits = [
        {"spreadByField": "cluster", "minGroups": 1, "maxGroups": 3},
        {"spreadByField": "region", "minGroups": 1, "maxGroups": 2},
    ]
    placement = {"spreadConstraints": limits} if spreads else {}
    members = clusters(room)
    first = decide(strategy, replicas, current, members, **placement)
    chance.shuffle(members)
    assert decide(strategy, replicas, current, members, **placement) == first


# -- choice of regions ------------------------------------------------------------------------------------------------


def enumerated(groups: Sequence[Group], least: int, most: int, target: int) -> Path | None:
    """The choice as Karmada makes it: every combination, then the best, then its shorter forms."""
    ordered = sorted(groups, key=lambda group: (group.value, -group.weight, group.name))
    recorded: list[Path] = []

    def walk(path: Path, start: int) -> bool:
        if sum(group.value for group in path) >= target and least <= len(path) <= most:
            recorded.append(path)
            return True
        if len(path) >= most:
            return False
        for index in range(start, len(ordered)):
            walk((*path, ordered[index]), index + 1)
            if len(ordered) == least:
                break
        return False

    walk((), 0)
    if not recorded:
        return None
    ranked = [tuple(sorted(path, key=lambda group: (-group.weight, group.name))) for path in recorded]
    order = sorted(
        range(len(ranked)),
        key=lambda i: (-sum(g.weight for g in ranked[i]), -sum(g.value for g in ranked[i]), i),
    )
    best = ranked[order[0]]
    for index in order[1:]:
        path = ranked[index]
        if len(path) < len(best) and best[: len(path)] == path:
            best = path
    return best


@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=7),
    st.integers(0, 4),
    st.integers(0, 5),
    st.integers(0, 12),
)
def test_the_choice_of_regions_is_that_of_the_whole_enumeration(
    pairs: list[tuple[int, int]], least: int, most: int, target: int
) -> None:
    groups = [Group(f"r{i}", value, weight) for i, (value, weight) in enumerate(pairs)]
    assert choose(groups, least, most, target) == enumerated(groups, least, most, target)


def test_many_regions_are_no_trouble() -> None:
    groups = [Group(f"r{i:02}", 1 + i % 7, (i * 37) % 101) for i in range(40)]
    assert choose(groups[:14], 3, 8, 30) == enumerated(groups[:14], 3, 8, 30)
    chosen = choose(groups, 3, 8, 30)
    assert chosen is not None
    assert 3 <= len(chosen) <= 8
    assert sum(group.value for group in chosen) >= 30


# -- what decisions share ---------------------------------------------------------------------------------------------

TAINT = {"key": "team", "value": "other", "effect": "NoSchedule"}
changes = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.integers(0, 12), st.sampled_from(["east", "west", ""]), st.booleans(), st.booleans()
    ),
    min_size=1,
    max_size=8,
)


def one(name: str, room: int, region: str, tainted: bool, leaving: bool) -> Cluster:
    document = {
        "metadata": {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {})},
        "spec": {"region": region, "taints": [TAINT] if tainted else []},
        "status": {"apiEnablements": APIS, "resourceSummary": {"allocatable": {"pods": str(room)}}},
    }
    return msgspec.convert(document, Cluster)


@settings(max_examples=300)
@given(
    changes,
    st.lists(st.tuples(st.sampled_from(sorted(STRATEGIES)), st.integers(0, 20), held, st.booleans()), min_size=1),
    st.sampled_from(NAMES),
    st.integers(0, 3),
)
def test_a_memory_says_what_a_fresh_look_would_say(
    edits: list[tuple[str, int, str, bool, bool]],
    asked: list[tuple[str, int, dict[str, int], bool]],
    evicted: str,
    assumed: int,
) -> None:
    """Over clusters that come, change and go, for bindings that are in some of them already."""
    memory, snapshot = Memory(), Snapshot.of([])
    limits = {
        "spreadConstraints": [
            {"spreadByField": "cluster", "minGroups": 1, "maxGroups": 3},
            {"spreadByField": "region", "minGroups": 1, "maxGroups": 2},
        ]
    }
    on_its_way = {evicted: [(Demand(), assumed)]} if assumed else {}
    for number, edit in enumerate(edits):
        snapshot = snapshot.without(edit[0]) if number % 5 == 4 else snapshot.changed(one(*edit))
        for strategy, replicas, current, spreads in asked:
            request = request_of(strategy, replicas, current, **(limits if spreads else {}))
            request = replace(request, evicting=frozenset([evicted] if spreads else []), assumed=on_its_way)
            if not request.takes_all:
                assert memory.survey(request, snapshot) == survey(request, snapshot)
            assert schedule(request, snapshot, memory.survey) == schedule(request, snapshot)


@settings(max_examples=300)
@given(changes, st.sampled_from(sorted(STRATEGIES)), st.integers(0, 20), held, st.booleans(), uids)
def test_a_trace_tells_how_the_decision_came_about(
    edits: list[tuple[str, int, str, bool, bool]],
    strategy: str,
    replicas: int,
    current: dict[str, int],
    spreads: bool,
    uid: str,
) -> None:
    snapshot = Snapshot.of([])
    for edit in edits:
        snapshot = snapshot.changed(one(*edit))
    limit = {"spreadByField": "cluster", "minGroups": 1, "maxGroups": 2}
    limits = [limit, {"spreadByField": "region", "minGroups": 1, "maxGroups": 2}]
    request = request_of(strategy, replicas, current, uid, **({"spreadConstraints": limits} if spreads else {}))
    told = trace(request, snapshot)
    outcome = schedule(request, snapshot)
    assert told.outcome == outcome
    (attempt,) = told.attempts
    assert [each.name for each in attempt.clusters] == [info.name for info in snapshot.clusters]
    for each in attempt.clusters:
        assert (each.candidate is not None) == (not each.refusals and not each.deleting)
        assert outcome.diagnosis.get(each.name) in ([None] if not each.refusals else each.refusals)
    if isinstance(outcome, Unfit):
        assert attempt.failure
        return
    assert {each.name: each.replicas for each in attempt.clusters if each.replicas is not None} == shares(outcome)
    if attempt.divisions:
        added = {name: count for step in attempt.divisions for name, count in step.shares(uid).items() if count}
        assert added == shares(outcome)
    assert all(
        region.chosen == bool(set(region.clusters) & {e.name for e in attempt.clusters if e.selected})
        for region in attempt.regions
    )
