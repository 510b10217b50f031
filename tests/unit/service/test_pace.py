"""At most one write a second for each key."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hansa.service.pace import Pace


def test_the_first_is_written_at_once_and_others_wait_for_their_own_key_only() -> None:
    pace = Pace[str](1.0)
    assert pace.wait("a", 10.0) == 0
    pace.wrote("a", 10.0)
    assert pace.wait("a", 10.25) == 0.75
    assert pace.wait("b", 10.25) == 0
    assert pace.wait("a", 11.0) == 0


def test_nothing_is_kept_of_what_may_be_written() -> None:
    pace = Pace[str](1.0)
    pace.wrote("a", 10.0)
    assert pace.wait("a", 12.0) == 0 and len(pace) == 0


@given(st.lists(st.integers(0, 64).map(lambda n: n / 16), max_size=60))
def test_changes_at_any_time_are_written_once_a_second_and_the_last_is_written(steps: list[float]) -> None:
    """Whoever is told to wait comes back then, as a queue does."""
    pace, now, due, written, changed = Pace[str](1.0), 0.0, None, [], 0.0

    def look() -> None:
        nonlocal due
        wait = pace.wait("a", now)
        if wait:
            due = now + wait
        else:
            due = None
            pace.wrote("a", now)
            written.append(now)

    for step in steps:
        end = now + step
        if due is not None and due <= end:
            now = due
            look()
        now = changed = end
        look()
    if due is not None:
        now = due
        look()
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(written))
    assert not steps or (written[0] == steps[0] and changed <= written[-1] <= changed + 1.0)
