"""Where the programs of Kubernetes are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hansa.kube.errors import ConfigError

KUBERNETES_VERSION = "v1.37.2"
"""The one version that `make kube` builds; tools/kube/build.sh names it too, and a test compares them."""

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


class MissingBinaries(ConfigError):
    """Some programs are not where they should be. The message says how to get them."""

    def __init__(self, directory: Path, missing: tuple[str, ...], *, chosen: bool) -> None:
        remedy = "KUBE_BIN names that folder" if chosen else "`make kube` builds them"
        super().__init__(f"real Kubernetes needs {', '.join(missing)} in {directory}: {remedy}")
        self.directory = directory
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder that holds all PROGRAMS."""

    directory: Path

    def path(self, program: str) -> Path:
        return self.directory / program

    @property
    def etcd(self) -> Path:
        return self.path("etcd")

    @property
    def api_server(self) -> Path:
        return self.path("kube-apiserver")

    @property
    def controller_manager(self) -> Path:
        return self.path("kube-controller-manager")

    @property
    def scheduler(self) -> Path:
        return self.path("kube-scheduler")

    @property
    def kubectl(self) -> Path:
        return self.path("kubectl")


def default_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where `make kube` puts what it builds."""
    cache = environment.get("XDG_CACHE_HOME")
    root = Path(cache) if cache else Path("~/.cache").expanduser()
    return root / "hansa" / "kube" / KUBERNETES_VERSION


def find_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """The folder that $KUBE_BIN names, else what `make kube` built. Raises MissingBinaries."""
    chosen = environment.get("KUBE_BIN")
    directory = Path(chosen).expanduser().absolute() if chosen else default_directory(environment)
    missing = tuple(program for program in PROGRAMS if not os.access(directory / program, os.X_OK))
    if missing:
        raise MissingBinaries(directory, missing, chosen=bool(chosen))
    return Binaries(directory)
