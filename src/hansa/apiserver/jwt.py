"""JSON web tokens: claims, signed by a key of ours."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from hansa.api.meta import Json


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class SigningKey:
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

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        assert isinstance(self._private, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def _verify(self, data: bytes, signature: bytes) -> bool:
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

    def token(self, claims: Json) -> str:
        head = {"alg": self.algorithm, "kid": self.id}
        body = f"{_b64(msgspec.json.encode(head))}.{_b64(msgspec.json.encode(claims))}"
        return f"{body}.{_b64(self._sign(body.encode()))}"

    def claims(self, token: str) -> Json | None:
        """Of a token that this key has signed; None of any other text."""
        try:
            head, payload, signature = token.split(".")
            header = msgspec.json.decode(_unb64(head), type=dict[str, Any])
            claims = msgspec.json.decode(_unb64(payload), type=dict[str, Any])
            raw = _unb64(signature)
        except (ValueError, msgspec.DecodeError):
            return None
        if header.get("alg") != self.algorithm or not self._verify(f"{head}.{payload}".encode(), raw):
            return None
        return claims
