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


@pytest.mark.parametrize(
    ("total", "weights", "ascending", "descending"),
    [
        (12, (3, 2, 1), (6, 4, 2), None),
        (13, (3, 2, 1), (7, 4, 2), None),
        (14, (3, 2, 1), (7, 5, 2), None),
        (3, (1, 1), (2, 1), (1, 2)),
        (5, (1, 1, 1), (2, 2, 1), (1, 2, 2)),
        (7, (2, 1, 1, 1), (3, 2, 1, 1), (3, 1, 1, 2)),
        (8, (2, 1, 1, 1), (3, 2, 2, 1), (3, 1, 2, 2)),
        (9, (2, 1, 1, 1), (3, 2, 2, 2), None),
        (12, (20, 12, 6), (6, 4, 2), None),
        (9, (1, 3), (2, 7), None),
        (5, (0, 1), (0, 5), None),
    ],
)
def test_divisions(total, weights, ascending, descending):
    named = {f"m{i}": weight for i, weight in enumerate(weights, 1)}
    assert tuple(divide(total, named, uid=EVEN).values()) == ascending
    assert tuple(divide(total, named, uid=ODD).values()) == (descending or ascending)


def test_a_division_is_added_to_what_was_there():
    assert divide(12, {"m1": 10, "m2": 10, "m3": 10}, {"m1": 2, "m2": 4, "m3": 6}) == {"m1": 6, "m2": 8, "m3": 10}
    assert divide(1, {"b": 1}, {"a": 3}) == {"a": 3, "b": 1}


def test_without_weight_nothing_is_divided():
    assert divide(5, {"a": 0}) == {}
    assert divide(5, {}, {"a": 2}) == {"a": 2}
    assert divide(0, {"a": 1}) == {"a": 0}
