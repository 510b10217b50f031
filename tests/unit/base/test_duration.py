"""Durations as Go reads them."""

from __future__ import annotations

import pytest

from hansa.base.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("500ms", 0.5),
        ("1h15m30.918273645s", 4530.918273645),
        ("-30s", -30),
        ("+5s", 5),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("7ns", 7e-9),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "3", "-", "s", ".", ".s", "10 m", "1d", "1h-5m", "5S", "1e3s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: write numbers with units"):
        parse_duration(text)
