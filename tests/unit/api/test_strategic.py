import pytest

from hansa.api.builtin import schema_for
from hansa.api.meta import GVK
from hansa.api.strategic import StrategicError, strategic_merge

DEPLOYMENT = schema_for(GVK("apps", "v1", "Deployment"))


def merge(spec, patch):
    """Of a Deployment's pod spec."""
    result = strategic_merge(
        {"spec": {"template": {"spec": spec}}}, {"spec": {"template": {"spec": patch}}}, DEPLOYMENT
    )
    return result["spec"]["template"]["spec"]


def names(items):
    return [item["name"] for item in items]


def test_containers_merge_by_name_and_keep_what_the_patch_does_not_name():
    old = {"containers": [{"name": "a", "image": "a:1", "tty": True}, {"name": "b", "image": "b:1"}]}
    new = merge(old, {"containers": [{"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}]})
    assert new["containers"] == [
        {"name": "a", "image": "a:1", "tty": True},
        {"name": "b", "image": "b:2"},
        {"name": "c", "image": "c:1"},
    ]
    assert old["containers"][1]["image"] == "b:1"


def test_ports_merge_by_number_and_args_are_replaced():
    old = {"containers": [{"name": "a", "args": ["x"], "ports": [{"containerPort": 80, "name": "http"}]}]}
    patch = {"containers": [{"name": "a", "args": ["y"], "ports": [{"containerPort": 80, "name": "web"}]}]}
    assert merge(old, patch)["containers"][0] == {
        "name": "a",
        "args": ["y"],
        "ports": [{"containerPort": 80, "name": "web"}],
    }


def test_null_removes():
    assert merge({"nodeName": "x", "hostIPC": True}, {"nodeName": None, "hostPID": None}) == {"hostIPC": True}


def test_patch_delete_and_replace():
    old = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert merge(old, {"containers": [{"$patch": "delete", "name": "a"}]})["containers"] == [{"name": "b"}]
    replaced = merge(old, {"containers": [{"$patch": "replace"}, {"name": "c"}]})
    assert replaced["containers"] == [{"name": "c"}]
    labels = {"metadata": {"labels": {"a": "1"}}}
    assert strategic_merge(labels, {"metadata": {"labels": {"$patch": "replace", "b": "2"}}}, DEPLOYMENT) == {
        "metadata": {"labels": {"b": "2"}}
    }
    assert strategic_merge(labels, {"metadata": {"labels": {"$patch": "delete"}}}, DEPLOYMENT) == {
        "metadata": {"labels": {}}
    }


def test_retain_keys_clears_what_is_not_named():
    old = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(old, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}
    with pytest.raises(StrategicError, match="retainKeys"):
        strategic_merge(old, {"spec": {"strategy": {"$retainKeys": [], "type": "Recreate"}}}, DEPLOYMENT)


def test_finalizers_are_a_set():
    old = {"metadata": {"finalizers": ["a", "b"]}}
    added = strategic_merge(old, {"metadata": {"finalizers": ["c", "a"]}}, DEPLOYMENT)
    assert sorted(added["metadata"]["finalizers"]) == ["a", "b", "c"]
    removed = strategic_merge(old, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, DEPLOYMENT)
    assert removed["metadata"]["finalizers"] == ["b"]


def test_element_order():
    old = {"containers": [{"name": "a"}, {"name": "server"}, {"name": "b"}]}
    patch = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
        "containers": [{"name": "c", "image": "c"}],
    }
    assert names(merge(old, patch)["containers"]) == ["server", "b", "c", "a"]
    only_order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert names(merge(old, only_order)["containers"]) == ["server", "b", "a"]
    with pytest.raises(StrategicError, match="order"):
        merge(old, {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "x"}]})


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"containers": [{"image": "x"}]}, "does not contain declared merge key: name"),
        ({"containers": [{"$patch": "merge", "name": "a"}]}, "cannot yet be specified"),
        ({"containers": [{"$patch": "frob", "name": "a"}]}, "unknown patch type: frob"),
        ({"securityContext": {"$patch": "merge"}}, "unknown patch type"),
    ],
)
def test_patches_that_cannot_be_understood(patch, message):
    with pytest.raises(StrategicError, match=message):
        merge({"containers": [{"name": "a"}], "securityContext": {"runAsUser": 1}}, patch)


def test_directives_vanish_where_there_was_nothing():
    patch = {"containers": [{"name": "a"}, {"$patch": "delete", "name": "b"}], "hostPID": None}
    assert merge({}, patch) == {"containers": [{"name": "a"}]}


def test_without_a_schema_maps_merge_and_lists_are_replaced():
    assert strategic_merge({"a": {"b": 1}, "l": [1]}, {"a": {"c": 2}, "l": [2]}, {}) == {
        "a": {"b": 1, "c": 2},
        "l": [2],
    }
