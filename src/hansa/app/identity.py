"""Keys and certificates of the embedded servers, kept in the federation's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hansa.apiserver.embedded import ADMIN, Keys
from hansa.app.state import StateFolder
from hansa.base.certificates import KeyPair, expires_at, issue_client, issue_server, make_authority, make_signing_key
from hansa.base.clock import Clock

NAMES = ("127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")

Make = Callable[[], KeyPair]
RENEWED_DAYS = 120


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What one embedded server signs and serves with, and its administrator's certificate."""

    keys: Keys
    certificate_file: Path
    key_file: Path
    authority_file: Path
    admin: KeyPair


def identity_of(folder: StateFolder, server: str, clock: Clock) -> ServerIdentity:
    """The identity of `server`, made when it is missing. Leaf certificates are renewed in good time."""
    pki = folder.pki / server
    authority = _pair(folder, pki, "ca", lambda: make_authority(f"hansa-{server}", clock.now()))
    _fresh_pair(folder, pki, "server", clock, lambda: issue_server(authority, NAMES, clock.now()))
    admin = _fresh_pair(
        folder, pki, "admin", clock, lambda: issue_client(authority, ADMIN.name, ADMIN.groups, clock.now())
    )
    tokens = pki / "tokens.key"
    if not tokens.exists():
        folder.write_private(tokens, make_signing_key())
    return ServerIdentity(
        Keys(authority, tokens.read_bytes()), pki / "server.crt", pki / "server.key", pki / "ca.crt", admin
    )


def _fresh_pair(folder: StateFolder, pki: Path, name: str, clock: Clock, make: Make) -> KeyPair:
    certificate = pki / f"{name}.crt"
    if certificate.exists() and (expires_at(certificate.read_bytes()) - clock.now()).days < RENEWED_DAYS:
        certificate.unlink()
    return _pair(folder, pki, name, make)


def _pair(folder: StateFolder, pki: Path, name: str, make: Make) -> KeyPair:
    certificate, key = pki / f"{name}.crt", pki / f"{name}.key"
    if not (certificate.exists() and key.exists()):
        pair = make()
        folder.write_private(key, pair.key)
        folder.write_private(certificate, pair.certificate)
    return KeyPair(certificate.read_bytes(), key.read_bytes())
