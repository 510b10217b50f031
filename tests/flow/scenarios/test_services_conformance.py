"""The conformance suite's specifications that need no packets: I1 to I15 and E1, each in all clusters."""

from __future__ import annotations

import ipaddress

from tests.support.rig import Rig
from tests.support.services import HELLO_PORTS, Services, by_type, export, exported, exported_twice, hello_service

from hansa.api import names, scheme

FIRST, SECOND, THIRD = "member1", "member2", "member3"
AFFINITY = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}}}


async def both_are_told(services: Services, reason: str) -> None:
    for member in (FIRST, SECOND):
        found = await services.told(member, "Conflict", "True", reason)
        assert "of 2 clusters" in found["message"]


async def test_i1_an_import_lives_as_long_as_one_export(rig: Rig) -> None:
    services = await exported_twice(rig, {}, {})

    async def from_both() -> None:
        for member in rig.members:
            found = await services.imported(member)
            assert found and found["status"]["clusters"] == [{"cluster": FIRST}, {"cluster": SECOND}]

    await rig.eventually(from_both)
    await services.unexport(FIRST)

    async def from_one() -> None:
        for member in rig.members:
            found = await services.imported(member)
            assert found and found["status"]["clusters"] == [{"cluster": SECOND}]
            assert not await services.slices(member, source=FIRST)

    await rig.eventually(from_one)
    await services.unexport(SECOND)
    await services.is_gone(*rig.members)


async def test_i2_only_what_is_exported_of_labels_and_annotations_appears(rig: Rig) -> None:
    services = Services(rig)
    await services.run(FIRST)
    await services.served()
    document = export(rig.namespace, exportedLabels={"team": "shop"}, exportedAnnotations={"note": "hello"})
    document["metadata"] |= {"labels": {"of-the": "export"}, "annotations": {"of-the": "export"}}
    await rig.apply(document, server=FIRST)
    await services.is_imported(*rig.members)
    for member in rig.members:
        found = await services.imported(member)
        assert found
        assert found["metadata"]["labels"] == {"team": "shop"}
        annotations = found["metadata"]["annotations"]
        assert annotations["note"] == "hello"
        assert not {"own", "of-the"} & annotations.keys()
    await rig.patch(
        scheme.SERVICE_EXPORTS,
        "hello",
        {"spec": {"exportedLabels": {"team": None, "tier": "1"}}},
        rig.namespace,
        server=FIRST,
    )

    async def changed() -> None:
        for member in rig.members:
            found = await services.imported(member)
            assert found and found["metadata"]["labels"] == {"tier": "1"}

    await rig.eventually(changed)


async def test_i3_the_older_set_of_labels_holds(rig: Rig) -> None:
    first, second = ({"exportedLabels": {"a": word}, "exportedAnnotations": {"b": word}} for word in ("old", "new"))
    services = await exported_twice(rig, {}, {}, first, second)
    await both_are_told(services, "LabelsConflict,AnnotationsConflict")
    for member in rig.members:
        found = await services.imported(member)
        assert found and found["metadata"]["labels"] == {"a": "old"}
        assert found["metadata"]["annotations"]["b"] == "old"


async def test_i4_an_export_is_valid_and_imported_by_every_cluster(rig: Rig) -> None:
    services = await exported(rig, FIRST)
    found = await services.told(FIRST, "Valid", "True", "Valid")
    assert found["observedGeneration"] == 1
    await services.told(FIRST, "Ready", "True", "Exported")
    await services.told(FIRST, "Conflict", "False", "NoConflicts")
    for member in rig.members:
        made = await services.imported(member)
        assert made and made["spec"]["type"] == "ClusterSetIP"
        assert made["metadata"]["annotations"][names.DERIVED_SERVICE_ANNOTATION] == "derived-hello"
        assert await services.derived(member) is not None
    await services.unexport(FIRST)
    await services.is_gone(*rig.members)


async def test_i5_to_i7_affinity_and_traffic_policies_are_those_of_the_service(rig: Rig) -> None:
    policies = {"internalTrafficPolicy": "Local", "trafficDistribution": "PreferClose"}
    services = await exported(rig, FIRST, **AFFINITY, **policies)
    for member in rig.members:
        made, derived = await services.imported(member), await services.derived(member)
        assert made and derived
        for spec in (made["spec"], derived["spec"]):
            assert spec["sessionAffinity"] == "ClientIP"
            assert spec["sessionAffinityConfig"] == AFFINITY["sessionAffinityConfig"]
            assert spec["internalTrafficPolicy"] == "Local"
            assert spec["trafficDistribution"] == "PreferClose"


async def test_i8_addresses_fit_the_families(rig: Rig) -> None:
    services = await exported(rig, FIRST, ipFamilyPolicy="PreferDualStack")
    for member in rig.members:
        made, derived = await services.imported(member), await services.derived(member)
        assert made and derived
        spec = made["spec"]
        assert spec["ips"] and len(spec["ips"]) == len(spec["ipFamilies"])
        assert [f"IPv{ipaddress.ip_address(address).version}" for address in spec["ips"]] == spec["ipFamilies"]
        assert spec["ips"] == derived["spec"]["clusterIPs"]


async def test_i9_ports_are_those_of_the_service(rig: Rig) -> None:
    ports = [
        {"name": "tcp", "port": 42, "protocol": "TCP", "targetPort": 80, "appProtocol": "kubernetes.io/h2c"},
        {"name": "udp", "port": 42, "protocol": "UDP", "targetPort": 42},
    ]
    services = await exported(rig, FIRST, ports=ports)
    for member in rig.members:
        made = await services.imported(member)
        assert made and made["spec"]["ports"] == [
            {"name": "tcp", "port": 42, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
            {"name": "udp", "port": 42, "protocol": "UDP"},
        ]


async def test_i10_ports_are_united(rig: Rig) -> None:
    more = [*HELLO_PORTS, {"name": "sctp", "port": 42, "protocol": "SCTP", "targetPort": 42}]
    services = await exported_twice(rig, {}, {"ports": more})
    await both_are_told(services, "PortConflict")

    async def united() -> None:
        for member in rig.members:
            made = await services.imported(member)
            assert made and made["spec"]["ports"] == [
                {"name": "tcp", "port": 42, "protocol": "TCP"},
                {"name": "udp", "port": 42, "protocol": "UDP"},
                {"name": "sctp", "port": 42, "protocol": "SCTP"},
            ]

    await rig.eventually(united)


async def test_i11_a_port_of_the_same_name_is_the_older_ones(rig: Rig) -> None:
    other = [{"name": "tcp", "port": 43, "protocol": "TCP", "targetPort": 43}]
    services = await exported_twice(rig, {"ports": HELLO_PORTS[:1]}, {"ports": other})
    await both_are_told(services, "PortConflict")
    for member in rig.members:
        made = await services.imported(member)
        assert made and made["spec"]["ports"] == [{"name": "tcp", "port": 42, "protocol": "TCP"}]
        # what lost is in no slice: kube-proxy goes by the port's name
        assert not await services.slices(member, source=SECOND)


async def test_i12_and_i13_headless_services_have_no_address(rig: Rig) -> None:
    services = await exported(rig, FIRST, clusterIP="None")

    async def without_address() -> None:
        for member in rig.members:
            made = await services.imported(member)
            assert made and made["spec"]["type"] == "Headless"
            assert not made["spec"].get("ips") and made["spec"]["ipFamilies"] == ["IPv4"]
            assert await services.derived(member) is None

    await rig.holds(without_address, 5)
    await services.unexport(FIRST)
    await services.is_gone(*rig.members)


async def test_i14_external_names_are_refused(rig: Rig) -> None:
    services = Services(rig)
    await services.served()
    spec = {"type": "ExternalName", "externalName": "example.com"}
    document = hello_service(rig.namespace, **spec)
    del document["spec"]["selector"]
    await rig.apply(document, export(rig.namespace), server=FIRST)
    found = await services.told(FIRST, "Valid", "False", "InvalidServiceType")
    assert "ExternalName" in found["message"]

    async def nowhere() -> None:
        for member in rig.members:
            assert await services.imported(member) is None

    await rig.holds(nowhere, 5)


async def test_i15_the_older_type_holds(rig: Rig) -> None:
    services = await exported_twice(rig, {}, {"clusterIP": "None"})
    await both_are_told(services, "TypeConflict")
    for member in rig.members:
        made = await services.imported(member)
        assert made and made["spec"]["type"] == "ClusterSetIP"


async def test_e1_slices_of_the_exporter_are_in_every_cluster(rig: Rig) -> None:
    services = await exported(rig, FIRST)

    async def published() -> None:
        pods = await services.pods(FIRST)
        assert len(pods) == 1 and await services.addresses(FIRST, FIRST) == pods
        found = await services.the_slice(FIRST)
        labels = found["metadata"]["labels"]
        assert labels[names.IMPORT_NAME_LABEL] == "hello"
        assert labels[names.SOURCE_CLUSTER_LABEL] == FIRST
        assert labels[names.MANAGED_BY_LABEL] == names.SLICE_MANAGER
        assert labels[names.SERVICE_LABEL] == "derived-hello"
        assert {port["name"] for port in found["ports"]} == {"tcp", "udp"}
        assert all("targetRef" not in endpoint for endpoint in found["endpoints"])
        (owner,) = found["metadata"]["ownerReferences"]
        assert owner["kind"] == "ServiceImport" and "controller" not in owner

    await rig.eventually(published)
    await services.unexport(FIRST)
    await services.is_gone(*rig.members)


async def test_the_import_says_whether_it_has_slices(rig: Rig) -> None:
    services = await exported(rig, FIRST)

    async def present() -> None:
        made = await services.imported(FIRST)
        assert made and made["status"]["endpointSliceObjects"] == "Present"
        assert by_type(made)["Ready"]["reason"] == "Ready"

    await rig.eventually(present)
