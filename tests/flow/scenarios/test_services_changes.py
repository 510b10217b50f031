"""Exported Services that change: the import follows, in every cluster (KEP-1645)."""

from __future__ import annotations

from typing import Any

from tests.support.objects import deployment
from tests.support.rig import Rig
from tests.support.services import HELLO_PORTS, Services, exported, hello_service

from hansa.api import names, scheme
from hansa.api.meta import Json

FIRST, SECOND = "member1", "member2"
FLAT = {names.NETWORK_ANNOTATION: "flat"}
TCP, UDP = HELLO_PORTS


async def on_one_network(rig: Rig, *members: str, **spec: Any) -> Services:
    """Exported by each of them, with a second between one and the next."""
    for member in rig.members:
        await rig.annotate_cluster(member, FLAT)
    for member in members:
        await exported(rig, member, **spec)
        await rig.later(1.1)
    return Services(rig)


async def becomes(services: Services, member: str, **spec: Any) -> None:
    """Another Service of the same name: the type and address of one stay for life."""
    await services.rig.delete(scheme.SERVICES, "hello", services.namespace, server=member)
    await services.rig.apply(hello_service(services.namespace, **spec), server=member)


async def imports(services: Services, **wanted: Any) -> None:
    """Wait until every import has these fields, None for those that it has not, and the derived Service the same."""

    async def so() -> None:
        for member in services.rig.members:
            made, derived = await services.imported(member), await services.derived(member)
            assert made and derived
            for field, value in wanted.items():
                assert made["spec"].get(field) == value, (member, made)
                if field != "ports":
                    assert derived["spec"].get(field) == value, (member, derived)

    await services.rig.eventually(so)


async def test_ports_and_policies_follow_the_service(rig: Rig) -> None:
    services = await on_one_network(rig, FIRST, ports=[TCP])
    affinity: Json = {"clientIP": {"timeoutSeconds": 30}}
    sticky: Json = {
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": affinity,
        "internalTrafficPolicy": "Local",
        "trafficDistribution": "PreferClose",
    }
    web = {"name": "web", "port": 80, "protocol": "TCP", "targetPort": 42, "appProtocol": "http"}
    change: Json = {"spec": {**sticky, "ports": [UDP, web]}}
    await rig.patch(scheme.SERVICES, "hello", change, rig.namespace, server=FIRST)
    ports = [
        {"name": "udp", "port": 42, "protocol": "UDP"},
        {"name": "web", "port": 80, "protocol": "TCP", "appProtocol": "http"},
    ]
    await imports(services, ports=ports, **sticky)

    async def in_slices() -> None:
        for member in rig.members:
            slice_ = await services.the_slice(member, source=FIRST)
            assert sorted(port["name"] for port in slice_["ports"]) == ["udp", "web"]

    await rig.eventually(in_slices)
    back: Json = {"sessionAffinity": "None", "sessionAffinityConfig": None, "internalTrafficPolicy": "Cluster"}
    back |= {"trafficDistribution": None}
    await rig.patch(scheme.SERVICES, "hello", {"spec": {**back, "ports": [TCP]}}, rig.namespace, server=FIRST)
    await imports(services, ports=[{"name": "tcp", "port": 42, "protocol": "TCP"}], **back)
    await services.told(FIRST, "Conflict", "False", "NoConflicts")


async def test_a_service_becomes_headless_and_gets_an_address_again(rig: Rig) -> None:
    services = await on_one_network(rig, FIRST)
    await becomes(services, FIRST, clusterIP="None")

    async def headless() -> None:
        for member in rig.members:
            made = await services.imported(member)
            assert made and made["spec"]["type"] == "Headless" and "ips" not in made["spec"], made
            assert names.DERIVED_SERVICE_ANNOTATION not in made["metadata"]["annotations"]
            assert await services.derived(member) is None
            assert await services.addresses(member, FIRST) == await services.pods(FIRST)
            slices = await services.slices(member)
            assert not any(names.SERVICE_LABEL in each["metadata"]["labels"] for each in slices)

    await rig.eventually(headless)
    await becomes(services, FIRST)

    async def has_an_address() -> None:
        for member in rig.members:
            made, derived = await services.imported(member), await services.derived(member)
            assert made and derived and made["spec"]["type"] == "ClusterSetIP"
            assert made["spec"]["ips"] == derived["spec"]["clusterIPs"]
            assert made["metadata"]["annotations"][names.DERIVED_SERVICE_ANNOTATION] == "derived-hello"
            slice_ = await services.the_slice(member, source=FIRST)
            assert slice_["metadata"]["labels"][names.SERVICE_LABEL] == "derived-hello"

    await rig.eventually(has_an_address)
    await services.is_imported(*rig.members)


async def test_what_is_no_longer_valid_is_taken_out_and_comes_back(rig: Rig) -> None:
    services = await on_one_network(rig, FIRST, SECOND)
    await becomes(services, SECOND, type="ExternalName", externalName="example.com", ports=[])
    await services.told(SECOND, "Valid", "False", "InvalidServiceType")
    await services.told(SECOND, "Ready", "False", "Failed")
    await services.told(FIRST, "Conflict", "False", "NoConflicts")

    async def by_the_first_alone() -> None:
        for member in rig.members:
            made = await services.imported(member)
            assert made and made["status"]["clusters"] == [{"cluster": FIRST}]
            assert not await services.slices(member, source=SECOND)

    await rig.eventually(by_the_first_alone)
    await becomes(services, FIRST, type="ExternalName", externalName="example.com", ports=[])
    await services.is_gone(*rig.members)
    await becomes(services, FIRST)
    await services.is_imported(*rig.members)
    await services.told(FIRST, "Valid", "True", "Valid")
    await services.told(FIRST, "Ready", "True", "Exported")


async def test_who_gives_in_ends_the_conflict(rig: Rig) -> None:
    services = await on_one_network(rig, FIRST, SECOND, ports=[TCP])
    other: Json = {"spec": {"ports": [{**TCP, "port": 43}], "internalTrafficPolicy": "Local"}}
    await rig.patch(scheme.SERVICES, "hello", other, rig.namespace, server=SECOND)
    for member in (FIRST, SECOND):
        await services.told(member, "Conflict", "True", "PortConflict,InternalTrafficPolicyConflict")
    same: Json = {"spec": {"ports": [TCP], "internalTrafficPolicy": "Cluster"}}
    await rig.patch(scheme.SERVICES, "hello", same, rig.namespace, server=SECOND)
    for member in (FIRST, SECOND):
        await services.told(member, "Conflict", "False", "NoConflicts")

    async def from_both() -> None:
        for member in rig.members:
            assert await services.slices(member, source=FIRST) and await services.slices(member, source=SECOND)

    await rig.eventually(from_both)
    # and when the oldest is the one that changes, its word holds
    await rig.patch(scheme.SERVICES, "hello", other, rig.namespace, server=FIRST)
    found = await services.told(SECOND, "Conflict", "True", "PortConflict,InternalTrafficPolicyConflict")
    assert f"cluster {FIRST}, has it" in found["message"]
    await imports(services, internalTrafficPolicy="Local")


async def test_an_export_that_is_made_anew_is_as_young_as_it_is(rig: Rig) -> None:
    services = await on_one_network(rig, FIRST, SECOND, ports=[TCP])
    change: Json = {"spec": {"internalTrafficPolicy": "Local"}}
    await rig.patch(scheme.SERVICES, "hello", change, rig.namespace, server=FIRST)
    await imports(services, internalTrafficPolicy="Local")
    await services.unexport(FIRST)
    await imports(services, internalTrafficPolicy="Cluster")
    await services.export(FIRST)
    for member in (FIRST, SECOND):
        found = await services.told(member, "Conflict", "True", "InternalTrafficPolicyConflict")
        assert f'"Cluster" holds, as the oldest export, of cluster {SECOND}, has it' in found["message"]
    await imports(services, internalTrafficPolicy="Cluster")


async def test_pods_that_stop_being_ready_are_told_as_such(rig: Rig) -> None:
    services = await on_one_network(rig, FIRST)
    pods = deployment("hello", rig.namespace, replicas=1)
    pods["spec"]["template"]["spec"]["containers"][0]["image"] = "fake/hello:1"
    pods["spec"]["strategy"] = {"type": "Recreate"}
    await rig.apply(pods, server=FIRST)

    async def nobody_is_ready() -> None:
        for member in rig.members:
            assert await services.addresses(member, FIRST) == []
            made = await services.imported(member)
            assert made and made["spec"]["ips"], "its address stays"

    await rig.eventually(nobody_is_ready)
