"""The patch that `kubectl apply` means (client-side apply), merged as the API server merges it."""

from __future__ import annotations

import pytest

from hansa.api.builtin import schema_for
from hansa.api.meta import GVK
from hansa.api.strategic import apply_patch, strategic_merge

DEPLOYMENT = schema_for(GVK("apps", "v1", "Deployment"))


def pod(*containers, **spec):
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


def merged(last, wanted, live):
    assert DEPLOYMENT is not None
    return strategic_merge(live, apply_patch(last, wanted, DEPLOYMENT), DEPLOYMENT)


def names(document):
    return [container["name"] for container in document["spec"]["template"]["spec"]["containers"]]


def test_what_was_applied_and_is_wanted_no_more_goes_and_what_others_set_stays():
    last = {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"paused": True}}
    live = {"metadata": {"labels": {"a": "1", "b": "2", "other": "x"}}, "spec": {"paused": True, "replicas": 5}}
    found = merged(last, {"metadata": {"labels": {"a": "3"}}, "spec": {}}, live)
    assert found == {"metadata": {"labels": {"a": "3", "other": "x"}}, "spec": {"replicas": 5}}


def test_containers_are_merged_by_name():
    last = pod({"name": "one", "image": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "two", "image": "b"})
    live = pod(
        {"name": "one", "image": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "injected"}]},
        {"name": "two", "image": "b"},
        {"name": "sidecar", "image": "c"},
    )
    found = merged(
        last,
        pod({"name": "three", "image": "d"}, {"name": "one", "image": "e", "env": [{"name": "Z", "value": "2"}]}),
        live,
    )
    containers = {each["name"]: each for each in found["spec"]["template"]["spec"]["containers"]}
    assert containers.keys() == {"three", "one", "sidecar"}
    assert {each["name"] for each in containers["one"]["env"]} == {"Y", "Z"}
    assert names(found).index("three") < names(found).index("one")


def test_a_strategy_does_not_keep_the_parameters_of_the_other_kind():
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}}
    assert merged({}, {"spec": {"strategy": {"type": "Recreate"}}}, live) == {
        "spec": {"strategy": {"type": "Recreate"}}
    }


def test_lists_of_words_are_sets():
    last, wanted = ({"metadata": {"finalizers": entries}} for entries in (["a", "b"], ["a", "c"]))
    found = merged(last, wanted, {"metadata": {"finalizers": ["a", "b", "other"]}})
    assert sorted(found["metadata"]["finalizers"]) == ["a", "c", "other"]


def test_other_lists_are_replaced():
    last, live = pod({"name": "one", "args": ["x", "y"]}), pod({"name": "one", "args": ["x", "y"]})
    assert merged(last, pod({"name": "one", "args": ["z"]}), live) == pod({"name": "one", "args": ["z"]})


@pytest.mark.parametrize("document", [pod({"name": "one", "image": "a"}), {"spec": {"replicas": 1}}, {}])
def test_applying_the_same_again_changes_nothing(document):
    assert merged(document, document, document) == document
