from hypothesis import given
from hypothesis import strategies as st

from hansa.base.division import descends, divide

weights = st.dictionaries(st.text("abcd", min_size=1, max_size=3), st.integers(0, 60), min_size=1, max_size=7)
uids = st.uuids().map(str)


def step_by_step(total, weights, uid):
    """The rule, one seat at a time."""
    names = sorted((name for name, weight in weights.items() if weight), reverse=descends(uid))
    seats = dict.fromkeys(sorted(weights), 0)
    for _ in range(total if names else 0):
        best = min(names, key=lambda n: (-weights[n] / (2 * seats[n] + 1), seats[n], names.index(n)))
        seats[best] += 1
    return seats


@given(st.integers(0, 400), weights, uids)
def test_the_short_cut_gives_what_the_rule_gives(total, weights, uid):
    expected = step_by_step(total, weights, uid) if any(weights.values()) else {}
    assert divide(total, weights, uid=uid) == expected


@given(st.integers(0, 10**6), weights, uids)
def test_every_seat_is_given_and_no_quota_is_missed_by_much(total, weights, uid):
    seats = divide(total, weights, uid=uid)
    whole = sum(weights.values())
    if whole == 0:
        assert seats == {}
        return
    assert sum(seats.values()) == total
    for name, weight in weights.items():
        assert abs(seats[name] - total * weight / whole) <= len(weights) / 2 + 0.5
        assert weight or not seats[name]


@given(st.integers(0, 300), weights, uids)
def test_more_seats_take_none_away(total, weights, uid):
    fewer, more = divide(total, weights, uid=uid), divide(total + 1, weights, uid=uid)
    assert all(more[name] >= fewer[name] for name in fewer)
