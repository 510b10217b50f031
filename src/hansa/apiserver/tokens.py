"""ServiceAccount tokens: JWTs that name an account and may be bound to an object (authentication.k8s.io/v1).

Claims as those of kube-apiserver: `iss`, `sub`, `aud`, `exp`, `iat`, `nbf`, `jti` and `kubernetes.io` with namespace,
serviceaccount, and pod, secret or node. Tokens of `kubernetes.io/service-account-token` Secrets carry the older flat
claims, do not expire, and are valid as long as the Secret holds them.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hansa.api.meta import Json
from hansa.apiserver.builtin.lookup import Lookup
from hansa.apiserver.jwt import SigningKey
from hansa.apiserver.message import UserInfo
from hansa.base.clock import Clock, rfc3339
from hansa.base.field import FieldError, invalid

UID_ANNOTATION = "kubernetes.io/service-account.uid"
LEGACY_ISSUER = "kubernetes/serviceaccount"
DEFAULT_SECONDS = 3600
SHORTEST_SECONDS = 600
_LONGEST_SECONDS = 1 << 32
_VERIFIED = 1024
_LEGACY = "kubernetes.io/serviceaccount/"
_BOUND_KINDS = {("Pod", "v1"): "pod", ("Secret", "v1"): "secret", ("Node", "v1"): "node"}


class TokenRefused(Exception):
    """A TokenRequest that is not granted. `errors` for 422, else `code`, `reason` and the text."""

    def __init__(
        self, message: str, *, errors: list[FieldError] | None = None, code: int = 409, reason: str = "Conflict"
    ):
        super().__init__(message)
        self.message = message
        self.errors = errors or []
        self.code = code
        self.reason = reason


class TokenIssuer:
    """Signs and verifies. `private_key_pem`: RSA (RS256) or P-256 (ES256).

    `lookup` proves that an account, and the object a token is bound to, still exist with the same uid.
    """

    def __init__(
        self,
        *,
        issuer: str,
        private_key_pem: bytes,
        clock: Clock,
        lookup: Lookup,
        audiences: tuple[str, ...] = (),
    ) -> None:
        self.issuer = issuer
        self.audiences = audiences or (issuer,)
        self._key = SigningKey(private_key_pem)
        self._clock = clock
        self._lookup = lookup
        self._verified: OrderedDict[str, Json] = OrderedDict()  # signatures cost more than everything else

    def keys(self) -> Json:
        """The document at /openid/v1/jwks."""
        return {"keys": [self._key.jwk()]}

    def configuration(self) -> Json:
        """The document at /.well-known/openid-configuration."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer.rstrip('/')}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self._key.algorithm],
        }

    def request(self, account: Json, token_request: Json) -> Json:
        """Answer a TokenRequest on `serviceaccounts/token`: the request with its status. Raises TokenRefused."""
        spec: Json = token_request.get("spec") or {}
        seconds = spec.get("expirationSeconds")
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        audiences: list[str] = spec.get("audiences") or list(self.audiences)
        errors: list[FieldError] = []
        if seconds < SHORTEST_SECONDS:
            errors.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
        if seconds > _LONGEST_SECONDS:
            errors.append(
                invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
            )
        if errors:
            raise TokenRefused("invalid", errors=errors, code=422, reason="Invalid")
        now = self._clock.now()
        meta = account["metadata"]
        private: Json = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta.get("uid", "")},
        }
        reference: Json | None = spec.get("boundObjectRef")
        if reference:
            private |= self._bound(reference, account)
        expires = now + timedelta(seconds=seconds)
        claims: Json = {
            "aud": audiences,
            "exp": int(expires.timestamp()),
            "iat": int(now.timestamp()),
            "iss": self.issuer,
            "jti": str(uuid4()),
            "kubernetes.io": private,
            "nbf": int(now.timestamp()),
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": meta["name"],
                "namespace": meta["namespace"],
                "creationTimestamp": rfc3339(now),
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": reference,
            },
            "status": {"token": self._key.token(claims), "expirationTimestamp": rfc3339(expires)},
        }

    def _bound(self, reference: Json, account: Json) -> Json:
        kind, version = reference.get("kind", ""), reference.get("apiVersion", "")
        slot = _BOUND_KINDS.get((kind, version))
        name, uid = reference.get("name", ""), reference.get("uid", "")
        if slot is None:
            text = f"cannot bind token to object reference of kind {kind}"
            raise TokenRefused(text, code=400, reason="BadRequest")
        namespace = "" if slot == "node" else account["metadata"]["namespace"]
        target = self._lookup.get("", kind, namespace, name)
        if target is None:
            raise TokenRefused(f'{slot}s "{name}" not found', code=404, reason="NotFound")
        found = target["metadata"].get("uid", "")
        if uid and uid != found:
            text = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise TokenRefused(
                f'Operation cannot be fulfilled on {slot}s "{name}": {text}', code=409, reason="Conflict"
            )
        if slot == "pod":
            user: Json = target.get("spec") or {}
            name_of_account = account["metadata"]["name"]
            if user.get("serviceAccountName", "") != name_of_account:
                text = (
                    f'cannot bind token for serviceaccount "{name_of_account}" to pod running with different '
                    "serviceaccount name."
                )
                raise TokenRefused(text, code=400, reason="BadRequest")
        private: Json = {slot: {"name": name, "uid": found}}
        if slot == "pod" and (target.get("spec") or {}).get("nodeName"):
            node_name = target["spec"]["nodeName"]
            node = self._lookup.get("", "Node", "", node_name)
            private["node"] = {"name": node_name} | ({"uid": node["metadata"].get("uid", "")} if node else {})
        return private

    def fill_secret(self, secret: Json, account: Json, ca_pem: bytes) -> bool:
        """Fill a `kubernetes.io/service-account-token` Secret in place; False when nothing was missing."""
        meta, data = secret["metadata"], secret.setdefault("data", {}) or {}
        secret["data"] = data
        owner = account["metadata"]
        wanted = {
            "ca.crt": base64.b64encode(ca_pem).decode(),
            "namespace": base64.b64encode(meta["namespace"].encode()).decode(),
        }
        changed = False
        for key, value in wanted.items():
            if data.get(key) != value:
                data[key] = value
                changed = True
        annotations: Json = meta.get("annotations") or {}
        meta["annotations"] = annotations
        if annotations.get(UID_ANNOTATION) != owner["uid"]:
            annotations[UID_ANNOTATION] = owner["uid"]
            changed = True
        if not data.get("token"):
            claims = {
                "iss": LEGACY_ISSUER,
                f"{_LEGACY}namespace": meta["namespace"],
                f"{_LEGACY}secret.name": meta["name"],
                f"{_LEGACY}service-account.name": owner["name"],
                f"{_LEGACY}service-account.uid": owner["uid"],
                "sub": f"system:serviceaccount:{meta['namespace']}:{owner['name']}",
            }
            data["token"] = base64.b64encode(self._key.token(claims).encode()).decode()
            changed = True
        return changed

    def _claims(self, token: str) -> Json | None:
        known = self._verified.get(token)
        if known is not None:
            return known
        claims = self._key.claims(token)
        if claims is None:
            return None
        if len(self._verified) >= _VERIFIED:
            self._verified.popitem(last=False)
        self._verified[token] = claims
        return claims

    def authenticate(self, token: str, audiences: tuple[str, ...] = ()) -> UserInfo | None:
        """The account that a token names; None when the token, its account or its bound object is not valid."""
        claims = self._claims(token)
        if claims is None:
            return None
        if claims.get("iss") == LEGACY_ISSUER:
            return self._legacy(claims, token)
        now = self._clock.now()
        if claims.get("iss") != self.issuer or not _in_time(claims, now):
            return None
        given = claims.get("aud") or []
        if not set(audiences or self.audiences) & set([given] if isinstance(given, str) else given):
            return None
        private: Json = claims.get("kubernetes.io") or {}
        namespace, account = private.get("namespace", ""), private.get("serviceaccount") or {}
        if not self._alive("ServiceAccount", namespace, account, now):
            return None
        extra: dict[str, tuple[str, ...]] = {}
        if claims.get("jti"):
            extra["authentication.kubernetes.io/credential-id"] = (f"JTI={claims['jti']}",)
        for slot, kind in (("pod", "Pod"), ("secret", "Secret"), ("node", "Node")):
            bound = private.get(slot)
            if not bound:
                continue
            checked = slot != "node" or "pod" not in private
            if checked and not self._alive(kind, "" if slot == "node" else namespace, bound, now):
                return None
            if slot != "secret":
                extra[f"authentication.kubernetes.io/{slot}-name"] = (bound.get("name", ""),)
                extra[f"authentication.kubernetes.io/{slot}-uid"] = (bound.get("uid", ""),)
        return account_user(namespace, account.get("name", ""), account.get("uid", ""), extra)

    def _legacy(self, claims: Json, token: str) -> UserInfo | None:
        namespace = claims.get(f"{_LEGACY}namespace", "")
        name, uid = claims.get(f"{_LEGACY}service-account.name", ""), claims.get(f"{_LEGACY}service-account.uid", "")
        secret = self._lookup.get("", "Secret", namespace, claims.get(f"{_LEGACY}secret.name", ""))
        if secret is None or secret["metadata"].get("deletionTimestamp"):
            return None
        held = (secret.get("data") or {}).get("token", "")
        if held != base64.b64encode(token.encode()).decode():
            return None
        if not self._alive("ServiceAccount", namespace, {"name": name, "uid": uid}, self._clock.now()):
            return None
        return account_user(namespace, name, uid)

    def _alive(self, kind: str, namespace: str, reference: Json, now: datetime) -> bool:
        """The object is there, is the same one, and is not long gone (a minute's grace after its deletion)."""
        found = self._lookup.get("", kind, namespace, reference.get("name", ""))
        if found is None or found["metadata"].get("uid") != reference.get("uid"):
            return False
        deleted = found["metadata"].get("deletionTimestamp")
        if not deleted:
            return True
        return now < datetime.fromisoformat(deleted).astimezone(UTC) + timedelta(seconds=60)


def _in_time(claims: Json, now: datetime) -> bool:
    moment = now.timestamp()
    return claims.get("nbf", 0) <= moment + 1 and moment < claims.get("exp", 0)


def account_user(namespace: str, name: str, uid: str, extra: dict[str, tuple[str, ...]] | None = None) -> UserInfo:
    """The user that a ServiceAccount is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return UserInfo(f"system:serviceaccount:{namespace}:{name}", groups, uid, extra or {})
