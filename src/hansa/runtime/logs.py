"""Log records as one line each, for people or as JSON, with a fixed vocabulary of fields.

Modules log with `logging.getLogger(__name__)` and pass what a record is about in `extra`. Only the fields named here
are printed, so nothing gets into a log by being attached to a record.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec

FIELDS = ("controller", "key", "cluster", "resource", "reason", "elapsed", "server", "identity", "address")
Format = Literal["console", "json"]

_encode = msgspec.json.Encoder(enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """`{"time":…,"level":…,"logger":…,"message":…,…}`, and `error` with the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _encode(line).decode()


class ConsoleFormatter(logging.Formatter):
    """`10:11:12.345 WARNING hansa.control: failed: … key=default/web cluster=m1`"""

    def format(self, record: logging.LogRecord) -> str:
        about = "".join(f" {name}={value}" for name, value in _about(record).items())
        line = f"{_time(record)[11:23]} {record.levelname:<7} {record.name}: {record.getMessage()}{about}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(*, level: int | str = logging.INFO, format_: Format = "console", stream: TextIO | None = None) -> None:
    """Send all records to `stream` (stderr). Replaces what was configured before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format_ == "json" else ConsoleFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # the library logs whole requests at this level, with their headers
    for noisy in ("aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _about(record: logging.LogRecord) -> dict[str, Any]:
    attributes = record.__dict__
    return {name: attributes[name] for name in FIELDS if name in attributes}
