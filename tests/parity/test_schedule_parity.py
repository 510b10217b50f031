"""Karmada's own vectors: division by room, choice of regions, scores, and capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from hansa.api import names
from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus
from hansa.schedule import Fit, Request, Snapshot, Unfit, schedule
from hansa.schedule.candidate import Candidate
from hansa.schedule.capacity import Demand, Room
from hansa.schedule.groups import Group, choose
from hansa.schedule.needed import applied_placement, due
from hansa.schedule.regions import region_score
from hansa.schedule.snapshot import ClusterInfo

APIS = [{"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]}]
DYNAMIC = {"replicaDivisionPreference": "Weighted", "weightPreference": {"dynamicWeight": "AvailableReplicas"}}
AGGREGATED = {"replicaDivisionPreference": "Aggregated"}


def cluster(name: str, room: int, **spec: Any) -> Cluster:
    """With room for so many pods."""
    status = {"apiEnablements": APIS, "resourceSummary": {"allocatable": {"pods": str(room)}}}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec, "status": status}, Cluster)


def binding(replicas: int, placement: Mapping[str, Any], held: Mapping[str, int] = {}, **spec: Any) -> BindingSpec:
    return msgspec.convert(
        {
            "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "web"},
            "placement": placement,
            "replicas": replicas,
            "replicaRequirements": {},
            "clusters": [{"name": name, "replicas": count} for name, count in held.items()],
            **spec,
        },
        BindingSpec,
    )


def divided(strategy: Mapping[str, Any], **placement: Any) -> dict[str, Any]:
    return {"replicaScheduling": {"replicaSchedulingType": "Divided", **strategy}, **placement}


def decide(spec: BindingSpec, clusters: Sequence[Cluster], **status: Any) -> Fit | Unfit:
    return schedule(Request.of(spec, msgspec.convert(status, BindingStatus)), Snapshot.of(clusters))


def shares(outcome: Fit | Unfit) -> dict[str, int]:
    assert isinstance(outcome, Fit), outcome
    return {target.name: target.replicas for target in outcome.targets}


def rooms(**by_name: int) -> list[Cluster]:
    return [cluster(name, room) for name, room in by_name.items()]


EVEN, ODD = "4858ca61-3ff8-4095-8267-f3d059d8074c", "d43fdeeb-d750-4e2b-bee3-64eb94534f4c"


@pytest.mark.parametrize(
    ("replicas", "weights", "ascending", "descending"),
    [
        (12, (3, 2, 1), (6, 4, 2), None),
        (13, (3, 2, 1), (7, 4, 2), None),
        (14, (3, 2, 1), (7, 5, 2), None),
        (3, (1, 1), (2, 1), (1, 2)),
        (5, (1, 1, 1), (2, 2, 1), (1, 2, 2)),
        (7, (2, 1, 1, 1), (3, 2, 1, 1), (3, 1, 1, 2)),
        (8, (2, 1, 1, 1), (3, 2, 2, 1), (3, 1, 2, 2)),
        (9, (2, 1, 1, 1), (3, 2, 2, 2), None),
        (12, (20, 12, 6), (6, 4, 2), None),
        (9, (1, 3), (2, 7), None),
    ],
)
def test_static_weights(
    replicas: int, weights: tuple[int, ...], ascending: tuple[int, ...], descending: tuple[int, ...] | None
) -> None:
    """A tie goes to the first name, or to the last where the UID's hash is odd."""
    rules = [{"targetCluster": {"clusterNames": [f"m{i}"]}, "weight": weight} for i, weight in enumerate(weights)]
    strategy = {"replicaDivisionPreference": "Weighted", "weightPreference": {"staticWeightList": rules}}
    for uid, expected in ((EVEN, ascending), (ODD, descending or ascending)):
        spec = binding(replicas, divided(strategy))
        resource = msgspec.structs.replace(spec.resource, uid=uid)
        found = shares(
            decide(msgspec.structs.replace(spec, resource=resource), rooms(**{f"m{i}": 0 for i in range(4)}))
        )
        assert tuple(found.values()) == expected


def test_an_empty_preference_weighs_all_the_same_and_minds_spread_constraints() -> None:
    """A static list ignores them, and so does no preference at all."""
    limits = spread(cluster=(1, 2))
    members = rooms(m1=9, m2=9, m3=9)
    one_rule = [{"targetCluster": {"clusterNames": ["m1", "m2", "m3"]}, "weight": 1}]
    for preference, count in (({}, 2), ({"staticWeightList": one_rule}, 3), (None, 3)):
        strategy = {"replicaDivisionPreference": "Weighted", "weightPreference": preference}
        assert len(shares(decide(binding(6, divided(strategy, **limits)), members))) == count


@pytest.mark.parametrize(
    ("replicas", "held", "room", "expected"),
    [
        (6, {"m1": 2, "m2": 4, "m3": 6}, {"m1": 0, "m2": 0, "m3": 0}, {"m1": 1, "m2": 2, "m3": 3}),
        (24, {"m1": 2, "m2": 4, "m3": 6}, {"m1": 10, "m2": 10, "m3": 10}, {"m1": 6, "m2": 8, "m3": 10}),
        (12, {"m1": 2, "m2": 4, "m3": 6}, {"m1": 9, "m2": 0, "m3": 0}, {"m1": 2, "m2": 4, "m3": 6}),
        (6, {}, {"m1": 20, "m2": 12, "m3": 6}, {"m1": 3, "m2": 2, "m3": 1}),
        (12, {}, {"m1": 20, "m2": 12, "m3": 6}, {"m1": 6, "m2": 4, "m3": 2}),
    ],
)
def test_dynamic_weights(replicas: int, held: dict[str, int], room: dict[str, int], expected: dict[str, int]) -> None:
    assert shares(decide(binding(replicas, divided(DYNAMIC), held), rooms(**room))) == expected


def test_dynamic_weights_without_enough_room() -> None:
    held = {"m1": 2, "m2": 4, "m3": 6}
    outcome = decide(binding(24, divided(DYNAMIC), held), rooms(m1=1, m2=1, m3=1))
    assert isinstance(outcome, Unfit)
    assert outcome.reason == "Unschedulable"
    assert outcome.message == (
        "failed to assign replicas: failed to scale up: Clusters available replicas 3 are not enough to schedule."
    )


@pytest.mark.parametrize(
    ("replicas", "room", "expected"),
    [
        (6, {"m1": 9, "m2": 9}, {"m2": 6}),
        (8, {"m1": 9, "m2": 9}, {"m2": 8}),
        (24, {"m1": 4, "m2": 6, "m3": 8}, {"m1": 7, "m2": 12, "m3": 5}),
        (24, {"m1": 6, "m2": 6, "m3": 20}, {"m1": 10, "m2": 14}),
        (24, {"m1": 4, "m3": 8, "m4": 12}, {"m1": 7, "m3": 7, "m4": 10}),
    ],
)
def test_aggregated(replicas: int, room: dict[str, int], expected: dict[str, int]) -> None:
    spec = binding(replicas, divided(AGGREGATED), {"m1": 4, "m2": 8})
    assert shares(decide(spec, rooms(**room))) == expected


def test_rescheduling_begins_anew() -> None:
    """What is there counts as room, and binds no more."""
    times = {"last_scheduled_time": "2026-01-01T00:00:00Z"}
    spec = binding(12, divided(DYNAMIC), {"m1": 12}, rescheduleTriggeredAt="2026-01-02T00:00:00Z")
    outcome = schedule(Request.of(spec, BindingStatus(**times)), Snapshot.of(rooms(m1=0, m2=12)))
    assert shares(outcome) == {"m1": 6, "m2": 6}
    spec = binding(12, divided(AGGREGATED), {"m1": 6, "m2": 6}, rescheduleTriggeredAt="2026-01-02T00:00:00Z")
    outcome = schedule(Request.of(spec, BindingStatus(**times)), Snapshot.of(rooms(m1=2, m2=20)))
    assert shares(outcome) == {"m2": 12}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (DYNAMIC, {"m1": 3, "m2": 3}),
        ({"replicaDivisionPreference": "Weighted"}, {"m1": 3, "m2": 3}),
        (AGGREGATED, {"m2": 6}),
    ],
)
def test_a_cluster_that_recovered_is_used_again_when_rescheduling_is_asked_for(
    strategy: Mapping[str, Any], expected: dict[str, int]
) -> None:
    """Karmada's workloadrebalancer_test: everything is in m2 since m1 was evicted. By itself nothing moves."""
    times = {"last_scheduled_time": "2026-01-01T00:00:00Z"}
    members, held = Snapshot.of(rooms(m1=10, m2=4)), {"m2": 6}
    spec = binding(6, divided(strategy), held)
    assert spec.placement is not None
    applied = {names.APPLIED_PLACEMENT_ANNOTATION: applied_placement(spec.placement)}
    assert due(spec, BindingStatus(**times), applied, members) is None
    spec = binding(6, divided(strategy), held, rescheduleTriggeredAt="2026-01-02T00:00:00Z")
    assert due(spec, BindingStatus(**times), applied, members) == "RescheduleAsked"
    assert shares(schedule(Request.of(spec, BindingStatus(**times)), members)) == expected


def groups(text: str) -> list[Group]:
    """`R1(1,60)`: name, value, weight."""
    found: list[Group] = []
    for entry in text.split():
        name, _, rest = entry.partition("(")
        value, weight = rest.rstrip(")").split(",")
        found.append(Group(name, int(value), int(weight)))
    return found


@pytest.mark.parametrize(
    ("given", "least", "most", "target", "expected"),
    [
        ("R1(1,60) R2(1,50) R3(1,40) R4(3,30) R5(3,20) R6(3,10)", 1, 3, 6, ["R1", "R4", "R5"]),
        ("R1(1,80) R2(4,40) R3(1,30) R4(3,30) R5(3,20) R6(5,10)", 2, 6, 5, ["R1", "R2"]),
        ("R1(1,60) R2(2,50) R3(3,40) R4(4,30)", 1, 2, 5, ["R1", "R4"]),
        ("R4(1,60) R3(3,50) R1(3,40) R2(4,30)", 1, 2, 5, ["R3", "R1"]),
        ("R1(1,80) R3(1,80) R2(1,60) R5(2,60) R4(5,50) R6(3,50)", 1, 3, 10, ["R5", "R4", "R6"]),
    ],
)
def test_choice_of_regions(given: str, least: int, most: int, target: int, expected: list[str]) -> None:
    chosen = choose(groups(given), least, most, target)
    assert chosen is not None
    assert [group.name for group in chosen] == expected


def candidates(*available: int, score: int) -> list[Candidate]:
    info = ClusterInfo(cluster("m", 0))
    return [Candidate(info, score, 0, room, room) for room in available]


@pytest.mark.parametrize(
    ("placement", "replicas", "available", "score", "expected"),
    [
        ({}, 50, (60, 70, 40, 30, 10), 100, 2100),
        ({}, 50, (60, 60, 60, 60), 0, 4000),
        (divided(DYNAMIC), 100, (10, 10, 10, 10, 5), 100, 45100),
        (divided(DYNAMIC), 100, (40, 30, 10, 10), 0, 50000),
        (divided(DYNAMIC), 100, (40, 40, 10), 100, 50100),
        ({}, 50, (10,), 100, 0),
    ],
)
def test_scores_of_regions(
    placement: dict[str, Any], replicas: int, available: tuple[int, ...], score: int, expected: int
) -> None:
    request = Request.of(binding(replicas, placement), BindingStatus())
    assert region_score(request, candidates(*available, score=score), 2, 1) == expected


def regional(**by_cluster: str) -> list[Cluster]:
    return [cluster(name, 10, region=region) for name, region in by_cluster.items()]


def spread(**limits: tuple[int, int]) -> dict[str, Any]:
    return {
        "spreadConstraints": [
            {"spreadByField": field, "minGroups": least, "maxGroups": most} for field, (least, most) in limits.items()
        ]
    }


def test_one_cluster_in_each_of_two_regions_although_one_cluster_was_asked_for() -> None:
    """Karmada's spread_by_region_test: the region wins over the clusters' maximum."""
    members = regional(m1="east", m2="east", m3="west", m4="west")
    assert len(shares(decide(binding(3, spread(cluster=(1, 1), region=(2, 2))), members))) == 2
    assert len(shares(decide(binding(3, spread(cluster=(1, 1), region=(1, 1))), members))) == 1
    four = shares(decide(binding(3, spread(cluster=(1, 3), region=(2, 2))), members))
    assert list(four) == ["m1", "m3", "m2"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"cluster": (1, 1), "region": (3, 3)}, "the number of feasible region is less than"),
        ({"cluster": (5, 5), "region": (1, 2)}, "the number of clusters is less than the cluster"),
        ({"zone": (1, 1)}, "just support cluster and region spread constraint"),
        ({"cluster": (5, 5)}, "the number of feasible clusters is less than"),
    ],
)
def test_spread_that_cannot_be(limits: dict[str, tuple[int, int]], message: str) -> None:
    members = [cluster(f"m{i}", 10, region="east" if i % 2 else "west", zones=["a"]) for i in range(4)]
    outcome = decide(binding(3, spread(**limits)), members)
    assert isinstance(outcome, Unfit)
    assert outcome.reason == "SchedulerError"
    assert outcome.message.startswith(f"failed to select clusters: {message}")


def test_clusters_are_exchanged_for_roomier_ones_from_the_end() -> None:
    placement = divided(DYNAMIC, **spread(cluster=(1, 2)))
    held = {"m1": 1, "m2": 1}
    assert shares(decide(binding(6, placement, held), rooms(m1=3, m2=1, m3=9))) == {"m1": 4, "m2": 2}
    assert shares(decide(binding(7, placement, held), rooms(m1=3, m2=1, m3=9))) == {"m1": 3, "m3": 4}
    outcome = decide(binding(60, placement, held), rooms(m1=3, m2=1, m3=9))
    assert isinstance(outcome, Unfit)
    assert outcome.message == "failed to select clusters: no enough resource when selecting 2 clusters"


def test_a_maximum_that_was_forgotten_selects_nothing() -> None:
    outcome = decide(binding(1, divided(DYNAMIC, **spread(cluster=(1, 0)))), rooms(m1=3))
    assert isinstance(outcome, Unfit)
    assert outcome.message.endswith("no enough resource when selecting 0 clusters")


def overflowing() -> dict[str, Any]:
    term = {"affinityName": "own", "clusterNames": ["m1"]}
    overflow = {"affinityName": "rented", "clusterNames": ["m2"]}
    return divided(DYNAMIC, clusterAffinities=[{**term, "overflowAffinities": [overflow]}])


def test_a_region_without_a_limit_for_clusters_gives_one_cluster_each() -> None:
    """Admission asks for a constraint by cluster; without it 0 is what Karmada computes with."""
    members = regional(m1="east", m2="east", m3="west")
    assert list(shares(decide(binding(3, spread(region=(2, 2))), members))) == ["m1", "m3"]


def test_when_all_terms_fail_the_first_decides_unless_something_is_broken() -> None:
    terms = [{"affinityName": name, "clusterNames": [name]} for name in ("gone", "m1")]
    members = [cluster("m1", 9, taints=[{"key": "cluster.karmada.io/not-ready", "effect": "NoSchedule"}])]
    outcome = decide(binding(3, {"clusterAffinities": terms}), members)
    assert isinstance(outcome, Unfit)
    assert outcome.attempts[0] == f"with clusterAffiliates index(0): {outcome.message}"
    assert not outcome.clears and len(outcome.attempts) == 2
    outcome = decide(binding(3, {"clusterAffinities": terms}), rooms(other=1))
    assert isinstance(outcome, Unfit) and outcome.clears


def test_empty_workloads_are_propagated_where_that_is_asked_for() -> None:
    request = Request.of(binding(1, divided(DYNAMIC)), BindingStatus(), keeps_empty=True)
    assert shares(schedule(request, Snapshot.of(rooms(m1=5, m2=1)))) == {"m1": 1, "m2": 0}


def test_resource_models_count_unless_the_gate_is_off() -> None:
    modelings = [{"grade": 0, "count": 3}]
    document = {
        "metadata": {"name": "m"},
        "spec": {"resourceModels": [model(0, cpu="1", memory="1Gi")]},
        "status": {"resourceSummary": {"allocatable": PLENTY, "allocatableModelings": modelings}},
    }
    found = msgspec.convert(document, Cluster)
    question = Request.of(
        binding(1, {}, replicaRequirements={"resourceRequest": {"cpu": "1"}}), BindingStatus()
    ).question
    assert Snapshot.of([found]).clusters[0].allocatable(question) == 3
    assert Snapshot.of([found], models=False).clusters[0].allocatable(question) == 10


def test_overflow_is_filled_last_and_left_first() -> None:
    """Karmada's clusteraffinities_test, with room for two replicas in each."""
    assert shares(decide(binding(2, overflowing()), rooms(m1=2, m2=2))) == {"m1": 2}
    assert shares(decide(binding(4, overflowing()), rooms(m1=2, m2=2))) == {"m1": 2, "m2": 2}
    outcome = decide(binding(5, overflowing()), rooms(m1=2, m2=2))
    assert isinstance(outcome, Unfit)
    assert outcome.message.endswith("Clusters available replicas are not enough to schedule.")
    assert shares(decide(binding(2, overflowing(), {"m1": 2, "m2": 2}), rooms(m1=0, m2=0))) == {"m1": 2}


# -- capacity ---------------------------------------------------------------------------------------------------------


def room(allocatable: dict[str, str], **summary: Any) -> Room:
    models = summary.pop("models", None)
    document = {
        "metadata": {"name": "m"},
        "spec": {"resourceModels": models},
        "status": {"resourceSummary": {"allocatable": allocatable, **summary}},
    }
    found = Room.of(msgspec.convert(document, Cluster))
    assert found is not None
    return found


PLENTY = {"cpu": "10", "memory": "10Gi", "pods": "100"}


@pytest.mark.parametrize(
    ("requests", "summary", "expected"),
    [
        ({}, {}, 100),
        ({}, {"allocated": {"pods": "60"}, "allocating": {"pods": "50"}}, 0),
        ({"cpu": "300m"}, {}, 33),
        ({"cpu": "300m"}, {"allocated": {"cpu": "1"}, "allocating": {"cpu": "8500m"}}, 1),
        ({"cpu": "300m", "memory": "3Gi"}, {}, 3),
        ({"nvidia.com/gpu": "1"}, {}, 0),
        ({"nvidia.com/gpu": "0"}, {}, 100),
        ({"cpu": "1m"}, {}, 100),
        ({"cpu": "1"}, {"allocated": {"cpu": "20"}}, 0),
    ],
)
def test_room_by_summary(requests: dict[str, str], summary: dict[str, Any], expected: int) -> None:
    assert room(PLENTY, **summary).replicas(Demand.of(requests)) == expected


def test_a_cluster_without_summary_has_no_room() -> None:
    assert Room.of(msgspec.convert({"metadata": {"name": "m"}}, Cluster)) is None


def model(grade: int, **capacity: str) -> dict[str, Any]:
    ranges = [{"name": name, "min": least, "max": "1000Gi"} for name, least in capacity.items()]
    return {"grade": grade, "ranges": ranges}


MODELS = [model(0, cpu="1", memory="1Gi"), model(1, cpu="2", memory="4Gi"), model(2, cpu="8", memory="16Gi")]


@pytest.mark.parametrize(
    ("requests", "counts", "expected"),
    [
        ({"cpu": "1"}, {0: 2, 1: 1, 2: 0}, 4),
        ({"cpu": "1500m"}, {0: 5, 1: 3}, 3),
        ({"cpu": "1", "memory": "2Gi"}, {0: 5, 1: 3}, 6),
        ({"cpu": "3"}, {0: 5, 1: 3}, 0),
        ({"ephemeral-storage": "1"}, {0: 5, 1: 3}, 0),
        ({"cpu": "1m"}, {0: 1}, 100),
        ({"cpu": "1"}, {0: -1}, 10),
    ],
)
def test_room_by_model(requests: dict[str, str], counts: dict[int, int], expected: int) -> None:
    modelings = [{"grade": grade, "count": count} for grade, count in counts.items()]
    found = room(PLENTY, models=MODELS, allocatableModelings=modelings)
    assert found.replicas(Demand.of(requests)) == expected


def test_what_is_on_its_way_takes_room() -> None:
    one = Demand.of({"cpu": "1"})
    assert room(PLENTY).replicas(one, [(one, 4)]) == 6
    assert room(PLENTY).replicas(Demand(), [(one, 40)]) == 60
    modelings = [{"grade": 1, "count": 3}]
    found = room(PLENTY, models=MODELS, allocatableModelings=modelings)
    assert found.replicas(one, [(Demand.of({"cpu": "1500m"}), 2)]) == 2, "the halves that are left hold none"


def test_sets_of_components() -> None:
    manager, worker = Demand.of({"cpu": "1"}), Demand.of({"cpu": "2"})
    parts = [(manager, 1), (worker, 2)]
    assert room(PLENTY).sets(parts) == 2
    assert room({**PLENTY, "pods": "5"}).sets(parts) == 1
    assert room({"pods": "100"}).sets(parts) == 0
    assert room(PLENTY).sets([]) == 100
    modelings = [{"grade": 1, "count": 4}, {"grade": 0, "count": 1}]
    assert room(PLENTY, models=MODELS, allocatableModelings=modelings).sets(parts) == 1
    assert room(PLENTY).sets(parts, [(worker, 3)]) == 0


def component_set(**resources: str) -> dict[str, Any]:
    return {"resourceRequest": resources}


def test_components_go_to_one_cluster_that_holds_them() -> None:
    """Karmada's schedule_multi_template_test."""
    components = [
        {"name": "jobmanager", "replicas": 1, "replicaRequirements": component_set(cpu="50m")},
        {"name": "taskmanager", "replicas": 2, "replicaRequirements": component_set(cpu="100m")},
    ]
    spec = binding(0, divided(DYNAMIC, **spread(cluster=(1, 1))), components=components)
    status = {"apiEnablements": APIS, "resourceSummary": {"allocatable": {"pods": "9", "cpu": "100m"}}}
    small = msgspec.convert({"metadata": {"name": "m1"}, "status": status}, Cluster)
    status = {"apiEnablements": APIS, "resourceSummary": {"allocatable": {"pods": "9", "cpu": "1"}}}
    large = msgspec.convert({"metadata": {"name": "m2"}, "status": status}, Cluster)
    outcome = decide(spec, [small, large])
    assert isinstance(outcome, Fit)
    (target,) = outcome.targets
    assert target.name == "m2"
    assert [(part.name, part.replicas) for part in target.components or ()] == [("jobmanager", 1), ("taskmanager", 2)]
    outcome = decide(spec, [small])
    assert isinstance(outcome, Unfit)
    assert outcome.message == "failed to select clusters: no enough resource when selecting 1 clusters"
