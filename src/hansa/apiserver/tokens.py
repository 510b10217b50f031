"""ServiceAccount tokens: JWTs that name an account and may be bound to an object (authentication.k8s.io/v1).

Claims as those of kube-apiserver: `iss`, `sub`, `aud`, `exp`, `iat`, `nbf`, `jti` and `kubernetes.io` with namespace,
serviceaccount, and pod, secret or node. Tokens of `kubernetes.io/service-account-token` Secrets carry the older flat
claims, do not expire, and are valid as long as the Secret holds them.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from hansa.api.meta import Json
from hansa.apiserver.builtin.lookup import Lookup
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


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class _Key:
    """One signing key: RSA for RS256, P-256 for ES256."""

    def __init__(self, private_key_pem: bytes) -> None:
        key = serialization.load_pem_private_key(private_key_pem, None)
        if isinstance(key, rsa.RSAPrivateKey):
            self.algorithm = "RS256"
        elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            self.algorithm = "ES256"
        else:
            raise ValueError("a token key must be RSA or P-256")
        self._private = key
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.id = _b64(sha256(public).digest())

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        assert isinstance(self._private, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def verify(self, data: bytes, signature: bytes) -> bool:
        try:
            if isinstance(self._private, rsa.RSAPrivateKey):
                self._private.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            else:
                assert isinstance(self._private, ec.EllipticCurvePrivateKey)
                r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
                if len(signature) != 64:
                    return False
                self._private.public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> Json:
        """The public half as a JSON Web Key."""
        head = {"use": "sig", "kid": self.id, "alg": self.algorithm}
        if isinstance(self._private, rsa.RSAPrivateKey):
            numbers = self._private.public_key().public_numbers()
            n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
            return {"kty": "RSA", "n": _b64(n), "e": _b64(numbers.e.to_bytes(3)), **head}
        assert isinstance(self._private, ec.EllipticCurvePrivateKey)
        point = self._private.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _b64(point.x.to_bytes(32)), "y": _b64(point.y.to_bytes(32)), **head}


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
        self._key = _Key(private_key_pem)
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
            "status": {"token": self._sign(claims), "expirationTimestamp": rfc3339(expires)},
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
            data["token"] = base64.b64encode(self._sign(claims).encode()).decode()
            changed = True
        return changed

    def _sign(self, claims: Json) -> str:
        head = {"alg": self._key.algorithm, "kid": self._key.id}
        body = f"{_b64(msgspec.json.encode(head))}.{_b64(msgspec.json.encode(claims))}"
        return f"{body}.{_b64(self._key.sign(body.encode()))}"

    def _claims(self, token: str) -> Json | None:
        known = self._verified.get(token)
        if known is not None:
            return known
        try:
            head, payload, signature = token.split(".")
            header = msgspec.json.decode(_unb64(head), type=dict[str, Any])
            claims = msgspec.json.decode(_unb64(payload), type=dict[str, Any])
            raw = _unb64(signature)
        except (ValueError, msgspec.DecodeError):
            return None
        if header.get("alg") != self._key.algorithm or not self._key.verify(f"{head}.{payload}".encode(), raw):
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
