"""The last known zone on disk, served after a restart while the member's API is away.

When it was last known to be true is the file's time of modification: it moves on while nothing changes, without the
file being written again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hansa.kube.errors import ConfigError
from hansa.runtime.private_file import replace
from hansa.service.dns.zone import Service


class _Document(msgspec.Struct, frozen=True):
    cluster: str
    services: tuple[Service, ...]


class ZoneFile:
    """One file; its folder must exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Raises ConfigError when it cannot be read or written where it is."""
        folder = self.path.absolute().parent
        if not os.access(folder, os.W_OK | os.X_OK) or (self.path.exists() and not os.access(self.path, os.R_OK)):
            raise ConfigError(f"--state {self.path}: cannot be used; name a file in a folder that may be written")

    def age_seconds(self, now: float) -> float | None:
        """None when there is none. Raises OSError when it cannot be read."""
        try:
            return now - self.path.stat().st_mtime
        except FileNotFoundError:
            return None

    def load(self) -> tuple[str, tuple[Service, ...]]:
        """Cluster and services. Raises OSError, and ValueError when it is damaged."""
        document = msgspec.json.decode(self.path.read_bytes(), type=_Document)
        return document.cluster, document.services

    def save(self, cluster: str, services: Iterable[Service]) -> None:
        """In one step: a reader, or a crash, finds the old content or the new. Raises OSError."""
        replace(self.path, msgspec.json.encode(_Document(cluster, tuple(services))))

    def touch(self, now: float) -> None:
        """It is still true. Raises OSError."""
        os.utime(self.path, (now, now))
