"""A request to the API server and its answer, free of any HTTP library: sockets and in-process callers share them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who asks (authentication.k8s.io/v1 UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are in lower case, `query` keeps order and repetition.

    `user` is set when the connection itself proves who asks (client certificate, or a caller in process); otherwise the
    server authenticates by the headers.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: UserInfo | None = None
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """The answer. A `body` that is an iterator is sent as it comes (watches); each chunk is one or more whole lines."""

    code: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
