"""Certificates of gateways: the control plane's rights suffice on every rig, and who is no member gets none."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest
from cryptography import x509
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.routing import gateway_identity
from hansa.base.certificates import make_request
from hansa.install import enrol, objects
from hansa.kube.errors import Forbidden, NotFound
from hansa.service.identity.decision import USAGES

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


async def answered(rig: Rig, cluster: str) -> Json:
    """Status of that cluster's request."""
    obj = {
        "apiVersion": CSRS.api_version,
        "kind": CSRS.kind,
        "metadata": {"generateName": rig.name("gateway")},
        "spec": {
            "signerName": names.GATEWAY_SIGNER,
            "request": base64.b64encode(make_request()[1]).decode(),
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


async def test_an_identity_is_made_once_and_filled(rig: Rig) -> None:
    await installed(rig)
    access = await enrol.enrol(rig.hub, "member1", server="https://hub", authority=b"")
    assert access.token
    assert access.authority.startswith(b"-----BEGIN CERTIFICATE-----")
    assert await enrol.enrol(rig.hub, "member1", server="https://hub", authority=b"") == access
