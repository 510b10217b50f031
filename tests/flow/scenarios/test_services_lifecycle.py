"""Imports follow exports, Services, pods and namespaces; what is broken says why and disturbs nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import deployment
from tests.support.rig import Rig
from tests.support.services import (
    HELLO_PORTS,
    Services,
    by_type,
    endpoint,
    export,
    exported,
    hello_service,
    service_import,
    slice_by_hand,
)

from hansa.api import names, scheme
from hansa.api.meta import Json

FIRST, SECOND, THIRD = "member1", "member2", "member3"
FLAT = {names.NETWORK_ANNOTATION: "flat"}


async def flat(rig: Rig) -> Services:
    """All members are on one network."""
    for member in rig.members:
        await rig.annotate_cluster(member, FLAT)
    return Services(rig)


async def without_selector(rig: Rig, member: str, addresses: list[str]) -> None:
    service = hello_service(rig.namespace, ports=HELLO_PORTS[:1])
    del service["spec"]["selector"]
    await rig.apply(service, slice_by_hand(rig.namespace, [endpoint(each) for each in addresses]), server=member)


async def test_pods_of_one_network_are_published_everywhere(rig: Rig) -> None:
    services = await flat(rig)
    await services.run(FIRST)
    await services.export(FIRST)

    async def published() -> None:
        pods = await services.pods(FIRST)
        assert pods
        for member in rig.members:
            assert await services.addresses(member, FIRST) == pods

    await rig.eventually(published)
    await rig.apply(deployment("hello", rig.namespace, replicas=2), server=FIRST)

    async def both() -> None:
        assert len(await services.pods(FIRST)) == 2
        await published()

    await rig.eventually(both)


async def test_pods_of_another_network_are_not_published(rig: Rig) -> None:
    services = await exported(rig, FIRST)

    async def own_only() -> None:
        assert await services.addresses(FIRST, FIRST) == await services.pods(FIRST) != []
        for member in (SECOND, THIRD):
            found = await services.imported(member)
            assert found and FIRST in by_type(found)["Ready"]["message"]
            assert found["status"]["endpointSliceObjects"] == "Absent"
            assert not await services.slices(member)

    await rig.eventually(own_only)


async def test_an_import_is_where_the_namespace_is(rig: Rig) -> None:
    services = Services(rig)
    services.namespace = rig.name("space")
    namespace: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": services.namespace}}
    await rig.apply(namespace, server=FIRST)
    await services.run(FIRST)
    await services.export(FIRST)
    await services.is_imported(FIRST)

    async def nowhere_else() -> None:
        for member in (SECOND, THIRD):
            assert await rig.get(member, scheme.NAMESPACES, services.namespace) is None

    await rig.holds(nowhere_else, 3)
    await rig.apply(namespace, server=SECOND)
    await services.is_imported(SECOND)
    await rig.delete(scheme.NAMESPACES, services.namespace, server=FIRST)
    await services.is_gone(SECOND)


async def test_who_no_longer_exports_is_drained_before_it_goes(rig: Rig) -> None:
    services = await flat(rig)
    for member in (FIRST, SECOND):
        await services.run(member)
    await services.export(FIRST, SECOND)

    async def both() -> None:
        for source in (FIRST, SECOND):
            assert await services.addresses(THIRD, source)

    await rig.eventually(both)
    await services.unexport(FIRST)

    async def draining() -> None:
        found = await services.the_slice(THIRD, source=FIRST)
        (endpoint,) = found["endpoints"]
        assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}
        made = await services.imported(THIRD)
        assert made and made["status"]["clusters"] == [{"cluster": SECOND}]

    async def gone() -> None:
        assert not await services.slices(THIRD, source=FIRST)
        assert await services.addresses(THIRD, SECOND)

    await rig.eventually(draining, 8)
    await rig.holds(draining, 5)
    await rig.eventually(gone, 15)


async def test_what_the_winner_brought_stays_while_somebody_holds_it(rig: Rig) -> None:
    services = Services(rig)
    cluster, local = ({"internalTrafficPolicy": word} for word in ("Cluster", "Local"))
    for member, policy in zip(rig.members, (local, cluster, local), strict=True):
        await services.run(member, **policy)
        await services.export(member)
        await services.is_imported(*rig.members)
        await rig.later(1.1)
    await services.told(THIRD, "Conflict", "True", "InternalTrafficPolicyConflict")

    async def says(policy: str, *exporters: str) -> None:
        for member in rig.members:
            found = await services.imported(member)
            assert found and found["spec"]["internalTrafficPolicy"] == policy
            assert [entry["cluster"] for entry in found["status"]["clusters"]] == list(exporters)

    await rig.eventually(lambda: says("Local", FIRST, SECOND, THIRD))
    await services.unexport(FIRST)
    await rig.eventually(lambda: says("Local", SECOND, THIRD))
    await rig.holds(lambda: says("Local", SECOND, THIRD), 12)
    await services.unexport(THIRD)
    await rig.eventually(lambda: says("Cluster", SECOND))
    await services.told(SECOND, "Conflict", "False", "NoConflicts")


async def test_a_service_without_export_contributes_nothing_and_is_not_touched(rig: Rig) -> None:
    services = await flat(rig)
    for member in (FIRST, SECOND):
        await services.run(member)
    before = await rig.get(SECOND, scheme.SERVICES, "hello", rig.namespace)
    await services.export(FIRST)
    await services.is_imported(*rig.members)

    async def from_the_exporter() -> None:
        for member in rig.members:
            assert await services.addresses(member, FIRST)
            assert not await services.slices(member, source=SECOND)

    await rig.eventually(from_the_exporter)
    assert await rig.get(SECOND, scheme.SERVICES, "hello", rig.namespace) == before


async def test_what_somebody_takes_away_or_changes_is_put_back(rig: Rig) -> None:
    services = await exported(rig, FIRST)
    first = await services.imported(FIRST)
    assert first
    await rig.eventually(lambda: _has_slice(services, FIRST))
    slice_ = await services.the_slice(FIRST)
    await rig.delete(scheme.ENDPOINT_SLICES, slice_["metadata"]["name"], rig.namespace, server=FIRST)
    await rig.delete(scheme.SERVICES, "derived-hello", rig.namespace, server=SECOND)
    await rig.delete(scheme.SERVICE_IMPORTS, "hello", rig.namespace, server=THIRD)
    wrong: Json = {"spec": {"ports": [{"port": 1}], "sessionAffinity": "ClientIP"}}
    await rig.patch(scheme.SERVICE_IMPORTS, "hello", wrong, rig.namespace, server=FIRST)

    async def repaired() -> None:
        await _has_slice(services, FIRST)
        for member in rig.members:
            made, derived = await services.imported(member), await services.derived(member)
            assert made and derived and made["spec"]["ips"] == derived["spec"]["clusterIPs"]
            assert made["spec"]["ports"] == first["spec"]["ports"]
            assert made["spec"]["sessionAffinity"] == "None"
            assert derived["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]

    await rig.eventually(repaired)


async def _has_slice(services: Services, member: str) -> None:
    assert await services.addresses(member, FIRST)


async def test_a_service_import_of_somebody_else_is_left_alone(rig: Rig) -> None:
    services = Services(rig)
    await services.served()
    foreign = service_import(rig.namespace, type="Headless", ports=[{"port": 7}])
    await rig.apply(foreign, server=SECOND)
    await services.run(FIRST)
    await services.export(FIRST)
    await services.is_imported(FIRST, THIRD)

    async def told() -> None:
        found = await services.condition(FIRST, "Ready")
        assert found["status"] == "True" and SECOND in found["message"]
        made = await services.imported(SECOND)
        assert made and made["spec"] == foreign["spec"] and "status" not in made

    await rig.eventually(told)


async def test_headless_services_name_their_pods_in_every_cluster(rig: Rig) -> None:
    services = Services(rig)
    service = hello_service(rig.namespace, clusterIP="None")
    pods = deployment("hello", rig.namespace, replicas=2)
    pods |= {"kind": "StatefulSet"}
    pods["spec"] |= {"serviceName": "hello"}
    await rig.apply(service, pods, server=FIRST)
    await services.export(FIRST)

    async def named() -> None:
        for member in rig.members:
            found = await services.the_slice(member)
            endpoints: list[dict[str, Any]] = found["endpoints"]
            assert sorted(endpoint["hostname"] for endpoint in endpoints) == ["hello-0", "hello-1"]
            assert names.SERVICE_LABEL not in found["metadata"]["labels"]
            assert all(("nodeName" in endpoint) is (member == FIRST) for endpoint in endpoints)

    await rig.eventually(named)


async def test_node_ports_are_exported_as_cluster_services(rig: Rig) -> None:
    services = await exported(rig, FIRST, type="NodePort")
    derived = await services.derived(SECOND)
    assert derived and derived["spec"]["type"] == "ClusterIP" and "nodePort" not in derived["spec"]["ports"][0]


async def test_a_port_without_name_beside_a_named_one(rig: Rig) -> None:
    """Names are needed as soon as there are two; the import keeps what the exporters said."""
    services = await flat(rig)
    await services.run(FIRST, ports=[{"port": 80, "protocol": "TCP", "targetPort": 8080}])
    await services.export(FIRST)
    await services.is_imported(*rig.members)
    await services.run(SECOND, ports=[{"name": "grpc", "port": 90, "protocol": "TCP", "targetPort": 9090}])
    await services.export(SECOND)

    async def united() -> None:
        for member in rig.members:
            made, derived = await services.imported(member), await services.derived(member)
            assert made and derived
            assert [port.get("name") for port in made["spec"]["ports"]] == [None, "grpc"]
            assert [port["name"] for port in derived["spec"]["ports"]] == ["80", "grpc"]
            slice_ = await services.the_slice(member, source=FIRST)
            assert [(port["name"], port["port"]) for port in slice_["ports"]] == [("80", 8080)]

    await rig.eventually(united)


# -- bad input --------------------------------------------------------------------------------------------------------


async def test_an_export_without_service_waits_for_it(rig: Rig) -> None:
    services = Services(rig)
    await services.export(FIRST)
    found = await services.told(FIRST, "Valid", "False", "NoService")
    assert f"{rig.namespace}/hello" in found["message"]
    await services.told(FIRST, "Ready", "False", "Failed")
    assert await services.imported(FIRST) is None
    await services.run(FIRST)
    await services.told(FIRST, "Valid", "True", "Valid")
    await services.is_imported(*rig.members)
    await rig.delete(scheme.SERVICES, "hello", rig.namespace, server=FIRST)
    await services.told(FIRST, "Valid", "False", "NoService")
    await services.is_gone(*rig.members)


async def test_an_export_whose_name_no_service_can_have(rig: Rig) -> None:
    services = Services(rig)
    name = "a" * 64
    await services.export(FIRST, name=name)
    found = await services.told(FIRST, "Valid", "False", "NoService", name)
    assert "no more than 63" in found["message"]


async def test_the_longest_name_of_a_service(rig: Rig) -> None:
    services = await flat(rig)
    name = "a" * 63
    await services.run(FIRST, name=name)
    await services.export(FIRST, name=name)
    await services.is_imported(*rig.members, name=name)

    async def published() -> None:
        made = await services.imported(SECOND, name)
        assert made and await services.addresses(SECOND, FIRST, name)
        derived = made["metadata"]["annotations"][names.DERIVED_SERVICE_ANNOTATION]
        assert len(derived) <= 63
        assert await rig.get(SECOND, scheme.SERVICES, derived, rig.namespace) is not None

    await rig.eventually(published)


@pytest.mark.parametrize("namespace", ["default", "kube-system"])
async def test_reserved_namespaces_export_nothing(rig: Rig, namespace: str) -> None:
    services = Services(rig)
    services.namespace = namespace
    name = rig.name("hello")
    await rig.apply(hello_service(namespace, name=name), server=FIRST)
    await services.export(FIRST, name=name)
    found = await services.told(FIRST, "Valid", "False", "ReservedNamespace", name)
    assert "another namespace" in found["message"]
    assert await services.imported(FIRST, name) is None
    await services.unexport(FIRST, name)
    await rig.delete(scheme.SERVICES, name, namespace, server=FIRST)


async def test_labels_that_no_import_can_have(rig: Rig) -> None:
    services = Services(rig)
    await services.run(FIRST)
    await services.export(FIRST, exportedLabels={"a": "not a label!"})
    found = await services.told(FIRST, "Valid", "False", "InvalidMetadata")
    assert "spec.exportedLabels[a]" in found["message"]
    await rig.patch(scheme.SERVICE_EXPORTS, "hello", {"spec": None}, rig.namespace, server=FIRST)
    await services.told(FIRST, "Valid", "True", "Valid")


async def test_annotations_that_are_hansas_own_are_refused(rig: Rig) -> None:
    services = Services(rig)
    await services.run(FIRST)
    await services.export(FIRST, exportedAnnotations={names.ROUTE_ANNOTATION: "{}"})
    found = await services.told(FIRST, "Valid", "False", "InvalidMetadata")
    assert names.ROUTE_ANNOTATION in found["message"]


async def test_addresses_outside_the_declared_ranges_are_left_out(rig: Rig) -> None:
    services = await flat(rig)
    await rig.annotate_cluster(FIRST, {names.POD_RANGES_ANNOTATION: "10.200.0.0/16, fd00::/64"})
    await without_selector(rig, FIRST, ["10.200.0.7", "10.201.0.7"])
    await services.export(FIRST)
    found = await services.told(FIRST, "hansa.dev/EndpointsAccepted", "False", "OutsidePodRanges")
    assert "10.201.0.7" in found["message"] and "10.200.0.7" not in found["message"]

    async def believed(*addresses: str) -> None:
        for member in rig.members:
            assert await services.addresses(member, FIRST) == list(addresses)

    await rig.eventually(lambda: believed("10.200.0.7"))
    await rig.annotate_cluster(FIRST, {names.POD_RANGES_ANNOTATION: "10.200.0.0/15"})
    await rig.eventually(lambda: believed("10.200.0.7", "10.201.0.7"))

    async def accepted() -> None:
        found = await rig.get(FIRST, scheme.SERVICE_EXPORTS, "hello", rig.namespace)
        assert found and "hansa.dev/EndpointsAccepted" not in by_type(found)

    await rig.eventually(accepted)
    await rig.annotate_cluster(FIRST, {names.POD_RANGES_ANNOTATION: "10.200.0.0/99"})
    fault = await services.told(FIRST, "hansa.dev/EndpointsAccepted", "False", "InvalidPodRanges")
    assert "10.200.0.0/99" in fault["message"]
    await believed("10.200.0.7", "10.201.0.7")


async def test_more_endpoints_than_are_published(rig: Rig) -> None:
    services = await flat(rig)
    await without_selector(rig, FIRST, [f"10.200.{n // 250}.{n % 250 + 1}" for n in range(1000)])
    second = slice_by_hand(rig.namespace, [endpoint("10.210.0.1"), endpoint("10.210.0.2")], name="z-more")
    await rig.apply(second, server=FIRST)
    await services.export(FIRST)
    found = await services.told(FIRST, "hansa.dev/EndpointsAccepted", "False", "TooManyEndpoints")
    assert found["message"].startswith("2 endpoints are left out")

    async def capped() -> None:
        assert len(await services.addresses(SECOND, FIRST)) == 1000

    await rig.eventually(capped)


async def test_everything_that_may_be_wrong_at_once_says_why_and_disturbs_nothing_else(rig: Rig) -> None:
    services = await flat(rig)
    await services.run(FIRST)
    await services.export(FIRST)
    await services.is_imported(*rig.members)
    await rig.annotate_cluster(SECOND, {names.POD_RANGES_ANNOTATION: "10.200.0.0/16"})
    await rig.eventually(lambda: _has_slice(services, FIRST))
    await services.told(FIRST, "Ready", "True", "Exported")
    await rig.later(3)

    async def whole() -> list[Json | None]:
        found: list[Json | None] = [await rig.get(FIRST, scheme.SERVICE_EXPORTS, "hello", rig.namespace)]
        for member in rig.members:
            found += [await services.imported(member), await services.derived(member)]
            found += await services.slices(member)
        return found

    before = await whole()
    external = hello_service(rig.namespace, name="external", type="ExternalName", externalName="example.com")
    del external["spec"]["selector"]
    outside = hello_service(rig.namespace, name="outside", ports=HELLO_PORTS[:1])
    del outside["spec"]["selector"]
    wrong_label = {"exportedLabels": {"a": "not a label!"}}
    await rig.apply(
        external,
        outside,
        slice_by_hand(rig.namespace, [endpoint("192.0.2.1")], service="outside"),
        hello_service(rig.namespace, name="labelled"),
        hello_service(rig.namespace, name="headless", clusterIP="None"),
        *(export(rig.namespace, name) for name in ("external", "outside", "headless", "nothing", "a" * 64)),
        export(rig.namespace, "labelled", **wrong_label),
        server=SECOND,
    )
    older = hello_service(rig.namespace, name="headless", ports=[{"name": "tcp", "port": 43}])
    await rig.apply(older, export(rig.namespace, "headless"), server=THIRD)
    for name, type_, status, reason in (
        ("external", "Valid", "False", "InvalidServiceType"),
        ("outside", "hansa.dev/EndpointsAccepted", "False", "OutsidePodRanges"),
        ("labelled", "Valid", "False", "InvalidMetadata"),
        ("nothing", "Valid", "False", "NoService"),
        ("a" * 64, "Valid", "False", "NoService"),
        ("headless", "Conflict", "True", "PortConflict,TypeConflict"),
    ):
        found = await services.told(SECOND, type_, status, reason, name)
        assert found["message"], name
    assert await whole() == before
    for member in rig.members:
        assert await services.addresses(member, SECOND, "outside") == []


async def test_a_broken_export_disturbs_nobody(rig: Rig) -> None:
    services = await exported(rig, FIRST)
    await services.told(FIRST, "Ready", "True", "Exported")
    await rig.eventually(lambda: _has_slice(services, FIRST))
    await rig.later(3)
    before = await services.imported(THIRD)
    await rig.apply(export(rig.namespace), server=SECOND)
    await services.told(SECOND, "Valid", "False", "NoService")

    async def unchanged() -> None:
        assert await services.imported(THIRD) == before
        assert (await services.condition(FIRST, "Conflict"))["status"] == "False"

    await rig.holds(unchanged, 3)
