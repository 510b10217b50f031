"""Time as a value that is handed in, so that tests can own it.

Wire forms are those of the Kubernetes API: `Time` has whole seconds, `MicroTime` has microseconds, both in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time. `now` is the wall clock in UTC, `monotonic` is seconds from an arbitrary origin."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


def rfc3339(moment: datetime) -> str:
    """`2026-11-24T02:23:54Z`, the form of metav1.Time."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def rfc3339_micro(moment: datetime) -> str:
    """`2026-11-24T02:23:54.000123Z`, the form of metav1.MicroTime."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Read either form. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
