"""The folder in which `hansa up` keeps a federation: ports, certificates, data, logs, and who is running it.

Layout: `kubeconfig` (contexts hub and one per member), `federation.json` (what `up` was asked for), `ports.json`,
`loopback.json`, `pki/`, `data/<server>.db`, `log/hansa.log`, `lock` (held while alive) and `pid`. Mode 0700 throughout.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hansa.app.loopback import MemberAddresses, choose_block
from hansa.kube.errors import ConfigError
from hansa.rig.ports import reserve
from hansa.runtime.private_file import replace

DEFAULT_DIRECTORY = Path("~/.hansa/default")
HUB = "hub"


@dataclass(frozen=True, slots=True)
class FederationSpec:
    """What `hansa up` was asked for; the same question on a live folder is answered, another is refused."""

    members: tuple[str, ...]
    real: bool = False
    services: bool = False
    """Pods that answer, name servers and gateways."""

    @property
    def servers(self) -> tuple[str, ...]:
        return (HUB, *self.members)


class StateFolder:
    """One federation's folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.expanduser().absolute()
        self._lock: int | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "hansa.log"

    def data(self, server: str) -> Path:
        return self.directory / "data" / server

    def prepare(self) -> None:
        """Create the folder and its parts. Raises ConfigError when it cannot be written."""
        try:
            for folder in (self.directory, self.pki, self.log.parent, self.directory / "data"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"--dir {self.directory} cannot be used: {error.strerror}. Name a folder that you may write."
            ) from error

    # -- who runs it ---------------------------------------------------------------------------------------------

    def acquire(self) -> bool:
        """Take the folder for this process; False when another live process has it."""
        self.prepare()
        handle = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        # of one who was killed; before there is a pid, by which others know whose word it is
        (self.directory / "ready").unlink(missing_ok=True)
        (self.directory / "pid").write_text(f"{os.getpid()}\n")
        return True

    def release(self) -> None:
        if self._lock is not None:
            (self.directory / "pid").unlink(missing_ok=True)
            (self.directory / "ready").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def owner(self) -> int | None:
        """Pid of the process that holds the folder, None when nobody does."""
        path = self.directory / "lock"
        if not path.exists():
            return None
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                return int((self.directory / "pid").read_text())
            except (OSError, ValueError):
                return None
        else:
            return None
        finally:
            os.close(handle)

    # -- what it was asked for -----------------------------------------------------------------------------------

    def spec(self) -> FederationSpec | None:
        """What the folder holds; None for a new one. Raises ConfigError when the record is damaged."""
        record = self._read("federation.json")
        if record is None:
            return None
        return FederationSpec(tuple(record["members"]), bool(record["real"]), bool(record.get("services")))

    def record(self, spec: FederationSpec) -> None:
        self._write("federation.json", asdict(spec))

    def ready(self, summary: dict[str, Any]) -> None:
        """Leave word that the federation serves, for `--detach`, `down` and a second `up`."""
        self._write("ready", summary)

    def readiness(self) -> dict[str, Any] | None:
        return self._read("ready")

    # -- ports ---------------------------------------------------------------------------------------------------

    def ports(self, names: Sequence[str]) -> dict[str, int]:
        """One loopback port for each name, the same ones for as long as the folder lives."""
        path = self.directory / "ports.json"
        try:
            return reserve(path, names)
        except ValueError as error:
            raise self._damaged(path, error) from error

    # -- loopback addresses ----------------------------------------------------------------------------------------

    def addresses(self, members: Sequence[str]) -> dict[str, MemberAddresses]:
        """Of each member, the same ones for as long as the folder lives. Raises ConfigError."""
        record = self._read("loopback.json")
        if record is None:
            record = {"block": choose_block(str(self.directory))}
            self._write("loopback.json", record)
        return {name: MemberAddresses(int(record["block"]), position) for position, name in enumerate(members)}

    # -- files ---------------------------------------------------------------------------------------------------

    def write_private(self, path: Path, content: bytes) -> Path:
        """Write a file of mode 0600 in one step: readers see the old content or the new."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(path, content)
        return path

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self.directory / name).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._damaged(self.directory / name, error) from error

    def _damaged(self, path: Path, error: Exception) -> ConfigError:
        return ConfigError(f"{path} cannot be read: {error}. `hansa down --purge --dir {self.directory}` starts anew.")

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self.write_private(self.directory / name, json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")
