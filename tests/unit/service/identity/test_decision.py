"""Who gets which certificate: the name comes from who asks, never from what is asked."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hansa.base.certificates import issue_uri, make_authority, make_request
from hansa.service.identity.decision import USAGES, Issue, Refuse, decide

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OWN = "spiffe://clusterset.local/cluster/a/gateway"
OTHER = "spiffe://clusterset.local/cluster/b/gateway"


def csr(*names: x509.GeneralName, subject: str = "", key: Any = None) -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def spec(request: bytes | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "username": "hansa:cluster:a",
        "groups": ["hansa:clusters", "system:authenticated"],
        "usages": list(USAGES),
        "request": base64.b64encode(make_request()[1] if request is None else request).decode(),
        **changes,
    }


def refused(given: dict[str, Any], *, is_member: bool = True) -> str:
    decision = decide(given, is_member=is_member)
    assert isinstance(decision, Refuse)
    return decision.reason


def issued(given: dict[str, Any]) -> x509.Certificate:
    decision = decide(given, is_member=True)
    assert isinstance(decision, Issue)
    authority = make_authority("test", NOW)
    pem = issue_uri(authority, decision.request, decision.uri, NOW, decision.lifetime)
    return x509.load_pem_x509_certificate(pem)


def test_a_member_gets_its_own_name_and_nothing_else_of_what_it_asks() -> None:
    certificate = issued(spec(csr(subject="system:admin")))
    assert certificate.subject == x509.Name([])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(names.value) == [x509.UniformResourceIdentifier(OWN)]
    assert names.critical
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_after_utc == NOW + timedelta(hours=24)


def test_its_own_name_may_be_asked_for() -> None:
    assert isinstance(decide(spec(csr(x509.UniformResourceIdentifier(OWN))), is_member=True), Issue)


@pytest.mark.parametrize(
    "names",
    [
        (x509.UniformResourceIdentifier(OTHER),),
        (x509.UniformResourceIdentifier(OWN), x509.UniformResourceIdentifier(OTHER)),
        (x509.DNSName("kubernetes"),),
    ],
)
def test_other_names_are_refused(names: tuple[x509.GeneralName, ...]) -> None:
    assert refused(spec(csr(*names))) == "UnfitRequest"


@pytest.mark.parametrize(
    "who",
    [
        {"username": "system:admin"},
        {"username": "hansa:cluster:"},
        {"groups": ["system:masters"]},
        {"groups": None},
        {"username": "system:serviceaccount:hansa:cluster:a"},
    ],
)
def test_only_clusters_may_ask(who: dict[str, Any]) -> None:
    assert refused(spec(**who)) == "NotACluster"


def test_who_is_no_member_gets_none() -> None:
    assert refused(spec(), is_member=False) == "NotAMember"


def test_unfit_requests_are_refused() -> None:
    assert refused(spec(usages=["client auth", "cert sign"])) == "UnwantedUsage"
    assert refused(spec(request=b"no request")) == "UnfitRequest"
    assert refused(spec(request=csr(key=rsa.generate_private_key(65537, 2048)))) == "UnfitRequest"
    assert refused(spec(request=csr(key=ec.generate_private_key(ec.SECP384R1())))) == "UnfitRequest"
    assert refused(spec() | {"request": "???"}) == "UnfitRequest"


def test_a_shorter_life_may_be_asked_for_but_no_longer_one() -> None:
    assert issued(spec(expirationSeconds=600)).not_valid_after_utc == NOW + timedelta(minutes=10)
    assert issued(spec(expirationSeconds=10**7)).not_valid_after_utc == NOW + timedelta(hours=24)
