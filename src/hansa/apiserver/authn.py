"""Who asks: client certificates, bearer tokens, anonymous, impersonation.

Client certificates are proven by the connection: whoever serves TLS turns the subject into a user with
`user_of_subject`. Repeated headers reach us joined by a newline, which no header can contain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import unquote

from hansa.apiserver.message import Request, UserInfo
from hansa.apiserver.rbac import Attributes, Authorizer
from hansa.apiserver.tokens import TokenIssuer

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = UserInfo("system:anonymous", (UNAUTHENTICATED,))
_AUTHN_GROUP = "authentication.k8s.io"
_EXTRA_HEADER = "impersonate-extra-"
_ACCOUNT = re.compile(r"^system:serviceaccount:([a-z0-9](?:[-a-z0-9]*[a-z0-9])?):([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)$")
_NODE = re.compile(r"^system:node:([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)$")


class Refusal(NamedTuple):
    """An impersonation that is not allowed: what was asked, for `forbidden_message(user, asked, reason)`."""

    asked: Attributes
    reason: str


class BadImpersonation(ValueError):
    """Impersonation headers that make no sense; answered by BadRequest with this text."""


def user_of_subject(common_name: str, organizations: Iterable[str]) -> UserInfo | None:
    """The user that a verified client certificate names: CN is the user, each O a group. None without a CN."""
    if not common_name:
        return None
    return with_authenticated(UserInfo(common_name, tuple(organizations)))


def with_authenticated(user: UserInfo) -> UserInfo:
    """The same user with `system:authenticated` among its groups."""
    if AUTHENTICATED in user.groups or user.name == ANONYMOUS.name:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


class Authenticator:
    """`static_tokens`: token -> user. `issuer` verifies ServiceAccount tokens."""

    def __init__(
        self,
        *,
        static_tokens: Mapping[str, UserInfo] | None = None,
        issuer: TokenIssuer | None = None,
        anonymous: bool = True,
    ) -> None:
        self._static = {token: with_authenticated(user) for token, user in (static_tokens or {}).items()}
        self._issuer = issuer
        self._anonymous = anonymous

    def authenticate(self, request: Request) -> UserInfo | None:
        """The user, with `system:authenticated` in its groups; None means 401 (bad credentials, or none allowed)."""
        if request.user is not None:
            return with_authenticated(request.user)
        scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and token:
            return self.user_of_token(token)
        return ANONYMOUS if self._anonymous else None

    def user_of_token(self, token: str, audiences: tuple[str, ...] = ()) -> UserInfo | None:
        """The user behind a bearer token (also for TokenReview); None when nobody vouches for it."""
        for known, user in self._static.items():
            if compare_digest(known.encode(), token.encode()):
                return user
        user = self._issuer.authenticate(token, audiences) if self._issuer else None
        return with_authenticated(user) if user else None

    def impersonate(
        self, request: Request, user: UserInfo, authorizer: Authorizer, asked: Attributes
    ) -> UserInfo | Refusal:
        """Follow Impersonate-User, -Group, -Uid and -Extra-* headers. Returns `user` itself when there are none.

        `asked` is what the request wants to do: constrained impersonation allows it by name. As in Kubernetes 1.37 the
        constrained modes are tried first and a refusal carries the first mode's reason. Raises BadImpersonation.
        """
        wanted = _wanted(request.headers)
        if wanted is None:
            return user
        first: Refusal | None = None
        for mode in (*_constrained_modes(wanted), ""):
            refusal = _refusal(authorizer, user, wanted, asked, mode)
            if refusal is None:
                return _impersonated(wanted, mode)
            first = first or refusal
        assert first is not None
        return first


def _wanted(headers: Mapping[str, str]) -> UserInfo | None:
    name = headers.get("impersonate-user", "")
    uid = headers.get("impersonate-uid", "")
    groups = tuple(headers["impersonate-group"].split("\n")) if "impersonate-group" in headers else ()
    extra = {
        unquote(key[len(_EXTRA_HEADER) :].lower()): tuple(value.split("\n"))
        for key, value in headers.items()
        if key.startswith(_EXTRA_HEADER)
    }
    if name:
        return UserInfo(name, groups, uid, extra)
    if uid or groups or extra:
        raise BadImpersonation(
            f'requested groups {list(groups)}, uid "{uid}", extra {extra} without impersonating a user name'
        )
    return None


def _constrained_modes(wanted: UserInfo) -> tuple[str, ...]:
    plain = not (wanted.groups or wanted.uid or wanted.extra)
    if _NODE.match(wanted.name):
        return ("arbitrary-node",) if plain else ()
    if _ACCOUNT.match(wanted.name):
        return ("serviceaccount",) if plain else ()
    return ("user-info",)


def _questions(wanted: UserInfo, mode: str) -> Iterable[Attributes]:
    """What must be allowed for each part of the user that is asked for."""
    verb = f"impersonate:{mode}" if mode else "impersonate"
    group = _AUTHN_GROUP if mode else ""
    account, node = _ACCOUNT.match(wanted.name), _NODE.match(wanted.name)
    if account:
        yield Attributes(verb, group, "v1", "serviceaccounts", namespace=account[1], name=account[2])
    elif node and mode:
        yield Attributes(verb, group, "v1", "nodes", name=node[1])
    else:
        yield Attributes(verb, group, "v1", "users", name=wanted.name)
    if wanted.uid:
        yield Attributes(verb, _AUTHN_GROUP, "v1", "uids", name=wanted.uid)
    for name in wanted.groups:
        yield Attributes(verb, group, "v1", "groups", name=name)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(verb, _AUTHN_GROUP, "v1", "userextras", key, name=value)


def _refusal(authorizer: Authorizer, user: UserInfo, wanted: UserInfo, asked: Attributes, mode: str) -> Refusal | None:
    if mode:
        on = replace(asked, verb=f"impersonate-on:{mode}:{asked.verb}")
        decision = authorizer.allowed(user, on)
        if not decision.allowed:
            return Refusal(on, decision.reason)
    for question in _questions(wanted, mode):
        if mode and question.resource == "groups" and question.name in ("", "system:masters"):
            return Refusal(question, f"impersonating the {question.name or 'empty string'} group is not allowed")
        decision = authorizer.allowed(user, question)
        if not decision.allowed:
            return Refusal(question, decision.reason)
    return None


def _impersonated(wanted: UserInfo, mode: str) -> UserInfo:
    groups = wanted.groups
    account = _ACCOUNT.match(wanted.name)
    if account and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[1]}")
    elif mode == "arbitrary-node":
        groups = ("system:nodes",)
    if wanted.name == ANONYMOUS.name:
        implied = UNAUTHENTICATED
    else:
        implied = "" if UNAUTHENTICATED in groups else AUTHENTICATED
    if implied and implied not in groups:
        groups = (*groups, implied)
    return replace(wanted, groups=groups)
