"""Who asks: client certificates, bearer tokens, anonymous, impersonation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hansa.apiserver.message import Request, UserInfo
from hansa.apiserver.rbac import Attributes, Authorizer
from hansa.apiserver.tokens import TokenIssuer

ANONYMOUS = UserInfo("system:anonymous", ("system:unauthenticated",))


class Refusal(NamedTuple):
    """An impersonation that is not allowed: what was asked, for `forbidden_message(user, asked, reason)`."""

    asked: Attributes
    reason: str


class Authenticator:
    """`static_tokens`: token -> user. `issuer` verifies ServiceAccount tokens."""

    def __init__(
        self,
        *,
        static_tokens: Mapping[str, UserInfo] | None = None,
        issuer: TokenIssuer | None = None,
        anonymous: bool = True,
    ) -> None:
        self._static = dict(static_tokens or {})
        self._issuer = issuer
        self._anonymous = anonymous

    def authenticate(self, request: Request) -> UserInfo | None:
        """The user, with `system:authenticated` in its groups; None means 401 (bad credentials, or none allowed)."""
        raise NotImplementedError

    def impersonate(self, request: Request, user: UserInfo, authorizer: Authorizer) -> UserInfo | Refusal:
        """Follow Impersonate-User, -Group, -Uid and -Extra-* headers. Returns `user` itself when there are none."""
        raise NotImplementedError
