import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from hansa.base.patch import apply_json_patch, apply_merge_patch, equal_json, json_diff, merge_diff

scalars = st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3)
values = st.recursive(
    scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text("ab/~", max_size=2), values, max_size=4)
without_null = st.recursive(
    scalars, lambda inner: st.dictionaries(st.text("abc", max_size=2), inner, max_size=3), max_leaves=8
)


@given(objects, objects)
def test_a_json_diff_leads_from_one_document_to_the_other(old, new):
    assert apply_json_patch(old, json_diff(old, new)) == new


@given(objects, objects)
def test_json_patches_mean_what_the_peers_library_means(old, new):
    ops = jsonpatch.make_patch(old, new).patch
    assert apply_json_patch(old, ops) == jsonpatch.apply_patch(old, ops) == new


@given(
    st.dictionaries(st.text("abc", max_size=2), without_null, max_size=4),
    st.dictionaries(st.text("abc", max_size=2), without_null, max_size=4),
)
def test_a_merge_diff_leads_from_one_document_to_the_other(old, new):
    patch = merge_diff(old, new)
    assert apply_merge_patch(old, patch) == new
    assert (patch == {}) == (old == new and _same(old, new))


def _same(left, right):
    return repr(_sorted(left)) == repr(_sorted(right))


def _sorted(value):
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def plainly_equal(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(plainly_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(plainly_equal, left, right))
    return left == right


CLOSE = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 0.0, "", "1", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(CLOSE, CLOSE)
def test_documents_are_equal_member_by_member(left: object, right: object):
    assert equal_json(left, right) is plainly_equal(left, right)


@given(CLOSE, st.randoms())
def test_the_order_of_members_makes_no_difference(document: object, chance):
    def shuffled(value: object) -> object:
        if isinstance(value, dict):
            keys = list(value)
            chance.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    assert equal_json(document, shuffled(document))
