"""Rows of the Multi-Cluster Services standard (KEP-1645) that its conformance suite does not ask about."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import deployment, metadata
from tests.support.rig import Rig
from tests.support.services import HELLO_PORTS, Services, export, exported, exported_twice, service_import

from hansa.api import names, scheme
from hansa.api.meta import Json

FIRST, SECOND, THIRD = "member1", "member2", "member3"
FLAT = {names.NETWORK_ANNOTATION: "flat"}
TCP = HELLO_PORTS[0]


def client_ip(seconds: int) -> Json:
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}


# -- conflicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "reasons", "holds"),
    [
        (client_ip(10), {}, "SessionAffinityConflict,SessionAffinityConfigConflict", client_ip(10)),
        ({}, client_ip(10), "SessionAffinityConflict", {"sessionAffinity": "None"}),
        (client_ip(10), client_ip(20), "SessionAffinityConfigConflict", client_ip(10)),
        ({"internalTrafficPolicy": "Local"}, {}, "InternalTrafficPolicyConflict", {"internalTrafficPolicy": "Local"}),
        (
            {"trafficDistribution": "PreferClose"},
            {},
            "TrafficDistributionConflict",
            {"trafficDistribution": "PreferClose"},
        ),
        ({"clusterIP": "None"}, {}, "TypeConflict", {"type": "Headless"}),
        (
            {"ports": [TCP], "internalTrafficPolicy": "Local"},
            {"ports": [{**TCP, "name": "other"}], "clusterIP": "None"},
            "PortConflict,TypeConflict,InternalTrafficPolicyConflict",
            {"type": "ClusterSetIP", "internalTrafficPolicy": "Local"},
        ),
    ],
)
async def test_the_oldest_holds_and_every_exporter_is_told(
    rig: Rig, first: Json, second: Json, reasons: str, holds: Json
) -> None:
    services = await exported_twice(rig, first, second)
    for member in (FIRST, SECOND):
        found = await services.told(member, "Conflict", "True", reasons)
        assert "of 2 clusters" in found["message"] and found["lastTransitionTime"]
        assert reasons.startswith("PortConflict") or f"cluster {FIRST}, has it" in found["message"]
        assert (await services.condition(member, "Valid"))["status"] == "True"
        await services.told(member, "Ready", "True", "Exported")
    await rig.eventually(lambda: _exporters(services, FIRST, SECOND))
    for member in rig.members:
        made = await services.imported(member)
        assert made and holds.items() <= made["spec"].items()


async def test_a_number_that_is_taken_is_the_older_ones(rig: Rig) -> None:
    services = await exported_twice(rig, {"ports": [TCP]}, {"ports": [{**TCP, "name": "other"}]})
    found = await services.told(SECOND, "Conflict", "True", "PortConflict")
    assert f"other 42/TCP of {SECOND} is left out" in found["message"]
    for member in rig.members:
        made = await services.imported(member)
        assert made and made["spec"]["ports"] == [{"name": "tcp", "port": 42, "protocol": "TCP"}]
        assert not await services.slices(member, source=SECOND)


async def test_affinity_is_nothing_to_a_headless_service(rig: Rig) -> None:
    services = await exported_twice(rig, {"clusterIP": "None", **client_ip(10)}, {"clusterIP": "None"})
    await rig.eventually(lambda: _exporters(services, FIRST, SECOND))
    await services.told(FIRST, "Conflict", "False", "NoConflicts")
    made = await services.imported(THIRD)
    assert made and not made["spec"].keys() & {"sessionAffinity", "sessionAffinityConfig", "ips"}


async def _exporters(services: Services, *clusters: str) -> None:
    for member in services.rig.members:
        made = await services.imported(member)
        assert made and made["status"]["clusters"] == [{"cluster": cluster} for cluster in clusters]


# -- fields, conditions, versions -------------------------------------------------------------------------------------


async def test_what_the_service_does_not_say_the_import_does_not(rig: Rig) -> None:
    services = await exported(rig, FIRST)
    for member in rig.members:
        made = await services.imported(member)
        assert made and not made["spec"].keys() & {"trafficDistribution", "sessionAffinityConfig"}
        assert made["spec"]["internalTrafficPolicy"] == "Cluster"  # an API server's default
        assert all("appProtocol" not in port and "targetPort" not in port for port in made["spec"]["ports"])


async def test_both_versions_say_the_same(rig: Rig) -> None:
    services = Services(rig)
    await services.served()
    await services.run(FIRST)
    await rig.apply({**export(rig.namespace), "apiVersion": "multicluster.x-k8s.io/v1alpha1"}, server=FIRST)
    await services.is_imported(*rig.members)
    for resource in (scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS):
        new, old = [
            await rig.get(FIRST, resource._replace(version=version), "hello", rig.namespace)
            for version in ("v1beta1", "v1alpha1")
        ]
        assert new and old and new.get("spec") == old.get("spec") and new["metadata"]["uid"] == old["metadata"]["uid"]
        name = f"{resource.plural}.{resource.group}"
        definition = await rig.get(FIRST, scheme.CRDS, name)
        assert definition
        versions = {each["name"]: (each["served"], each["storage"]) for each in definition["spec"]["versions"]}
        assert versions == {"v1beta1": (True, True), "v1alpha1": (True, False)}


async def test_an_export_that_nobody_can_import_is_pending(rig: Rig) -> None:
    services = Services(rig)
    await services.served()
    foreign = service_import(rig.namespace, type="Headless", ports=[])
    for member in rig.members:
        await rig.apply(foreign, server=member)
    await services.run(FIRST)
    await services.export(FIRST)

    async def pending() -> None:
        found = await services.told(FIRST, "Ready", "False", "Pending")
        assert all(member in found["message"] for member in rig.members)

    await rig.eventually(pending)
    await rig.delete(scheme.SERVICE_IMPORTS, "hello", rig.namespace, server=SECOND)
    await services.told(FIRST, "Ready", "True", "Exported")


# -- lifecycle --------------------------------------------------------------------------------------------------------


async def test_the_exporters_own_service_stays_as_it_is(rig: Rig) -> None:
    """Names below cluster.local mean what they meant."""
    services = Services(rig)
    await services.run(FIRST)
    before = await rig.get(FIRST, scheme.SERVICES, "hello", rig.namespace)
    await services.export(FIRST)
    await services.is_imported(*rig.members)
    assert await rig.get(FIRST, scheme.SERVICES, "hello", rig.namespace) == before
    own = await rig.list(FIRST, scheme.ENDPOINT_SLICES, rig.namespace, labels=f"{names.SERVICE_LABEL}=hello")
    assert own and all(names.IMPORT_NAME_LABEL not in each["metadata"]["labels"] for each in own)


async def test_load_balancers_are_exported_as_cluster_services(rig: Rig) -> None:
    services = await exported(rig, FIRST, type="LoadBalancer")
    derived = await services.derived(SECOND)
    assert derived and derived["spec"]["type"] == "ClusterIP"


async def test_a_namespace_on_its_way_out_gets_nothing_and_hinders_nobody(rig: Rig) -> None:
    services = Services(rig)
    services.namespace = rig.name("space")
    space: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": services.namespace}}
    held: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("held", services.namespace)}
    held["metadata"]["finalizers"] = ["example.com/held"]
    for member in rig.members:
        await rig.apply(space, server=member)
    await services.served()
    await rig.apply(held, server=SECOND)
    await rig.delete(scheme.NAMESPACES, services.namespace, server=SECOND)
    await services.run(FIRST)
    await services.export(FIRST)
    await services.is_imported(FIRST, THIRD)

    async def nothing() -> None:
        assert await services.imported(SECOND) is None
        found = await services.condition(FIRST, "Ready")
        assert (found["status"], found["message"]) == ("True", "")

    await rig.eventually(nothing)
    await rig.holds(nothing, 3)
    released: Json = {"metadata": {"finalizers": None}}
    await rig.patch(scheme.CONFIGMAPS, "held", released, services.namespace, server=SECOND)
    for member in (FIRST, THIRD):
        await rig.delete(scheme.NAMESPACES, services.namespace, server=member)


# -- endpoint slices --------------------------------------------------------------------------------------------------


async def test_a_slice_is_of_one_source_and_never_empty(rig: Rig) -> None:
    for member in rig.members:
        await rig.annotate_cluster(member, FLAT)
    services = await exported_twice(rig, {}, {})
    await rig.apply(deployment("hello", rig.namespace, replicas=2), server=SECOND)

    async def published() -> None:
        pods = {member: await services.pods(member) for member in (FIRST, SECOND)}
        assert [len(found) for found in pods.values()] == [1, 2]
        for member in rig.members:
            slices = await services.slices(member)
            for each in slices:
                source = each["metadata"]["labels"][names.SOURCE_CLUSTER_LABEL]
                addresses = [a for endpoint in each["endpoints"] for a in endpoint["addresses"]]
                assert addresses and set(addresses) <= set(pods[source])
                assert each["metadata"]["labels"][names.MANAGED_BY_LABEL] != "endpointslice-controller.k8s.io"
            assert {each["metadata"]["labels"][names.SOURCE_CLUSTER_LABEL] for each in slices} == {FIRST, SECOND}

    await rig.eventually(published)
    await rig.apply(deployment("hello", rig.namespace, replicas=0), server=SECOND)

    async def without() -> None:
        for member in rig.members:
            assert not await services.slices(member, source=SECOND)
            assert await services.slices(member, source=FIRST)

    await rig.eventually(without)


async def test_an_import_does_not_come_and_go(rig: Rig) -> None:
    """It is the same object with the same address, whatever its exporters do while one of them is left."""
    services = await exported_twice(rig, {}, {})
    await rig.eventually(lambda: _exporters(services, FIRST, SECOND))
    seen = {member: await _identity(services, member) for member in rig.members}
    await services.unexport(FIRST)
    await rig.eventually(lambda: _exporters(services, SECOND))
    await services.export(FIRST)
    await rig.eventually(lambda: _exporters(services, FIRST, SECOND))
    assert {member: await _identity(services, member) for member in rig.members} == seen


async def _identity(services: Services, member: str) -> Any:
    made = await services.imported(member)
    assert made is not None
    return made["metadata"]["uid"], made["spec"]["ips"]
