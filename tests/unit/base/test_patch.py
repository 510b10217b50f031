import pytest

from hansa.base.patch import PatchError, apply_json_patch, apply_merge_patch, json_diff, merge_diff


def patch(doc, *ops, missing="error"):
    return apply_json_patch(doc, list(ops), missing=missing)


def test_add_sets_members_and_inserts_into_lists():
    assert patch({"a": [1]}, {"op": "add", "path": "/a/0", "value": 0}) == {"a": [0, 1]}
    assert patch({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}) == {"a": [1, 2]}
    assert patch({"a": [1]}, {"op": "add", "path": "/a/-1", "value": 2}) == {"a": [1, 2]}
    assert patch({}, {"op": "add", "path": "/x~1y~0z", "value": 1}) == {"x/y~z": 1}
    assert patch({}, {"op": "add", "path": "", "value": 7}) == 7


def test_replace_of_a_missing_member_is_an_error_or_sets_it():
    operation = {"op": "replace", "path": "/spec/replicas", "value": 5}
    with pytest.raises(PatchError, match="does not exist"):
        patch({"spec": {}}, operation)
    assert patch({"spec": {}}, operation, missing="add") == {"spec": {"replicas": 5}}
    for absent in ({}, {"spec": []}):
        with pytest.raises(PatchError):
            patch(absent, operation, missing="add")


def test_the_freer_peers_copy_nothing_as_null():
    copy = {"op": "copy", "path": "/b", "from": "/a"}
    assert patch({}, copy, missing="add") == {"b": None}
    with pytest.raises(PatchError):
        patch({}, {"op": "copy", "path": "/b", "from": "/a/c"}, missing="add")


def test_list_indices_may_have_leading_zeros():
    assert patch([1, 2], {"op": "replace", "path": "/01", "value": 3}) == [1, 3]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/a/1"},
        {"op": "remove", "path": "/b"},
        {"op": "add", "path": "/a/3", "value": 1},
        {"op": "add", "path": "/a/1x", "value": 1},
        {"op": "copy", "path": "/c", "from": "/b"},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "replace", "path": "/a/-", "value": 1},
        {"op": "test", "path": "/a/0", "value": True},
        {"op": "frob", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "move", "path": "/a/0", "from": "/a"},
        {"op": "add"},
    ],
)
def test_what_cannot_be_done_names_the_operation(operation):
    with pytest.raises(PatchError) as caught:
        patch({"a": [1]}, {"op": "test", "path": "/a", "value": [1]}, operation)
    assert caught.value.index == 1


def test_the_document_stays_as_it_was():
    doc = {"a": {"b": [1]}}
    with pytest.raises(PatchError):
        patch(doc, {"op": "remove", "path": "/a/b/0"}, {"op": "remove", "path": "/nope"})
    assert doc == {"a": {"b": [1]}}


def test_merge_patches():
    assert apply_merge_patch({"a": 1, "b": {"c": 1, "d": 2}}, {"a": None, "b": {"c": 3}}) == {"b": {"c": 3, "d": 2}}
    assert apply_merge_patch({"a": [1]}, {"a": {"b": None}}) == {"a": {}}


def test_differences_tell_true_from_one():
    assert merge_diff({"a": 1}, {"a": True}) == {"a": True}
    assert json_diff({"a": 1}, {"a": 1}) == []
