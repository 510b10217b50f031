"""Certificate authorities and the certificates they sign, as PEM bytes. ECDSA P-256 throughout.

Keys are written nowhere here: callers keep them, in files of mode 0600 or in Secrets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATED = timedelta(minutes=5)
"""Certificates begin this long before they were made, for clocks that run behind."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM. The key never appears in a repr."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"KeyPair({subject_of(self.certificate)})"


def make_authority(common_name: str, now: datetime, *, days: int = 3650) -> KeyPair:
    """A self-signed CA that may sign leaf certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _builder(name, name, key.public_key(), now, timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def issue_server(authority: KeyPair, names: Sequence[str], now: datetime, *, days: int = 365) -> KeyPair:
    """A serving certificate for DNS names and IP addresses; the first is its common name."""
    return _issue(authority, names[0], (), names, ExtendedKeyUsageOID.SERVER_AUTH, now, days)


def issue_client(authority: KeyPair, user: str, groups: Sequence[str], now: datetime, *, days: int = 365) -> KeyPair:
    """A client certificate as API servers read it: common name = user, organizations = groups."""
    return _issue(authority, user, groups, (), ExtendedKeyUsageOID.CLIENT_AUTH, now, days)


def make_request() -> tuple[bytes, bytes]:
    """A new key, and a request for a certificate of it that names nobody. Both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return _private_pem(key), request.public_bytes(serialization.Encoding.PEM)


def request_fault(request: bytes, uri: str) -> str:
    """Why no certificate that names `uri` alone should be issued for a request (PEM); empty when one may."""
    try:
        read = x509.load_pem_x509_csr(request)
        if not read.is_signature_valid:
            return "the request is not signed by its own key"
        key = read.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            return "the key must be an ECDSA key on P-256"
        asked = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    except ValueError as error:
        return f"the request cannot be read: {error}"
    if list(asked) != [x509.UniformResourceIdentifier(uri)]:
        return f"it asks for other names than {uri}; leave them out"
    return ""


def issue_uri(authority: KeyPair, request: bytes, uri: str, now: datetime, lifetime: timedelta) -> bytes:
    """A certificate (PEM) for client and server, with `uri` as its only name. Of the request its key is taken, nothing
    else. It ends with its authority at the latest."""
    issuer, issuer_key = _signer(authority)
    key = x509.load_pem_x509_csr(request).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("the request's key is not an ECDSA key")
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    lifetime = min(lifetime, issuer.not_valid_after_utc - now)
    builder = _leaf(x509.Name([]), issuer.subject, issuer_key, key, purposes, now, lifetime)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
    # critical, because there is no subject (RFC 5280, 4.2.1.6)
    certificate = builder.add_extension(names, critical=True).sign(issuer_key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def belong_together(certificate: bytes, key: bytes) -> bool:
    """Whether a certificate (the first one in a PEM chain) is that of a private key."""
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
        return public == serialization.load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError):
        return False


def begins_at(certificate: bytes) -> datetime:
    """Beginning of validity, in UTC."""
    return x509.load_pem_x509_certificate(certificate).not_valid_before_utc


def subject_of(certificate: bytes) -> str:
    """The subject in RFC 4514 form."""
    return x509.load_pem_x509_certificate(certificate).subject.rfc4514_string()


def expires_at(certificate: bytes) -> datetime:
    """End of validity, in UTC."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def first_certificate(bundle: bytes) -> bytes:
    """The first of several PEM certificates; empty when there is none."""
    end = b"-----END CERTIFICATE-----\n"
    before, found, _ = bundle.partition(end)
    return before + found if found else b""


def make_signing_key() -> bytes:
    """A private key for ServiceAccount tokens (ES256), PEM."""
    return _private_pem(ec.generate_private_key(ec.SECP256R1()))


def public_half(private_key: bytes) -> bytes:
    """The public key of a private one, both PEM."""
    key = serialization.load_pem_private_key(private_key, None)
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _issue(
    authority: KeyPair,
    common_name: str,
    organizations: Sequence[str],
    names: Sequence[str],
    purpose: x509.ObjectIdentifier,
    now: datetime,
    days: int,
) -> KeyPair:
    issuer, issuer_key = _signer(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
        + [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )
    lifetime = timedelta(days=days)
    builder = _leaf(subject, issuer.subject, issuer_key, key.public_key(), [purpose], now, lifetime)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def _signer(authority: KeyPair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an ECDSA key")
    return x509.load_pem_x509_certificate(authority.certificate), key


def _leaf(
    subject: x509.Name,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePublicKey,
    purposes: Sequence[x509.ObjectIdentifier],
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        _builder(subject, issuer, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
