"""Where things lie in the gateway's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hansa.kube.errors import ConfigError

SOCKET_PATH_MAX = 107
"""Bytes in the path of a Unix socket, on Linux."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All that a gateway needs to serve lies here: with it, it starts while member and hub are away."""

    directory: Path

    @property
    def bootstrap(self) -> Path:
        return self.directory / "envoy" / "bootstrap.json"

    @property
    def listeners(self) -> Path:
        return self.directory / "envoy" / "listeners.json"

    @property
    def clusters(self) -> Path:
        return self.directory / "envoy" / "clusters.json"

    @property
    def endpoints(self) -> Path:
        return self.directory / "envoy" / "endpoints"

    @property
    def secrets(self) -> Path:
        return self.directory / "envoy" / "secrets"

    @property
    def site(self) -> Path:
        """What the gateway last had to do."""
        return self.directory / "site.json"

    @property
    def hosts(self) -> Path:
        """Addresses of the names of other gateways."""
        return self.directory / "hosts.json"

    @property
    def identity(self) -> Path:
        return self.directory / "identity"

    @property
    def admin(self) -> Path:
        return self.directory / "admin.sock"

    @property
    def log(self) -> Path:
        return self.directory / "envoy.log"

    def endpoints_of(self, cluster: str) -> Path:
        """Dots stand for slashes: neither namespaces nor services nor ports have dots in their names."""
        return self.endpoints / f"{cluster.replace('/', '.')}.json"

    def secret(self, name: str) -> Path:
        return self.secrets / f"{name}.json"

    def prepare(self) -> None:
        """Make the folders. Raises ConfigError where a socket could not lie in them."""
        if len(bytes(self.admin)) > SOCKET_PATH_MAX:
            raise ConfigError(
                f"--dir {self.directory}: the path of a socket in it would be longer than {SOCKET_PATH_MAX} bytes;"
                " take a shorter one"
            )
        for folder in (self.directory, self.endpoints, self.secrets, self.identity):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
