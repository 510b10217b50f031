"""ServiceAccount tokens: JWTs that name an account and may be bound to an object (authentication.k8s.io/v1)."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.builtin.lookup import Lookup
from hansa.apiserver.message import UserInfo
from hansa.base.clock import Clock


class TokenIssuer:
    """Signs and verifies. `private_key_pem`: RSA (RS256) or P-256 (ES256). `lookup` proves that accounts still exist."""

    def __init__(self, *, issuer: str, private_key_pem: bytes, clock: Clock, lookup: Lookup) -> None:
        raise NotImplementedError

    def request(self, account: Json, token_request: Json) -> Json:
        """Answer a TokenRequest on `serviceaccounts/token`: the request with its status. Raises TokenRefused."""
        raise NotImplementedError

    def fill_secret(self, secret: Json, account: Json, ca_pem: bytes) -> bool:
        """Fill a `kubernetes.io/service-account-token` Secret in place; False when nothing was missing."""
        raise NotImplementedError

    def authenticate(self, token: str, audiences: tuple[str, ...] = ()) -> UserInfo | None:
        """The account that a token names; None when the token, its account or its bound object is not valid."""
        raise NotImplementedError
