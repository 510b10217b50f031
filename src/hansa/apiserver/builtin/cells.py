"""Cell values that many tables share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hansa.api.meta import Json
from hansa.base.clock import parse_rfc3339


def name(obj: Json, now: datetime) -> Any:
    del now
    return obj.get("metadata", {}).get("name", "")


def since(moment: str | None, now: datetime) -> str:
    """`5m12s`: time since a timestamp, as kubectl shows it; `<unknown>` without one."""
    if not moment:
        return "<unknown>"
    return human_duration((now - parse_rfc3339(moment)).total_seconds())


def age(obj: Json, now: datetime) -> Any:
    return since(obj.get("metadata", {}).get("creationTimestamp"), now)


def human_duration(seconds: float) -> str:
    """A duration in at most two units, rounded down, the precision falling as it grows (as kubectl's Age)."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = total // 3600
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = hours // 24 // 365
    if hours < 24 * 365 * 8:
        rest = days % 365
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"
