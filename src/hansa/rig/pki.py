"""The certificates and keys of one cluster, as files of mode 0600 in a folder of mode 0700.

Two authorities, because whoever the API server's authority vouches for must not thereby reach etcd.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hansa.base.certificates import (
    KeyPair,
    issue_client,
    issue_server,
    make_authority,
    make_signing_key,
    public_half,
)
from hansa.runtime.private_file import replace

ADMIN = "system:admin"
MASTERS = "system:masters"
FRONT_PROXY = "front-proxy-client"
SERVER_NAMES = (
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True, slots=True)
class Pki:
    """A folder with `<name>.crt` and `<name>.key` pairs, and the keys of ServiceAccount tokens."""

    directory: Path

    def certificate(self, name: str) -> Path:
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.directory / f"{name}.key"

    def pair(self, name: str) -> KeyPair:
        return KeyPair(self.certificate(name).read_bytes(), self.key(name).read_bytes())

    @property
    def token_public_key(self) -> Path:
        return self.directory / "sa.pub"

    def ensure(self, service_address: str, now: datetime | None = None) -> None:
        """Make what is missing; what is there stays, so that kubeconfigs handed out remain valid."""
        now = now or datetime.now(UTC)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.key("ca").exists():
            self._write_pair("ca", make_authority("kubernetes-ca", now))
        if not self.key("etcd-ca").exists():
            self._write_pair("etcd-ca", make_authority("etcd-ca", now))
        if not self.key("front-proxy-ca").exists():
            self._write_pair("front-proxy-ca", make_authority("front-proxy-ca", now))
        ca, etcd_ca, proxy_ca = self.pair("ca"), self.pair("etcd-ca"), self.pair("front-proxy-ca")
        makers = {
            "server": lambda: issue_server(ca, (*SERVER_NAMES, service_address), now),
            "admin": lambda: issue_client(ca, ADMIN, [MASTERS], now),
            "controller-manager": lambda: issue_client(ca, "system:kube-controller-manager", [], now),
            "scheduler": lambda: issue_client(ca, "system:kube-scheduler", [], now),
            "etcd": lambda: issue_server(etcd_ca, ("127.0.0.1", "localhost"), now),
            "etcd-client": lambda: issue_client(etcd_ca, "kube-apiserver", [], now),
            "front-proxy": lambda: issue_client(proxy_ca, FRONT_PROXY, [], now),
        }
        for name, make in makers.items():
            if not self.key(name).exists():
                self._write_pair(name, make())
        if not self.key("sa").exists():
            signing_key = make_signing_key()
            replace(self.token_public_key, public_half(signing_key))
            replace(self.key("sa"), signing_key)

    def _write_pair(self, name: str, pair: KeyPair) -> None:
        replace(self.certificate(name), pair.certificate)
        replace(self.key(name), pair.key)  # the key comes last: its presence says that both are there
