"""Certificates of gateways: the control plane's rights suffice on every rig, and who is no member gets none."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.api.routing import gateway_identity
from hansa.base.certificates import make_request
from hansa.base.names import execution_namespace
from hansa.install import enrol, objects
from hansa.kube.errors import Forbidden, NotFound
from hansa.service.identity.decision import USAGES

SUBJECT_ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False)
CSRS = scheme.CERTIFICATE_SIGNING_REQUESTS


def acting_as(cluster: str) -> Mapping[str, str]:
    return {
        "content-type": "application/json",
        "impersonate-user": f"{names.MEMBER_USER_PREFIX}{cluster}",
        "impersonate-group": names.MEMBERS_GROUP,
    }


async def installed(rig: Rig) -> None:
    """What `hansa init` leaves on a hub for members; where it ran, it is there."""
    try:
        await rig.hub.get(scheme.CLUSTER_ROLES, enrol.ROLE)
    except NotFound:
        await _install(rig)


async def _install(rig: Rig) -> None:
    for obj in (objects.namespaces()[0], *enrol.permissions()):
        await rig.apply(obj)


async def answered(rig: Rig, cluster: str, request: bytes | None = None) -> Json:
    """Status of that cluster's request."""
    obj = {
        "apiVersion": CSRS.api_version,
        "kind": CSRS.kind,
        "metadata": {"generateName": rig.name("gateway")},
        "spec": {
            "signerName": names.GATEWAY_SIGNER,
            "request": base64.b64encode(request or make_request()[1]).decode(),
            "usages": list(USAGES),
        },
    }
    headers = acting_as(cluster)
    name = Item.parse((await rig.hub.raw("POST", CSRS.path(), headers=headers, body=Item.of(obj).raw)).body).meta.name
    found: list[Json] = []

    async def done() -> None:
        answer = await rig.hub.raw("GET", CSRS.path(name=name), headers=headers)
        status: Json = Item.parse(answer.body).json().get("status") or {}
        types = {one["type"] for one in status.get("conditions") or ()}
        assert status.get("certificate") or types & {"Denied", "Failed"}, status
        found.append(status)

    await rig.eventually(done)
    return found[-1]


async def test_members_get_their_own_certificate_and_strangers_none(rig: Rig) -> None:
    await installed(rig)
    status = await answered(rig, "member1")
    certificate = x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(alternative) == [x509.UniformResourceIdentifier(gateway_identity("member1"))]
    status = await answered(rig, "stranger")
    assert [(one["type"], one["reason"]) for one in status["conditions"]] == [("Denied", "NotAMember")]


async def test_members_read_whom_gateways_believe_and_nothing_else(rig: Rig) -> None:
    await installed(rig)
    await answered(rig, "member1")
    path = scheme.CONFIGMAPS.path(names.HANSA_NAMESPACE, names.GATEWAY_AUTHORITIES)
    answer = await rig.hub.raw("GET", path, headers=acting_as("member1"))
    assert "BEGIN CERTIFICATE" in Item.parse(answer.body).json()["data"]["ca.crt"]
    for path in (
        scheme.SECRETS.path(names.HANSA_NAMESPACE, names.GATEWAY_AUTHORITY),
        scheme.CLUSTERS.path(),
        CSRS.path(),
    ):
        with pytest.raises(Forbidden):
            await rig.hub.raw("GET", path, headers=acting_as("member1"))


async def test_a_member_cannot_get_the_certificate_of_another(rig: Rig) -> None:
    await installed(rig)
    wanted = x509.UniformResourceIdentifier(gateway_identity("member2"))
    status = await answered(rig, "member1", _request_for(wanted))
    (refused,) = [one for one in status["conditions"] if one["type"] in ("Denied", "Failed")]
    assert refused["reason"] == "UnfitRequest" and "other names than" in refused["message"]
    assert "certificate" not in status


def _request_for(name: x509.GeneralName) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    return request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)


async def test_a_member_reads_nothing_of_another_and_passes_for_nobody(rig: Rig) -> None:
    """What the others export is told to it in its own cluster; on the hub it sees none of it."""
    await installed(rig)
    other = execution_namespace("member2")
    for path in (
        *(r.path() for r in (scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS, scheme.ENDPOINT_SLICES, scheme.WORKS)),
        scheme.WORKS.path(other),
        scheme.LEASES.path(other, names.SERVICES_LEASE),
        scheme.CLUSTERS.path(name="member2"),
        scheme.SECRETS.path(names.HANSA_NAMESPACE, enrol.account_name("member2")),
        scheme.SECRETS.path("karmada-cluster", "member2"),
    ):
        with pytest.raises(Forbidden):
            await rig.hub.raw("GET", path, headers=acting_as("member1"))
    await enrol.enrol(rig.hub, "member1", server="https://hub", authority=b"")

    async def may_pass_for(kind: str, name: str) -> bool:
        """Whether the account of member1 may impersonate them."""
        asked: Json = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{names.HANSA_NAMESPACE}:{enrol.account_name('member1')}",
                "groups": ["system:serviceaccounts", "system:authenticated"],
                "resourceAttributes": {"verb": "impersonate", "resource": kind, "name": name},
            },
        }
        answer = await rig.hub.raw("POST", SUBJECT_ACCESS_REVIEWS.path(), body=json.dumps(asked).encode())
        return json.loads(answer.body)["status"]["allowed"]

    async def itself() -> None:
        assert await may_pass_for("users", f"{names.MEMBER_USER_PREFIX}member1")

    await rig.eventually(itself)
    assert not await may_pass_for("users", f"{names.MEMBER_USER_PREFIX}member2")
    assert not await may_pass_for("users", "admin")
    assert not await may_pass_for("groups", "system:masters")


async def test_an_identity_is_made_once_and_filled(rig: Rig) -> None:
    await installed(rig)
    access = await enrol.enrol(rig.hub, "member1", server="https://hub", authority=b"")
    assert access.token
    assert access.authority.startswith(b"-----BEGIN CERTIFICATE-----")
    assert await enrol.enrol(rig.hub, "member1", server="https://hub", authority=b"") == access
