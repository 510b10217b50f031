"""Certificates of gateways: members ask as themselves, the control plane answers with the rights of its account."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from cryptography import x509
from tests.support.federation import Federation, Wire, running

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.apiserver.embedded import Keys
from hansa.apiserver.message import UserInfo
from hansa.base.certificates import expires_at, make_authority, make_request, subject_of
from hansa.install import enrol, objects
from hansa.kube.client import Client
from hansa.kube.errors import Forbidden, NotFound
from hansa.service.identity import authority
from hansa.service.identity.decision import USAGES
from hansa.service.identity.keeper import Identity, Keeper

pytestmark = pytest.mark.looptime(resolution=2**-20)
ACCOUNT = UserInfo(objects.ACCOUNT_USER, ("system:serviceaccounts", "system:authenticated"))
CSRS = scheme.CERTIFICATE_SIGNING_REQUESTS


def as_member(federation: Federation, name: str) -> Client:
    user = UserInfo(f"{names.MEMBER_USER_PREFIX}{name}", (names.MEMBERS_GROUP, "system:authenticated"))
    return Client(Wire("hub", federation.servers["hub"], user=user), qps=0)


@pytest.fixture
async def federation(server_keys: Keys) -> AsyncGenerator[Federation, None]:
    """Installed as `hansa init` does; the control plane has its account's rights."""
    async with running(server_keys, all_crds(), speaks_kubefed=False, hub_user=ACCOUNT) as built:
        wanted = [*objects.namespaces(), objects.account(), *objects.permissions(), *enrol.permissions()]
        have = {("Namespace", "karmada-cluster"), ("Namespace", "kube-federation-system")}
        await built.apply(*(one for one in wanted if (one["kind"], one["metadata"]["name"]) not in have))
        await built.restart()
        await built.join("member1", "member2")
        await built.clients["member1"].create(
            scheme.NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.HANSA_NAMESPACE}}
        )
        yield built


def csr(name: str = "r", request: bytes | None = None) -> Json:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "signerName": names.GATEWAY_SIGNER,
            "request": base64.b64encode(request or make_request()[1]).decode(),
            "usages": list(USAGES),
            # whoever asks is who the server says
            "username": "hansa:cluster:member2",
            "groups": [names.MEMBERS_GROUP],
        },
    }


async def answered(federation: Federation, by: Client, obj: Json) -> Json:
    """Status of a request some time after it was made."""
    name = (await by.create(CSRS, obj)).meta.name
    await asyncio.sleep(5)
    return (await federation.hub.get(CSRS, name)).json()["status"]


def names_of(certificate: bytes) -> list[str]:
    read = x509.load_pem_x509_certificate(certificate)
    return read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.UniformResourceIdentifier
    )


async def test_a_member_gets_a_certificate_of_its_own_name(federation: Federation) -> None:
    status = await answered(federation, as_member(federation, "member1"), csr())
    assert [one["type"] for one in status["conditions"]] == ["Approved"]
    certificate = base64.b64decode(status["certificate"])
    assert names_of(certificate) == ["spiffe://clusterset.local/cluster/member1/gateway"]
    known = await authority.read(federation.hub)
    assert known is not None
    x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(
        x509.load_pem_x509_certificate(known.pair.certificate)
    )


async def test_nobody_else_gets_one(federation: Federation) -> None:
    """Not an administrator, not a cluster that never joined, not one that leaves."""
    for by, reason in ((federation.hub, "NotACluster"), (as_member(federation, "stranger"), "NotAMember")):
        status = await answered(federation, by, csr(f"r-{reason.lower()}"))
        (condition,) = status["conditions"]
        assert (condition["type"], condition["reason"]) == ("Denied", reason)
        assert condition["message"]
        assert "certificate" not in status
    await federation.hub.delete(scheme.CLUSTERS, "member2")
    await asyncio.sleep(60)
    assert (await answered(federation, as_member(federation, "member2"), csr("left")))["conditions"][0][
        "type"
    ] == "Denied"


async def test_what_somebody_approved_by_hand_is_looked_at_again(federation: Federation) -> None:
    await federation.plane.stop()
    await federation.hub.create(CSRS, csr())
    approval = {"type": "Approved", "status": "True", "reason": "ByHand"}
    await federation.hub.patch(CSRS, "r", None, {"status": {"conditions": [approval]}}, subresource="approval")
    await federation.restart()
    await asyncio.sleep(10)
    status = (await federation.hub.get(CSRS, "r")).json()["status"]
    assert [one["type"] for one in status["conditions"]] == ["Approved", "Failed"]
    assert "certificate" not in status


async def test_requests_for_other_signers_are_left_alone(federation: Federation) -> None:
    other = csr()
    other["spec"]["signerName"] = "kubernetes.io/kube-apiserver-client"
    assert await answered(federation, federation.hub, other) == {}


async def test_members_may_do_nothing_else_on_the_hub(federation: Federation) -> None:
    await answered(federation, as_member(federation, "member1"), csr())
    member = as_member(federation, "member2")
    with pytest.raises(Forbidden):
        await member.list(CSRS)
    with pytest.raises(Forbidden):
        await member.delete(CSRS, "r")
    with pytest.raises(Forbidden):
        await member.get(scheme.SECRETS, names.GATEWAY_AUTHORITY, names.HANSA_NAMESPACE)
    with pytest.raises(Forbidden):
        await member.list(scheme.CLUSTERS)
    with pytest.raises(Forbidden):
        await member.patch(CSRS, "r", None, {"status": {"conditions": []}}, subresource="approval")


async def test_requests_go_when_they_are_done(federation: Federation) -> None:
    await answered(federation, as_member(federation, "member1"), csr())
    await asyncio.sleep(3700)
    with pytest.raises(NotFound):
        await federation.hub.get(CSRS, "r")


async def test_a_gateway_always_has_a_certificate(federation: Federation, tmp_path: Path) -> None:
    """Asked for, kept on disk and in the member, renewed at two thirds, used again after a restart without the hub."""
    used: list[Identity] = []
    hub, member = as_member(federation, "member1"), federation.clients["member1"]
    task = asyncio.create_task(Keeper(hub, member, tmp_path, federation.clock, used.append).run())
    await asyncio.sleep(10)
    (first,) = used
    assert names_of(first.pair.certificate) == ["spiffe://clusterset.local/cluster/member1/gateway"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    secret = (await member.get(scheme.SECRETS, names.GATEWAY_IDENTITY, names.HANSA_NAMESPACE)).json()["data"]
    assert base64.b64decode(secret["tls.crt"]) == first.pair.certificate

    await asyncio.sleep(15 * 3600)
    assert len(used) == 1
    await asyncio.sleep(2 * 3600)
    assert len(used) == 2, "not renewed at two thirds of 24 hours"
    assert expires_at(used[1].pair.certificate) > expires_at(first.pair.certificate)
    task.cancel()

    hub.transport.cut = True  # type: ignore[attr-defined]
    again: list[Identity] = []
    task = asyncio.create_task(Keeper(hub, member, tmp_path, federation.clock, again.append).run())
    await asyncio.sleep(1)
    assert again == [used[1]]
    task.cancel()
    elsewhere: list[Identity] = []
    (tmp_path / "new").mkdir()
    task = asyncio.create_task(Keeper(hub, member, tmp_path / "new", federation.clock, elsewhere.append).run())
    await asyncio.sleep(10)
    assert elsewhere == [used[1]], "what lies in the member serves a gateway on another machine"
    task.cancel()


async def test_a_certificate_outlives_an_outage_that_begins_when_it_is_due(
    federation: Federation, tmp_path: Path
) -> None:
    """Eight hours are left at the least."""
    used: list[Identity] = []
    hub, member = as_member(federation, "member1"), federation.clients["member1"]
    task = asyncio.create_task(Keeper(hub, member, tmp_path, federation.clock, used.append).run())
    await asyncio.sleep(16 * 3600 - 60)
    (first,) = used
    hub.transport.cut = True  # type: ignore[attr-defined]
    await asyncio.sleep(8 * 3600)
    assert used == [first]
    assert expires_at(first.pair.certificate) > federation.clock.now()
    hub.transport.cut = False  # type: ignore[attr-defined]
    await asyncio.sleep(2 * 60)
    assert len(used) == 2
    task.cancel()


async def test_a_request_that_nobody_answers_is_waited_for_and_not_made_again(
    federation: Federation, tmp_path: Path
) -> None:
    await federation.plane.stop()
    used: list[Identity] = []
    hub, member = as_member(federation, "member1"), federation.clients["member1"]
    task = asyncio.create_task(Keeper(hub, member, tmp_path, federation.clock, used.append).run())
    await asyncio.sleep(1800)
    (pending,) = (await federation.hub.list(CSRS)).items
    await federation.restart()
    await asyncio.sleep(180)
    assert len(used) == 1
    assert [item.key for item in (await federation.hub.list(CSRS)).items] == [pending.key]
    task.cancel()


async def test_one_authority_follows_another(federation: Federation, tmp_path: Path) -> None:
    """The next one is believed before it signs."""
    await federation.restart()  # within the test, so that its timers are virtual
    used: list[Identity] = []
    keeper = Keeper(
        as_member(federation, "member1"), federation.clients["member1"], tmp_path, federation.clock, used.append
    )
    task = asyncio.create_task(keeper.run())
    await asyncio.sleep(10)
    following = make_authority("next", federation.clock.now())
    former = used[0].authorities
    await _patch_authority(federation, {"ca.crt": former + following.certificate})
    await asyncio.sleep(180)
    assert used[-1].authorities == former + following.certificate
    assert used[-1].pair == used[0].pair
    await _patch_authority(federation, {"tls.crt": following.certificate, "tls.key": following.key})
    await asyncio.sleep(17 * 3600)
    issuer = x509.load_pem_x509_certificate(used[-1].pair.certificate).issuer.rfc4514_string()
    assert issuer == subject_of(following.certificate)
    task.cancel()


async def _patch_authority(federation: Federation, data: dict[str, bytes]) -> Item:
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    return await federation.hub.patch(scheme.SECRETS, names.GATEWAY_AUTHORITY, names.HANSA_NAMESPACE, {"data": encoded})


async def test_an_identity_on_the_hub_acts_as_the_member_and_goes_with_it(federation: Federation) -> None:
    access = await enrol.enrol(federation.hub, "member1", server="https://hub", authority=b"")
    assert await enrol.enrol(federation.hub, "member1", server="https://hub", authority=b"") == access
    assert access.authority == federation.servers["hub"].context.ca_certificate
    user = access.kubeconfig()["users"][0]["user"]
    headers = {
        "authorization": f"Bearer {user['token']}",
        "impersonate-user": user["as"],
        "impersonate-group": user["as-groups"][0],
    }
    anybody = Client(Wire("hub", federation.servers["hub"], user=None), qps=0)  # type: ignore[arg-type]
    path = CSRS.path()
    body = Item.of(csr()).raw
    created = await anybody.raw("POST", path, headers=headers, body=body)
    assert Item.parse(created.body).json()["spec"]["username"] == "hansa:cluster:member1"
    with pytest.raises(Forbidden):
        await anybody.raw("POST", path, headers=headers | {"impersonate-user": "hansa:cluster:member2"}, body=body)
    with pytest.raises(Forbidden):
        await anybody.raw("POST", path, headers={"authorization": headers["authorization"]}, body=body)
    await federation.hub.delete(scheme.CLUSTERS, "member1")
    await asyncio.sleep(60)
    with pytest.raises(NotFound):
        await federation.hub.get(scheme.SERVICE_ACCOUNTS, enrol.account_name("member1"), names.HANSA_NAMESPACE)
    assert await federation.get("hub", scheme.CLUSTER_ROLES, "hansa:cluster:member1") is None


def test_tokens_are_not_shown() -> None:
    assert "secret" not in repr(enrol.HubAccess("a", "https://hub", b"", "secret"))
