import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.api import fieldset
from hansa.api.builtin import schema_for
from hansa.api.merge import apply, update_managed_fields
from hansa.api.meta import GVK
from hansa.api.strategic import strategic_merge
from hansa.base.patch import apply_merge_patch

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "whole": {"type": "array", "items": {"type": "string"}},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "list": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "a": {"type": "string"}, "b": {"type": "string"}},
                    },
                },
                "one": {"type": "string"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}
words = st.sampled_from("pq")
items = st.fixed_dictionaries({"name": st.sampled_from("xyz")}, optional={"a": words, "b": words})
specs = st.fixed_dictionaries(
    {},
    optional={
        "set": st.lists(st.sampled_from("abc"), unique=True, min_size=1),
        "whole": st.lists(words, min_size=1, max_size=2),
        "map": st.dictionaries(st.sampled_from("klm"), words, min_size=1),
        "list": st.lists(items, min_size=1, max_size=3, unique_by=lambda item: item["name"]),
        "one": words,
        "free": st.dictionaries(
            st.sampled_from("kl"), words | st.dictionaries(st.sampled_from("mn"), words, min_size=1), min_size=1
        ),
    },
)
steps = st.lists(st.tuples(st.sampled_from(["m", "n", "update"]), specs), max_size=4)


def write(live, manager, spec, *, now="T", force=True):
    """Nobody applies empty lists and maps here: no longer applied, their fields stay and belong to no one."""
    config = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "a"}, **({"spec": spec} if spec else {})}
    if manager == "update":
        meta = (live or config)["metadata"]
        new = {**config, "metadata": meta}
        return update_managed_fields(live, new, SCHEMA, manager="u", api_version="g/v1", now=now)
    return apply(live, config, SCHEMA, manager=manager, api_version="g/v1", now=now, force=force)


def owners(obj):
    """The times differ: who applies last without changing anything leaves none."""
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in obj["metadata"].get("managedFields", [])}


def history(steps):
    live = None
    for manager, spec in steps:
        live = write(live, manager, spec)
    return live


@given(steps, specs)
def test_applying_twice_is_applying_once(steps, spec):
    once = write(history(steps), "m", spec)
    assert write(once, "m", spec, now="later") == once


@given(steps, specs)
def test_what_was_applied_is_there_and_owned(steps, spec):
    obj = write(history(steps), "m", spec)
    # applying it again as somebody else finds no conflict, so all of it is there
    assert write(obj, "other", spec, force=False).get("spec") == obj.get("spec")


@given(specs, specs)
def test_disjoint_managers_do_not_touch_each_other_and_order_does_not_matter(left, right):
    left = {key: value for key, value in left.items() if key in ("set", "map", "one")}
    right = {key: value for key, value in right.items() if key in ("whole", "list", "free")}
    one = write(write(None, "m", left, force=False), "n", right, force=False)
    two = write(write(None, "n", right, force=False), "m", left, force=False)
    assert one.get("spec", {}) == two.get("spec", {}) == {**left, **right}
    assert owners(one) == owners(two)
    assert write(one, "m", {}).get("spec", {}) == right


@given(steps, specs, specs)
def test_a_manager_that_applies_nothing_leaves_what_others_have(steps, mine, theirs):
    live = write(write(history(steps), "m", mine), "n", theirs)
    left = write(live, "m", {})
    assert ("m", "Apply") not in owners(left)
    assert write(left, "n", theirs, force=False).get("spec") == left.get("spec")


sets = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.sampled_from([".", "f:a", "f:b", 'k:{"n":1}', "v:2"]), inner, max_size=3),
    max_leaves=8,
).map(lambda tree: fieldset.decode(normal(tree)))


def normal(tree):
    return {
        element: {} if element == "." else normal(inner) if inner.keys() != {"."} else {}
        for element, inner in tree.items()
    }


def of(fields):
    return set(fieldset.paths(fields))


@given(sets, sets)
def test_sets_of_fields_are_sets(left, right):
    assert of(fieldset.union(left, right)) == of(left) | of(right)
    assert of(fieldset.difference(left, right)) == of(left) - of(right)
    assert of(fieldset.intersection(left, right)) == of(left) & of(right)
    below = {path for path in of(left) if any(path[: len(top)] == top for top in of(right))}
    assert of(fieldset.without(left, right)) == of(left) - below


@given(sets)
def test_sets_of_fields_survive_the_wire(fields):
    assert of(fieldset.decode(fieldset.encode(fields))) == of(fields)
    assert of(fieldset.of(*fieldset.paths(fields))) == of(fields)


POD = schema_for(GVK("", "v1", "Pod"))
containers = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"image": words, "tty": st.booleans()}),
    unique_by=lambda container: container["name"],
    max_size=3,
)
pods = st.fixed_dictionaries({}, optional={"containers": containers, "nodeName": words, "hostIPC": st.booleans()})


@given(pods, pods)
def test_a_strategic_patch_takes_effect_once(old, patch):
    once = strategic_merge({"spec": old}, {"spec": patch}, POD)
    assert strategic_merge(once, {"spec": patch}, POD) == once
    merged = {item["name"]: item for item in once["spec"].get("containers", [])}
    for item in old.get("containers", []) + patch.get("containers", []):
        assert item["name"] in merged
    for item in patch.get("containers", []):
        assert item.items() <= merged[item["name"]].items()


@given(pods, pods)
def test_without_lists_a_strategic_patch_is_a_merge_patch(old, patch):
    old.pop("containers", None)
    patch.pop("containers", None)
    assert strategic_merge({"spec": old}, {"spec": patch}, POD) == apply_merge_patch({"spec": old}, {"spec": patch})


@pytest.mark.parametrize("keys", [{}, {"a": None}])
def test_what_a_strategic_patch_is_given_stays_as_it_was(keys):
    doc = {"metadata": {"labels": {"a": "1"}}}
    strategic_merge(doc, {"metadata": {"labels": keys}}, POD)
    assert doc == {"metadata": {"labels": {"a": "1"}}}
