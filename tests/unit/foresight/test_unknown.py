"""Which fields of what object name clusters that are not there."""

from __future__ import annotations

import pytest

from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.foresight.unknown import unknown_clusters

KNOWN = {"member1", "member2", "cluster1"}


def found(api_version: str, kind: str, spec: Json) -> dict[str, tuple[str, ...]]:
    item = Item.of({"apiVersion": api_version, "kind": kind, "metadata": {"name": "words"}, "spec": spec})
    return {each.field: each.names for each in unknown_clusters(item, KNOWN)}


def propagates(**placement: object) -> Json:
    return {"resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap"}], "placement": placement}


def overrides(**target: object) -> Json:
    plaintext = [{"path": "/data/peers", "operator": "add", "value": {"clusterNames": ["a"], "exclude": ["b"]}}]
    return {"overrideRules": [{"targetCluster": target, "overriders": {"plaintext": plaintext}}]}


WEIGHTS = {
    "replicaSchedulingType": "Divided",
    "replicaDivisionPreference": "Weighted",
    "weightPreference": {
        "staticWeightList": [
            {"targetCluster": {"clusterNames": ["member1"]}, "weight": 1},
            {"targetCluster": {"clusterNames": ["member3"]}, "weight": 2},
        ]
    },
}
TERMS = [
    {"affinityName": "near", "clusterNames": ["member1", "membre2"]},
    {
        "affinityName": "far",
        "clusterNames": ["cluster1"],
        "overflowAffinities": [{"affinityName": "farther", "clusterNames": ["moon"]}],
    },
]
POLICY = "policy.karmada.io/v1alpha1"
FEDERATED: Json = {
    "placement": {"clusters": [{"name": "member1"}, {"name": "member9"}]},
    "overrides": [{"clusterName": "member8", "clusterOverrides": []}],
}
CASES: list[tuple[str, str, Json, dict[str, tuple[str, ...]]]] = [
    (
        *(POLICY, "PropagationPolicy", propagates(clusterAffinity={"clusterNames": ["member3", "member1", "member3"]})),
        {"spec.placement.clusterAffinity.clusterNames": ("member3",)},
    ),
    (
        *(POLICY, "ClusterPropagationPolicy", propagates(clusterAffinity={"exclude": ["member4"]})),
        {"spec.placement.clusterAffinity.exclude": ("member4",)},
    ),
    (
        *(POLICY, "PropagationPolicy", propagates(clusterAffinities=TERMS)),
        {
            "spec.placement.clusterAffinities[0].clusterNames": ("membre2",),
            "spec.placement.clusterAffinities[1].overflowAffinities[0].clusterNames": ("moon",),
        },
    ),
    (
        *(POLICY, "PropagationPolicy", propagates(replicaScheduling=WEIGHTS)),
        {
            "spec.placement.replicaScheduling.weightPreference.staticWeightList[1].targetCluster.clusterNames": (
                "member3",
            )
        },
    ),
    (
        *(POLICY, "OverridePolicy", overrides(clusterNames=["member2", "member3"])),
        {"spec.overrideRules[0].targetCluster.clusterNames": ("member3",)},
    ),
    (
        *(POLICY, "ClusterOverridePolicy", overrides(exclude=["member3"])),
        {"spec.overrideRules[0].targetCluster.exclude": ("member3",)},
    ),
    (
        *("types.kubefed.io/v1beta1", "FederatedConfigMap", FEDERATED),
        {"spec.placement.clusters": ("member9",), "spec.overrides[0].clusterName": ("member8",)},
    ),
    (
        *("scheduling.kubefed.io/v1alpha1", "ReplicaSchedulingPreference"),
        {"targetKind": "FederatedDeployment", "totalReplicas": 3, "clusters": {"*": {}, "member7": {}}},
        {"spec.clusters": ("member7",)},
    ),
    (POLICY, "PropagationPolicy", propagates(clusterAffinity={"clusterNames": ["member1"], "exclude": []}), {}),
    (POLICY, "PropagationPolicy", propagates(), {}),
    ("v1", "ConfigMap", {"placement": {"clusterAffinity": {"clusterNames": ["member3"]}}}, {}),
]


@pytest.mark.parametrize(("api_version", "kind", "spec", "wanted"), CASES)
def test_fields_that_name_what_is_not_there(api_version: str, kind: str, spec: Json, wanted: dict[str, object]):
    assert found(api_version, kind, spec) == wanted


def test_what_was_probably_meant_comes_first():
    item = Item.of(
        {
            "apiVersion": POLICY,
            "kind": "PropagationPolicy",
            "metadata": {"name": "words", "namespace": "web"},
            "spec": propagates(clusterAffinity={"clusterNames": ["membr2"]}),
        }
    )
    (one,) = unknown_clusters(item, KNOWN)
    assert one.object == "PropagationPolicy web/words"
    assert one.known[0] == "member2"
    assert sorted(one.known) == sorted(KNOWN)
