"""Reading documents that nobody has checked yet: what has the wrong shape reads as empty, the schema refuses it."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import Json


def mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""
