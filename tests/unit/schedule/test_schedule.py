"""Decisions over a snapshot of clusters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hansa.api import names
from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus
from hansa.schedule import Fit, Request, Snapshot, Unfit, schedule
from hansa.schedule.needed import applied_placement, due

APPS = [{"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]}]


def cluster(name: str, *, apis: Any = None, deleting: bool = False, labels: Any = None, **spec: Any) -> Cluster:
    metadata: dict[str, Any] = {"name": name, "labels": labels or {}}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = {"apiEnablements": APPS if apis is None else apis}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": status}, Cluster)


def binding(placement: dict[str, Any], **spec: Any) -> BindingSpec:
    resource = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "nginx", "uid": ""}
    return msgspec.convert({"resource": resource, "placement": placement, "replicas": 3, **spec}, BindingSpec)


def decide(spec: BindingSpec, *clusters: Cluster, status: BindingStatus | None = None) -> Fit | Unfit:
    return schedule(Request.of(spec, status or BindingStatus()), Snapshot.of(clusters))


def shares(outcome: Fit | Unfit) -> dict[str, int]:
    assert isinstance(outcome, Fit), outcome
    return {target.name: target.replicas for target in outcome.targets}


def divided(**preference: Any) -> dict[str, Any]:
    strategy = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted", **preference}
    return {"replicaScheduling": strategy}


def weights(**by_cluster: int) -> dict[str, Any]:
    rules = [{"targetCluster": {"clusterNames": [name]}, "weight": weight} for name, weight in by_cluster.items()]
    return {"weightPreference": {"staticWeightList": rules}}


def test_without_a_strategy_every_cluster_gets_all() -> None:
    assert shares(decide(binding({}), cluster("m1"), cluster("m2"))) == {"m1": 3, "m2": 3}


def test_objects_without_replicas_go_everywhere() -> None:
    assert shares(decide(binding({}, replicas=0), cluster("m1"), cluster("m2"))) == {"m1": 0, "m2": 0}


def test_scaled_to_zero_leaves_its_clusters() -> None:
    spec = binding({}, replicas=0, replicaRequirements={"resourceRequest": {"cpu": "1"}})
    assert shares(decide(spec, cluster("m1"))) == {}


@pytest.mark.parametrize(
    ("total", "preference", "expected"),
    [
        (12, weights(m1=3, m2=2, m3=1), {"m1": 6, "m2": 4, "m3": 2}),
        (3, weights(m1=1, m2=2), {"m1": 1, "m2": 2}),
        (6, {}, {"m1": 2, "m2": 2, "m3": 2}),
        (6, weights(elsewhere=1), {"m1": 2, "m2": 2, "m3": 2}),
        (1, weights(m1=1, m2=5), {"m2": 1}),
    ],
)
def test_static_weights(total: int, preference: dict[str, Any], expected: dict[str, int]) -> None:
    spec = binding(divided(**preference), replicas=total)
    assert shares(decide(spec, cluster("m1"), cluster("m2"), cluster("m3"))) == expected


def test_the_heaviest_rule_counts() -> None:
    rules = [
        {"targetCluster": {"clusterNames": ["m1"]}, "weight": 1},
        {"targetCluster": {"labelSelector": {"matchLabels": {"big": "yes"}}}, "weight": 3},
    ]
    spec = binding(divided(weightPreference={"staticWeightList": rules}), replicas=4)
    assert shares(decide(spec, cluster("m1", labels={"big": "yes"}), cluster("m2"))) == {"m1": 4}


def test_reasons_are_counted() -> None:
    taint = {"key": "gpu", "value": "only", "effect": "NoSchedule"}
    spec = binding({"clusterAffinity": {"exclude": ["m3"]}})
    outcome = decide(spec, cluster("m1", apis=[]), cluster("m2", taints=[taint]), cluster("m3"), cluster("m4", apis=[]))
    assert isinstance(outcome, Unfit)
    assert outcome.reason == "NoClusterFit"
    assert outcome.message == (
        "0/4 clusters are available: 1 cluster(s) did not match the placement cluster affinity constraint,"
        " 1 cluster(s) had untolerated taint {gpu=only:NoSchedule}, 2 cluster(s) did not have the API resource."
    )


def test_no_cluster_at_all() -> None:
    outcome = decide(binding({}), cluster("m1", deleting=True))
    assert isinstance(outcome, Unfit)
    assert outcome.message == "0/1 clusters are available: no cluster exists."


def test_taints_and_missing_apis_do_not_drive_out() -> None:
    taint = {"key": names.NOT_READY_TAINT, "effect": "NoSchedule"}
    spec = binding({}, clusters=[{"name": "m1", "replicas": 3}])
    assert shares(decide(spec, cluster("m1", taints=[taint], apis=[]), cluster("m2", taints=[taint]))) == {"m1": 3}


def test_tolerated_taints_pass() -> None:
    taint = {"key": "team", "value": "a", "effect": "NoExecute"}
    for toleration, fits in [
        ({"key": "team", "operator": "Equal", "value": "a", "effect": "NoExecute"}, True),
        ({"key": "team", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "team", "operator": "Equal", "value": "b"}, False),
        ({"key": "team", "operator": "Exists", "effect": "NoSchedule"}, False),
    ]:
        outcome = decide(binding({"clusterTolerations": [toleration]}), cluster("m1", taints=[taint]))
        assert isinstance(outcome, Fit) is fits, toleration


def test_a_failure_keeps_the_last_placement_and_a_wish_does_not() -> None:
    moved = binding({"clusterAffinity": {"clusterNames": ["m2"]}}, clusters=[{"name": "m1", "replicas": 3}])
    not_ready = {"key": names.NOT_READY_TAINT, "effect": "NoSchedule"}
    broken = decide(moved, cluster("m1"), cluster("m2", taints=[not_ready]))
    assert isinstance(broken, Unfit) and not broken.clears
    nowhere = decide(moved, cluster("m1"))
    assert isinstance(nowhere, Unfit) and nowhere.clears


def test_a_broken_cluster_that_nobody_wants_anyhow_keeps_nothing() -> None:
    spec = binding({"clusterAffinity": {"clusterNames": ["m3"]}}, clusters=[{"name": "m1", "replicas": 3}])
    taint = {"key": names.NOT_READY_TAINT, "effect": "NoSchedule"}
    outcome = decide(spec, cluster("m1"), cluster("m2", taints=[taint]))
    assert isinstance(outcome, Unfit) and outcome.clears
    assert "1 cluster(s) had untolerated taint" in outcome.message


def test_evicted_clusters_are_out() -> None:
    task = {"fromCluster": "m1", "producer": "TaintManager", "reason": "TaintUntolerated"}
    spec = binding({}, gracefulEvictionTasks=[task])
    assert shares(decide(spec, cluster("m1"), cluster("m2"))) == {"m2": 3}


def test_spread_constraints_by_cluster() -> None:
    spec = binding({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 2}]})
    assert shares(decide(spec, cluster("m1"), cluster("m2"), cluster("m3"))) == {"m1": 3, "m2": 3}
    stay = msgspec.structs.replace(spec, clusters=binding({}, clusters=[{"name": "m3", "replicas": 3}]).clusters)
    assert shares(decide(stay, cluster("m1"), cluster("m2"), cluster("m3"))) == {"m3": 3, "m1": 3}
    few = binding({"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 2, "maxGroups": 2}]})
    outcome = decide(few, cluster("m1"))
    assert isinstance(outcome, Unfit) and outcome.reason == "SchedulerError"
    assert "the number of feasible clusters is less than spreadConstraint.MinGroups" in outcome.message


def test_a_cluster_that_has_not_said_what_it_has_has_no_room() -> None:
    for strategy in (
        divided(replicaDivisionPreference="Aggregated"),
        divided(weightPreference={"dynamicWeight": "AvailableReplicas"}),
    ):
        outcome = decide(binding(strategy), cluster("m1"))
        assert isinstance(outcome, Unfit) and outcome.reason == "Unschedulable"
        assert outcome.message == (
            "failed to assign replicas: failed to scale up: Clusters available replicas 0 are not enough to schedule."
        )


def terms(*names_: str) -> dict[str, Any]:
    return {"clusterAffinities": [{"affinityName": f"to-{name}", "clusterNames": [name]} for name in names_]}


def test_affinity_terms_are_tried_in_order() -> None:
    outcome = decide(binding(terms("m1", "m2")), cluster("m2"), cluster("m3"))
    assert isinstance(outcome, Fit)
    assert (outcome.affinity_name, [target.name for target in outcome.targets]) == ("to-m2", ["m2"])
    assert len(outcome.attempts) == 1


def test_a_later_term_stays_in_use() -> None:
    status = BindingStatus(scheduler_observed_affinity_name="to-m2")
    outcome = decide(binding(terms("m1", "m2")), cluster("m1"), cluster("m2"), status=status)
    assert isinstance(outcome, Fit) and outcome.affinity_name == "to-m2"
    again = BindingStatus(scheduler_observed_affinity_name="to-m2", last_scheduled_time="2026-01-01T00:00:00Z")
    spec = binding(terms("m1", "m2"), rescheduleTriggeredAt="2026-01-02T00:00:00Z")
    outcome = decide(spec, cluster("m1"), cluster("m2"), status=again)
    assert isinstance(outcome, Fit) and outcome.affinity_name == "to-m1"


def why(spec: BindingSpec, *clusters: Cluster, annotation: str | None = None, **status: Any) -> str | None:
    assert spec.placement is not None
    applied = applied_placement(spec.placement) if annotation is None else annotation
    annotations = {names.APPLIED_PLACEMENT_ANNOTATION: applied}
    return due(spec, msgspec.convert(status, BindingStatus), annotations, Snapshot.of(clusters))


def test_when_a_decision_is_due() -> None:
    placed = [{"name": "m1", "replicas": 3}]
    assert why(binding({}), annotation="") == "PlacementChanged"
    assert why(binding({}), annotation="not json") == "FollowsClusters"
    assert why(binding({}, clusters=placed)) == "FollowsClusters"
    assert why(binding({}, clusters=placed), annotation='{"clusterAffinity":{}}') == "PlacementChanged"
    assert why(binding(divided(), clusters=placed), cluster("m1")) is None
    assert why(binding(divided(), clusters=placed), cluster("m1", deleting=True)) == "ClusterLost"
    assert why(binding(divided(), clusters=[{"name": "m1", "replicas": 2}]), cluster("m1")) == "ReplicasChanged"
    asked = binding(divided(), clusters=placed, rescheduleTriggeredAt="2026-01-02T00:00:00Z")
    assert why(asked, lastScheduledTime="2026-01-01T00:00:00Z") == "RescheduleAsked"
    assert why(asked, cluster("m1"), lastScheduledTime="2026-01-02T00:00:00Z") is None
    assert why(binding(divided(), clusters=placed), cluster("m2")) == "ClusterLost"


def test_edits_of_other_terms_do_not_count() -> None:
    before = applied_placement(binding({**terms("m1", "m2"), **divided()}).placement)  # type: ignore[arg-type]
    edited = binding({**terms("m1", "m3"), **divided()}, clusters=[{"name": "m1", "replicas": 3}])
    assert why(edited, cluster("m1"), annotation=before, schedulerObservingAffinityName="to-m1") is None
    assert why(edited, annotation=before, schedulerObservingAffinityName="to-m2") == "PlacementChanged"
