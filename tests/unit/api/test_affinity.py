"""Which clusters an affinity means: every condition holds, exclusion wins, what cannot be read fits nothing."""

import msgspec
import pytest

from hansa.api.affinity import matches
from hansa.api.cluster import Cluster
from hansa.api.policy import ClusterAffinity


def cluster(name="m1", labels=None, **spec):
    return msgspec.convert(
        {"metadata": {"name": name, "labels": labels or {}}, "spec": {"syncMode": "Push", **spec}}, Cluster
    )


def affinity(**fields):
    return msgspec.convert(fields, ClusterAffinity)


def field(key, operator, *values):
    return affinity(fieldSelector={"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]})


def test_no_affinity_and_an_empty_one_mean_every_cluster():
    assert matches(None, cluster())
    assert matches(affinity(), cluster())


def test_names_choose_and_exclusion_wins_over_everything():
    assert matches(affinity(clusterNames=["m1", "m2"]), cluster("m1"))
    assert not matches(affinity(clusterNames=["m2"]), cluster("m1"))
    assert not matches(affinity(clusterNames=["m1"], exclude=["m1"]), cluster("m1"))


def test_all_conditions_must_hold():
    both = affinity(clusterNames=["m1"], labelSelector={"matchLabels": {"env": "prod"}})
    assert matches(both, cluster("m1", {"env": "prod"}))
    assert not matches(both, cluster("m1", {"env": "test"}))
    assert not matches(both, cluster("m2", {"env": "prod"}))


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({}, True),
        ({"matchLabels": {"env": "prod"}}, True),
        ({"matchLabels": {"env": "test"}}, False),
        ({"matchExpressions": [{"key": "env", "operator": "In", "values": ["prod", "x"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        # neither of these can be read
        ({"matchExpressions": [{"key": "env", "operator": "Like", "values": ["prod"]}]}, False),
        ({"matchExpressions": [{"key": "env", "operator": "In"}]}, False),
    ],
)
def test_labels(selector, fits):
    assert matches(affinity(labelSelector=selector), cluster(labels={"env": "prod"})) is fits


@pytest.mark.parametrize(
    ("key", "operator", "values", "fits"),
    [
        ("provider", "In", ["huawei", "aws"], True),
        ("provider", "NotIn", ["aws"], False),
        ("region", "In", ["north"], False),
        # a field that is not set is as absent as a label that is not there
        ("region", "NotIn", ["north"], True),
        ("region", "Exists", [], False),
        ("region", "DoesNotExist", [], True),
        ("continent", "In", ["europe"], False),
        ("provider", "Like", ["aws"], False),
    ],
)
def test_provider_and_region(key, operator, values, fits):
    assert matches(field(key, operator, *values), cluster(provider="aws")) is fits


@pytest.mark.parametrize(
    ("operator", "values", "zones", "fits"),
    [
        ("In", ["a", "c"], ["a", "b"], True),
        ("In", ["c"], ["a", "b"], False),
        ("In", ["a"], [], False),
        ("NotIn", ["c"], ["a", "b"], True),
        ("NotIn", ["a"], ["a", "b"], False),
        ("NotIn", ["a"], [], True),
        ("Exists", [], ["a"], True),
        ("Exists", [], [], False),
        ("DoesNotExist", [], [], True),
        ("DoesNotExist", [], ["a"], False),
        ("Gt", ["1"], ["2"], False),
    ],
)
def test_zones(operator, values, zones, fits):
    assert matches(field("zone", operator, *values), cluster(zones=zones)) is fits


def test_the_deprecated_single_zone_counts():
    assert matches(field("zone", "In", "a"), cluster(zone="a"))
