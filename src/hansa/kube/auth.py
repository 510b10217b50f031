"""Who we are to an API server: what is sent, where it comes from, and how it is renewed.

Files are read again after a minute and after the server has refused what they held; exec plugins are asked again when
what they gave expires or is refused. Nothing here is ever shown: identities have no telling repr.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from hansa.kube.errors import ConfigError

REREAD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request carries: the Authorization header's value, and a client certificate with its key, both PEM."""

    authorization: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


NOBODY = Identity()


class Credentials(Protocol):
    """Where an identity comes from."""

    async def identity(self) -> Identity:
        """What to send now. Raises ConfigError when it cannot be had."""
        ...

    def refused(self, identity: Identity) -> bool:
        """The server answered 401 to `identity`. Whether asking again may give another one."""
        ...


@dataclass(frozen=True, slots=True)
class Static:
    """An identity that never changes."""

    known: Identity = NOBODY

    async def identity(self) -> Identity:
        return self.known

    def refused(self, identity: Identity) -> bool:
        return False


def anonymous() -> Static:
    return Static()


def bearer(token: str) -> Static:
    return Static(Identity(f"Bearer {token}"))


def basic(username: str, password: str) -> Static:
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    return Static(Identity(f"Basic {encoded}"))


def certificate(certificate_pem: bytes, key_pem: bytes) -> Static:
    return Static(Identity(certificate=certificate_pem, key=key_pem))


class _Read(NamedTuple):
    content: bytes
    at: float


class WatchedFile:
    """A file whose content may be rotated. When it cannot be read again, what was read before is kept."""

    def __init__(self, path: Path, field_name: str) -> None:
        self.path = path
        self._field = field_name
        self._read: _Read | None = None

    def content(self) -> bytes:
        """The content, at most a minute old. Raises ConfigError."""
        now = asyncio.get_running_loop().time()
        known = self._read
        if known is not None and now - known.at < REREAD_SECONDS:
            return known.content
        try:
            content = self.path.read_bytes()
        except OSError as error:
            if known is None:
                raise ConfigError(f"{self._field}: cannot read {self.path}: {error.strerror}") from error
            content = known.content
        self._read = _Read(content, now)
        return content

    def forget(self) -> None:
        """Read again at the next use."""
        if self._read is not None:
            self._read = self._read._replace(at=float("-inf"))


class Files:
    """A token and a client certificate, each from a file, beside what is fixed. A file's token comes first."""

    def __init__(
        self,
        fixed: Identity = NOBODY,
        *,
        token: WatchedFile | None = None,
        certificate: WatchedFile | None = None,
        key: WatchedFile | None = None,
    ) -> None:
        self._fixed = fixed
        self._token = token
        self._certificate = certificate
        self._key = key

    async def identity(self) -> Identity:
        fixed = self._fixed
        authorization, certificate, key = fixed.authorization, fixed.certificate, fixed.key
        if self._token is not None:
            token = self._token.content().decode(errors="replace").strip()
            if not token and not authorization:
                raise ConfigError(f"token file {self._token.path} is empty")
            authorization = f"Bearer {token}" if token else authorization
        if self._certificate is not None:
            certificate = self._certificate.content()
        if self._key is not None:
            key = self._key.content()
        return Identity(authorization, certificate, key)

    def refused(self, identity: Identity) -> bool:
        files = [file for file in (self._token, self._certificate, self._key) if file is not None]
        for file in files:
            file.forget()
        return bool(files)


@dataclass(frozen=True, slots=True)
class Layered:
    """`upper`'s authorization and certificate where it has them, `lower`'s otherwise."""

    upper: Credentials
    lower: Credentials

    async def identity(self) -> Identity:
        upper, lower = await self.upper.identity(), await self.lower.identity()
        pair = upper if upper.certificate else lower
        return Identity(upper.authorization or lower.authorization, pair.certificate, pair.key)

    def refused(self, identity: Identity) -> bool:
        return any([self.upper.refused(identity), self.lower.refused(identity)])


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Act as somebody else, in the API server's Impersonate-… headers."""

    user: str = ""
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def headers(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if self.user:
            found.append(("Impersonate-User", self.user))
        if self.uid:
            found.append(("Impersonate-Uid", self.uid))
        found += [("Impersonate-Group", group) for group in self.groups]
        found += [(f"Impersonate-Extra-{name}", value) for name, values in self.extra.items() for value in values]
        return found
