"""Cell values that many tables share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hansa.api.meta import Json
from hansa.base.clock import parse_rfc3339

UNKNOWN = "<unknown>"
NONE = "<none>"
UNSET = "<unset>"


def name(obj: Json, now: datetime) -> Any:
    del now
    return obj.get("metadata", {}).get("name", "")


def since(moment: str | None, now: datetime) -> str:
    """`5m12s`: time since a timestamp, as kubectl shows it; `<unknown>` without one."""
    if not moment:
        return UNKNOWN
    return human_duration((now - parse_rfc3339(moment)).total_seconds())


def until(moment: str | None, now: datetime) -> str:
    if not moment:
        return UNKNOWN
    return human_duration((parse_rfc3339(moment) - now).total_seconds())


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
        return _two(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = total // 3600
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = days // 365
    if hours < 24 * 365 * 8:
        return _two(years, "y", days % 365, "d")
    return f"{years}y"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"


def template_containers(template: Json | None) -> list[Json]:
    return ((template or {}).get("spec") or {}).get("containers") or []


def names_of(containers: list[Json]) -> str:
    return ",".join(container.get("name", "") for container in containers)


def images_of(containers: list[Json]) -> str:
    return ",".join(container.get("image", "") for container in containers)


def selector_text(selector: Json | None) -> str:
    """A LabelSelector as `a=b,c in (d,e),!f`; `<none>` for none, `<none>` also for an empty one."""
    if selector is None:
        return NONE
    parts: list[tuple[str, str]] = [
        (key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for item in selector.get("matchExpressions") or ():
        key, values = item.get("key", ""), ",".join(sorted(item.get("values") or ()))
        match item.get("operator"):
            case "In":
                parts.append((key, f"{key} in ({values})"))
            case "NotIn":
                parts.append((key, f"{key} notin ({values})"))
            case "Exists":
                parts.append((key, key))
            case _:
                parts.append((key, f"!{key}"))
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0])) or NONE


def labels_text(labels: Json | None) -> str:
    """`a=b,c=d`; `<none>` for none."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def listed(items: list[str], limit: int) -> str:
    """The first few, and how many more."""
    if len(items) > limit:
        return f"{','.join(items[:limit])} + {len(items) - limit} more..."
    return ",".join(items)


def balancer_addresses(status: Json) -> str:
    """IPs and host names, sorted, cut to the width of a table."""
    found = {
        ingress.get("ip") or ingress.get("hostname")
        for ingress in (status.get("loadBalancer") or {}).get("ingress") or ()
    }
    text = ",".join(sorted(value for value in found if value))
    return f"{text[:13]}..." if len(text) > 16 else text
