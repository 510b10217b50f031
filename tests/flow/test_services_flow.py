"""Services when something fails: members that cannot be asked, restarts, clusters that leave, others' definitions."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator

import pytest
from tests.flow.test_permissions_flow import granted, refusals
from tests.support.federation import Federation, Tap, running
from tests.support.objects import metadata
from tests.support.services import (
    HELLO_PORTS,
    as_v1alpha1,
    by_type,
    endpoint,
    export,
    routing_policy,
    service_import,
    slice_by_hand,
)

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.apiserver.embedded import Keys
from hansa.app.services import Holdings, holdings
from hansa.kube.client import PatchKind
from hansa.kube.transport import Answer
from hansa.service import aggregate
from hansa.service.definitions import definition_of
from hansa.service.publish import PACE_SECONDS

pytestmark = pytest.mark.looptime(resolution=2**-20)
MEMBERS = ("member1", "member2", "member3")
SPACE = "shop"
FLAT = {names.NETWORK_ANNOTATION: "flat"}


@pytest.fixture
async def federation(server_keys: Keys) -> AsyncGenerator[Federation, None]:
    async with running(server_keys, all_crds(), speaks_kubefed=False, serves_services=True) as built:
        yield built


async def start(federation: Federation) -> None:
    """Three members of one network with namespace `shop`."""
    await federation.join(*MEMBERS)
    for member in MEMBERS:
        await federation.hub.patch(scheme.CLUSTERS, member, None, {"metadata": {"annotations": FLAT}})
        await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}, server=member)
    await federation.settle()


def service(**spec: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata("hello", SPACE),
        "spec": {"ports": [HELLO_PORTS[0]], **spec},
    }


def slice_(*addresses: str) -> Json:
    return slice_by_hand(SPACE, [endpoint(address) for address in addresses], name="hello-1")


async def exports(federation: Federation, member: str, address: str, **spec: object) -> None:
    await federation.apply(service(**spec), slice_(address), export(SPACE), server=member)
    await federation.settle()


async def imported(federation: Federation, member: str) -> Json | None:
    return await federation.get(member, scheme.SERVICE_IMPORTS, "hello", SPACE)


async def exporters(federation: Federation, member: str) -> list[str]:
    found = await imported(federation, member)
    return [entry["cluster"] for entry in ((found or {}).get("status") or {}).get("clusters") or ()]


async def addresses(federation: Federation, member: str) -> list[str]:
    """Of ready endpoints in imported slices."""
    page = await federation.clients[member].list(scheme.ENDPOINT_SLICES, SPACE, labels=names.IMPORT_NAME_LABEL)
    return sorted(
        address
        for item in page.items
        for endpoint in item.json()["endpoints"]
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    )


async def test_a_restart_with_nothing_changed_writes_nothing(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    await exports(federation, "member2", "10.2.0.1", internalTrafficPolicy="Local")
    await federation.restart()
    await federation.settle(12)
    assert federation.plane.writes == []


async def test_pods_that_go_one_after_the_other_are_told_within_a_second(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    for left in (("10.1.0.2", "10.1.0.3"), ("10.1.0.3",), ("10.1.0.4",)):
        await federation.apply(slice_(*left), server="member1")
        await asyncio.sleep(0.1)
    assert await addresses(federation, "member3") == ["10.1.0.2", "10.1.0.3"], "the first at once"
    await asyncio.sleep(1.0)
    assert await addresses(federation, "member3") == ["10.1.0.4"], "the others together"


async def test_endpoints_that_come_just_after_the_export_do_not_wait(federation: Federation) -> None:
    await start(federation)
    await federation.apply(service(), export(SPACE), server="member1")
    await asyncio.sleep(0.3)
    assert await imported(federation, "member3") is not None
    await federation.apply(slice_("10.1.0.1"), server="member1")
    await asyncio.sleep(0.1)
    assert await addresses(federation, "member3") == ["10.1.0.1"]


@pytest.mark.parametrize("restart", [False, True])
async def test_who_cannot_be_reached_keeps_its_share(federation: Federation, restart: bool) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    federation.cut("member1")
    if restart:
        await federation.restart()
    await federation.settle(30)
    await exports(federation, "member2", "10.2.0.1", ports=[{"name": "more", "port": 43, "targetPort": 8081}])
    for member in ("member2", "member3"):
        assert await addresses(federation, member) == ["10.1.0.1"]  # member2's slice has no port of that name
        assert await exporters(federation, member) == ["member1", "member2"]
        found = await imported(federation, member)
        assert found and [port["name"] for port in found["spec"]["ports"]] == ["tcp", "more"]
    await federation.clients["member2"].delete(scheme.SERVICE_EXPORTS, "hello", SPACE)
    await federation.settle(15)
    for member in ("member2", "member3"):
        assert await addresses(federation, member) == ["10.1.0.1"]
        assert await exporters(federation, member) == ["member1"]
    await federation.clients["member1"].delete(scheme.SERVICE_EXPORTS, "hello", SPACE)
    await federation.settle(15)
    assert await exporters(federation, "member3") == ["member1"]
    federation.cut("member1", False)
    await federation.settle(60)
    for member in MEMBERS:
        assert await imported(federation, member) is None
        assert await addresses(federation, member) == []


async def test_who_imports_and_cannot_be_reached_is_brought_up_to_date_later(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    federation.cut("member3")
    await federation.apply(slice_("10.1.0.2"), server="member1")
    await federation.settle(15)
    assert await addresses(federation, "member2") == ["10.1.0.2"]
    assert await addresses(federation, "member3") == ["10.1.0.1"]
    federation.cut("member3", False)
    await federation.settle(60)
    assert await addresses(federation, "member3") == ["10.1.0.2"]


async def test_a_member_whose_answers_are_errors_keeps_its_share(server_keys: Keys) -> None:
    """After a restart its lists fail: nothing is known of it, which is not that it has nothing."""

    class Refuses(Tap):
        broken = False

        def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
            if self.broken and server == "member1" and "serviceexports" in path:
                return Answer(500, {}, b'{"kind":"Status","reason":"InternalError","code":500,"message":"broken"}')
            return None

    tap = Refuses()
    async with running(server_keys, all_crds(), speaks_kubefed=False, serves_services=True, tap=tap) as federation:
        await start(federation)
        await exports(federation, "member1", "10.1.0.1")
        tap.broken = True
        await federation.restart()
        await federation.settle(60)
        for member in MEMBERS:
            assert await addresses(federation, member) == ["10.1.0.1"]
            assert await exporters(federation, member) == ["member1"]


async def test_what_only_a_slow_member_exports_is_found(server_keys: Keys) -> None:
    """Its exports are listed long before the rest of what must be known of it."""

    class Slow(Tap):
        held = True

        def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
            if self.held and server == "member1" and "/namespaces" in path:
                return Answer(503, {}, b'{"kind":"Status","reason":"ServiceUnavailable","code":503,"message":"later"}')
            return None

    tap = Slow()
    async with running(server_keys, all_crds(), speaks_kubefed=False, serves_services=True, tap=tap) as federation:
        await federation.apply(definition_of(scheme.SERVICE_EXPORTS), server="member1")
        await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}, server="member1")
        await federation.apply(service(), slice_("10.1.0.1"), export(SPACE), server="member1")
        await federation.join(*MEMBERS)
        await asyncio.sleep(10)
        tap.held = False
        await asyncio.sleep(60)
        assert await exporters(federation, "member1") == ["member1"]


async def test_a_member_that_refuses_the_derived_service_says_so_and_holds_nobody_up(server_keys: Keys) -> None:
    class Refuses(Tap):
        def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
            if (server, method) == ("member2", "POST") and path.endswith("/services"):
                message = 'Service "derived-hello" is invalid: spec.ports[0].port: not to our liking'
                said = f'{{"kind":"Status","reason":"Invalid","code":422,"message":{json.dumps(message)}}}'
                return Answer(422, {}, said.encode())
            return None

    async with running(
        server_keys, all_crds(), speaks_kubefed=False, serves_services=True, tap=Refuses()
    ) as federation:
        await start(federation)
        await exports(federation, "member1", "10.1.0.1")
        found = await imported(federation, "member2")
        assert found
        ready = by_type(found)["Ready"]
        assert (ready["status"], ready["reason"]) == ("False", "Pending")
        assert "not to our liking" in ready["message"]
        exported = await federation.get("member1", scheme.SERVICE_EXPORTS, "hello", SPACE)
        assert exported and "member2: " in by_type(exported)["Ready"]["message"]
        other = await imported(federation, "member3")
        assert other and by_type(other)["Ready"]["status"] == "True"


async def test_a_cluster_that_leaves_is_drained_and_gives_its_imports_back(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    await exports(federation, "member2", "10.2.0.1")
    cluster = await federation.get("hub", scheme.CLUSTERS, "member1")
    assert cluster and names.SERVICES_FINALIZER in cluster["metadata"]["finalizers"]
    await federation.hub.delete(scheme.CLUSTERS, "member1")
    await federation.settle(15)
    assert await federation.get("hub", scheme.CLUSTERS, "member1") is None
    assert await imported(federation, "member1") is None
    assert await federation.get("member1", scheme.SERVICE_EXPORTS, "hello", SPACE) is not None
    for member in ("member2", "member3"):
        assert await addresses(federation, member) == ["10.2.0.1"]
        assert await exporters(federation, member) == ["member2"]


async def on_hub(federation: Federation) -> list[str]:
    label = f"{names.MANAGED_BY_LABEL}={names.KARMADA_SLICE_MANAGER}"
    page = await federation.hub.list(scheme.ENDPOINT_SLICES, SPACE, labels=label)
    return sorted(endpoint["addresses"][0] for item in page.items for endpoint in item.json()["endpoints"])


async def imports_on_hub(federation: Federation) -> None:
    labels = {names.SKIP_AUTO_PROPAGATION_LABEL: "true"}
    space: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}}
    imported = service_import(SPACE, type="ClusterSetIP", ports=[{"name": "tcp", "port": 42}])
    await federation.apply(space, imported)
    await federation.settle(12)


async def test_slices_on_the_hub_outlive_a_restart_while_their_cluster_is_away(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    await exports(federation, "member2", "10.2.0.1")
    await imports_on_hub(federation)
    assert await on_hub(federation) == ["10.1.0.1", "10.2.0.1"]
    federation.cut("member1")
    await federation.restart()
    await federation.settle(30)
    await federation.apply(slice_("10.2.0.2"), server="member2")
    await federation.settle(30)
    assert await on_hub(federation) == ["10.1.0.1", "10.2.0.2"]


async def test_what_was_exported_before_a_restart_leaves_the_hub(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    await imports_on_hub(federation)
    await federation.plane.stop()
    await federation.clients["member1"].delete(scheme.SERVICE_EXPORTS, "hello", SPACE)
    await federation.restart()
    await federation.settle(15)
    assert await on_hub(federation) == []


async def test_a_cluster_that_leaves_and_cannot_be_reached_holds_nobody_up(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    federation.cut("member1")
    await federation.settle(60)
    await federation.hub.delete(scheme.CLUSTERS, "member1")
    await federation.settle(30)
    assert await federation.get("hub", scheme.CLUSTERS, "member1") is None
    for member in ("member2", "member3"):
        assert await imported(federation, member) is None


async def test_lost_credentials_take_nothing_away(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    await federation.hub.patch(scheme.CLUSTERS, "member1", None, {"spec": {"secretRef": None}})
    await federation.settle(30)
    for member in MEMBERS:
        assert await addresses(federation, member) == ["10.1.0.1"]


async def test_definitions_of_somebody_else_stay_as_they_are(federation: Federation) -> None:
    newer = definition_of(scheme.SERVICE_IMPORTS)
    newer["metadata"]["labels"] = {"multicluster.x-k8s.io/crd-schema-revision": "99"}
    older = as_v1alpha1(definition_of(scheme.SERVICE_EXPORTS))
    older["metadata"].pop("labels")
    await federation.apply(newer, older, server="member1")
    await federation.settle()
    await start(federation)
    for document in (newer, older):
        name = document["metadata"]["name"]
        found = await federation.get("member1", scheme.CRDS, name)
        assert found and found["metadata"].get("labels") == document["metadata"].get("labels")
        assert [v["name"] for v in found["spec"]["versions"]] == [v["name"] for v in document["spec"]["versions"]]
    old_export = {**export(SPACE), "apiVersion": "multicluster.x-k8s.io/v1alpha1"}
    await federation.apply(service(), slice_("10.1.0.1"), old_export, server="member1")
    await federation.settle()
    assert await addresses(federation, "member3") == ["10.1.0.1"]
    resource = scheme.SERVICE_EXPORTS._replace(version="v1alpha1")
    found = await federation.get("member1", resource, "hello", SPACE)
    assert found and by_type(found)["Valid"]["status"] == "True"
    shown = (await holdings({"member1": federation.clients["member1"]}, SPACE))["member1"]
    assert isinstance(shown, Holdings) and [item.meta.name for item in shown.exports] == ["hello"]


async def test_our_definitions_are_brought_up_to_date(federation: Federation) -> None:
    old = definition_of(scheme.SERVICE_IMPORTS)
    old["metadata"]["labels"] |= {names.REVISION_LABEL: "0"}
    for version in old["spec"]["versions"]:
        version.pop("additionalPrinterColumns")
    await federation.apply(old, server="member1")
    await start(federation)
    found = await federation.get("member1", scheme.CRDS, old["metadata"]["name"])
    assert found and found["spec"]["versions"][0]["additionalPrinterColumns"]
    current = definition_of(scheme.SERVICE_IMPORTS)["metadata"]["labels"]
    assert found["metadata"]["labels"] == current


async def test_definitions_that_somebody_deletes_come_back_and_what_they_took_is_gone(federation: Federation) -> None:
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    await federation.clients["member1"].delete(scheme.CRDS, "serviceexports.multicluster.x-k8s.io")
    await federation.settle(90, 400)
    assert await federation.get("member1", scheme.CRDS, "serviceexports.multicluster.x-k8s.io") is not None
    assert await imported(federation, "member3") is None


async def test_a_slice_that_changes_without_end_is_written_once_a_second(server_keys: Keys) -> None:
    class Times(Tap):
        def __init__(self) -> None:
            self.at: list[float] = []

        def before(self, server: str, method: str, path: str, body: bytes) -> None:
            if server == "member2" and method in ("POST", "PATCH", "DELETE") and "endpointslices" in path:
                self.at.append(asyncio.get_running_loop().time())

    tap = Times()
    async with running(server_keys, all_crds(), speaks_kubefed=False, serves_services=True, tap=tap) as federation:
        await start(federation)
        await exports(federation, "member1", "10.1.0.1")
        for number in range(50):
            body = {"endpoints": slice_(f"10.1.1.{number}")["endpoints"]}
            await federation.clients["member1"].patch(
                scheme.ENDPOINT_SLICES, "hello-1", SPACE, body, kind=PatchKind.MERGE
            )
            await asyncio.sleep(0.1)
        await federation.settle()
        assert await addresses(federation, "member2") == ["10.1.1.49"]
        assert 5 <= len(tap.at) <= 5 / PACE_SECONDS + 3
        assert all(later - earlier >= PACE_SECONDS for earlier, later in itertools.pairwise(tap.at))


async def test_a_cluster_exports_so_many_services_and_no_more(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregate, "EXPORTS_MAX", 1)
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    second = {**service(), "metadata": metadata("second", SPACE)}
    await federation.apply(second, export(SPACE, "second"), server="member1")
    await federation.settle()
    found = await federation.get("member1", scheme.SERVICE_EXPORTS, "second", SPACE)
    assert found and by_type(found)["Valid"]["reason"] == "TooManyExports"
    assert await federation.get("member2", scheme.SERVICE_IMPORTS, "second", SPACE) is None
    assert await exporters(federation, "member2") == ["member1"]


async def test_what_init_grants_is_enough(server_keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    async with granted(server_keys, caplog) as federation:
        await start(federation)
        await exports(federation, "member1", "10.1.0.1")
        await federation.apply(routing_policy("default", exclude=["member1"]))
        await federation.settle()
        await federation.hub.delete(scheme.CLUSTERS, "member1")
        await federation.settle(15)
        found = await federation.get("hub", scheme.SERVICE_ROUTING_POLICIES, "hello", "default")
        assert found and by_type(found)["Accepted"]["status"] == "True"
        assert await federation.get("hub", scheme.CLUSTERS, "member1") is None
        assert refusals(caplog) == []
