import pytest

from hansa.base.division import descends, divide

EVEN = "4858ca61-3ff8-4095-8267-f3d059d8074c"
ODD = "d43fdeeb-d750-4e2b-bee3-64eb94534f4c"


@pytest.mark.parametrize(
    ("uid", "odd"),
    [
        (EVEN, False),
        (ODD, True),
        ("93162d3c-ee8e-4995-9034-05f4d5d2c2b9", False),
        ("e5ba4d1a-2d1f-4e1d-8b6e-8b9d9d1f0b11", True),
        ("", False),
    ],
)
def test_the_uid_decides_which_end_of_the_alphabet_is_first(uid, odd):
    assert descends(uid) is odd


def test_what_weighs_nothing_gets_nothing():
    assert divide(5, {"a": 0, "b": 1}) == {"a": 0, "b": 5}


def test_a_division_is_added_to_what_was_there():
    assert divide(12, {"m1": 10, "m2": 10, "m3": 10}, {"m1": 2, "m2": 4, "m3": 6}) == {"m1": 6, "m2": 8, "m3": 10}
    assert divide(1, {"b": 1}, {"a": 3}) == {"a": 3, "b": 1}


def test_without_weight_nothing_is_divided():
    assert divide(5, {"a": 0}) == {}
    assert divide(5, {}, {"a": 2}) == {"a": 2}
    assert divide(0, {"a": 1}) == {"a": 0}
