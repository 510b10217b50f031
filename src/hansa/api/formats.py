"""Patterns and formats of text in schemas, as the API server reads them."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from hansa.base.names import dns1123_label, dns1123_subdomain


def matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.search(value) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Servers use RE2: classes are ASCII, `$` is the very end. None for an expression that Python cannot read."""
    if pattern.endswith("$") and not pattern.endswith(r"\$"):
        pattern = pattern[:-1] + r"\Z"
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
    except re.error:
        return None


def _holds(check: Callable[[str], Any]) -> Callable[[str], bool]:
    """A check that raises ValueError for what it cannot read."""

    def holds(text: str) -> bool:
        try:
            check(text)
        except ValueError:
            return False
        return True

    return holds


def _full(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _date_time(text: str) -> None:
    if "T" not in text.upper() or datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(text)


def _base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error


def _is_uri(text: str) -> bool:
    """An absolute address, or a path from the root."""
    if re.search(r"[\s\x00-\x1f]", text):
        return False
    try:
        return text.startswith("/") or bool(urlsplit(text).scheme)
    except ValueError:
        return False


def _is_uuid(version: str) -> Callable[[str], bool]:
    variant = "[0-9a-f]" if version in "[0-9a-f]3" else "[89ab]"
    return _full(rf"(?i)[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}[0-9a-f]{{3}}-?{variant}[0-9a-f]{{3}}-?[0-9a-f]{{12}}")


_UNIT = (
    "(ns|us|µs|ms|s|m|h|d|w|nanoseconds?|microseconds?|milliseconds?|seconds?|sec|minutes?|min"
    "|hours?|hrs?|days?|weeks?)"
)
_DURATION = rf"\s*[0-9]+(\.[0-9]+)?\s*{_UNIT}"
FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _holds(_date_time),
    "datetime": _holds(_date_time),
    "date": _holds(date.fromisoformat),
    "duration": _full(rf"[+-]?(0|({_DURATION})+)"),
    "byte": _holds(_base64),
    "ipv4": _holds(ipaddress.IPv4Address),
    "ipv6": _holds(ipaddress.IPv6Address),
    "cidr": lambda text: "/" in text and _holds(lambda t: ipaddress.ip_network(t, strict=False))(text),
    "hostname": _full(
        r"(?!.{256})[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?)*"
    ),
    "uri": _is_uri,
    "email": _full(r"[^@\s<>]+@[^@\s<>]+"),
    "mac": _full(
        r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(([:-][0-9A-Fa-f]{2}){2})?|([0-9A-Fa-f]{4}\.){2,3}[0-9A-Fa-f]{4}"
    ),
    "uuid": _is_uuid("[0-9a-f]"),
    "uuid3": _is_uuid("3"),
    "uuid4": _is_uuid("4"),
    "uuid5": _is_uuid("5"),
    "bsonobjectid": _full("[0-9A-Fa-f]{24}"),
    "hexcolor": _full("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "k8s-short-name": lambda text: not dns1123_label(text),
    "k8s-long-name": lambda text: not dns1123_subdomain(text),
}
