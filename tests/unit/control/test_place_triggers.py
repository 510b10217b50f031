"""Which bindings a change of a cluster is about (Karmada's cluster events, and ours)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.control.place.triggers import affected, concerns_placement, opens_ways

RED = {"clusterAffinity": {"labelSelector": {"matchLabels": {"colour": "red"}}}}
TERMS = {
    "clusterAffinities": [
        {"affinityName": "blue", "labelSelector": {"matchLabels": {"colour": "blue"}}},
        {"affinityName": "red", "labelSelector": {"matchLabels": {"colour": "red"}}},
    ]
}
UNFIT = [{"type": "Scheduled", "status": "False", "reason": "NoClusterFit"}]


def cluster(name: str = "m1", *, ready: str = "True", apis: Any = None, **metadata: Any) -> Cluster:
    status = {"conditions": [{"type": "Ready", "status": ready}], "apiEnablements": apis or []}
    return msgspec.convert({"metadata": {"name": name, **metadata}, "status": status}, Cluster)


def binding(spec: Json, **status: Any) -> Item:
    metadata = {"name": "web-deployment", "namespace": "default", "generation": 2}
    body = {"apiVersion": "work.karmada.io/v1alpha2", "kind": "ResourceBinding", "metadata": metadata}
    return Item.of({**body, "spec": {"resource": {}, **spec}, "status": {"schedulerObservedGeneration": 2, **status}})


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (binding({"placement": {}}), True),
        (binding({"placement": RED}), True),
        (binding({"placement": {"clusterAffinity": {"clusterNames": ["m2"]}}}), False),
        (binding({"placement": {"clusterAffinity": {"clusterNames": ["m2"]}}, "clusters": [{"name": "m1"}]}), True),
        (binding({"placement": {"clusterAffinity": {"clusterNames": ["m2"]}}}, conditions=UNFIT), True),
        (binding({}), False),
        (binding({"placement": {}, "schedulerName": "another"}), False),
        (binding({"placement": {}, "suspension": {"scheduling": True}}), False),
        (binding({"placement": {}, "suspension": {"dispatching": True}}), True),
        (binding({"placement": TERMS}), False),
        (binding({"placement": TERMS}, schedulerObservingAffinityName="red"), True),
        (binding({"placement": TERMS}, schedulerObservingAffinityName="blue"), False),
        (binding({"placement": TERMS}, schedulerObservedGeneration=1), True),
    ],
)
def test_who_is_affected(item: Item, expected: bool) -> None:
    changed = cluster(labels={"colour": "red"})
    assert list(affected([item], [changed], "default-scheduler")) == ([item] if expected else [])


def test_the_old_state_counts_as_the_new_does() -> None:
    item = binding({"placement": RED})
    both = [cluster(labels={"colour": "red"}), cluster(labels={})]
    assert list(affected([item, item], both, "default-scheduler")) == [item, item]
    assert list(affected([item], both[1:], "default-scheduler")) == []


def test_what_a_change_is_about() -> None:
    plain, labelled, going = cluster(), cluster(labels={"a": "b"}), cluster(deletionTimestamp="2026-01-01T00:00:00Z")
    assert concerns_placement(None, plain) and concerns_placement(plain, None)
    assert concerns_placement(plain, labelled) and concerns_placement(plain, going)
    assert not concerns_placement(plain, cluster(ready="False"))
    apis = [{"groupVersion": "apps/v1", "resources": []}]
    assert opens_ways(cluster(ready="False"), plain) and opens_ways(plain, cluster(apis=apis))
    assert not opens_ways(plain, cluster(ready="False")) and not opens_ways(None, plain) and not opens_ways(plain, None)
