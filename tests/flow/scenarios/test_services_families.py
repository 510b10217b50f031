"""Services of IPv6, of IPv4 and of both, among members that have one family or two (KEP-1645, IPFamily)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from tests.support.rig import Rig
from tests.support.services import HELLO_PORTS, Services, by_type, endpoint, hello_service, slice_by_hand

from hansa.api import names, scheme
from hansa.api.meta import Json

DUAL, FIRST, SECOND = "dual", "member1", "member2"
BOTH_FAMILIES = "10.112.0.0/16,fd00:112::/108"
FLAT = {names.NETWORK_ANNOTATION: "flat"}
IPV4, IPV6 = ["IPv4"], ["IPv6"]
ADDRESSES = {"IPv4": "10.20.0.1", "IPv6": "fd00:20::1"}


@pytest.fixture
async def services(rig: Rig) -> Services:
    """With a member that has both families, IPv4 first, beside three that have IPv4; all are on one network."""
    await rig.add_member(DUAL, BOTH_FAMILIES)
    for member in rig.members:
        await rig.annotate_cluster(member, FLAT)
    found = Services(rig)
    await found.served()
    return found


async def serve(services: Services, member: str, families: list[str], **spec: Any) -> None:
    """A Service of these families with one endpoint of each, and its export."""
    policy = "SingleStack" if len(families) == 1 else "RequireDualStack"
    service = hello_service(
        services.namespace, ports=HELLO_PORTS[:1], ipFamilies=families, ipFamilyPolicy=policy, **spec
    )
    service["spec"].pop("selector")
    slices = [endpoints(services.namespace, family) for family in families]
    await services.rig.apply(service, *slices, server=member)
    await services.export(member)


def endpoints(namespace: str, family: str) -> Json:
    by_hand = slice_by_hand(namespace, [endpoint(ADDRESSES[family])], name=f"hello-{family.lower()}", port=("tcp", 42))
    return {**by_hand, "addressType": family}


async def has_families(services: Services, member: str, families: list[str]) -> None:
    """Wait until its import is ready and has an address of each of them, and of no other."""

    async def so() -> None:
        made = await services.imported(member)
        assert made and made["spec"].get("ipFamilies") == families, made
        assert by_type(made)["Ready"]["status"] == "True", made
        assert [f"IPv{ip_address(each).version}" for each in made["spec"]["ips"]] == families
        derived = await services.derived(member)
        assert derived and set(made["spec"]["ips"]) <= set(derived["spec"]["clusterIPs"])

    await services.rig.eventually(so)


async def addresses(services: Services, member: str) -> list[str]:
    made = await services.imported(member)
    assert made is not None
    return made["spec"]["ips"]


async def lacks_family(services: Services, member: str) -> None:
    """Wait until its import says that the member has not the family of the service."""

    async def so() -> None:
        made = await services.imported(member)
        assert made is not None
        ready = by_type(made)["Ready"]
        assert (ready["status"], ready["reason"]) == ("False", "IPFamilyNotSupported"), ready
        assert ready["message"] == "the service is of IPv6, Services of this cluster are of IPv4 only"
        assert not made["spec"].get("ips"), "no address that leads nowhere"

    await services.rig.eventually(so)


async def test_a_member_without_the_family_says_so_and_imports_when_it_changes(services: Services) -> None:
    rig = services.rig
    await serve(services, DUAL, IPV6)
    await has_families(services, DUAL, IPV6)
    singles = [member for member in rig.members if member != DUAL]
    for member in singles:
        await lacks_family(services, member)

    async def told() -> None:
        found = await services.condition(DUAL, "Ready")
        assert (found["status"], found["reason"]) == ("True", "Exported")
        assert all(f"{member}: " in found["message"] for member in singles), found

    await rig.eventually(told)
    await services.told(DUAL, "Conflict", "False", "NoConflicts")
    await rig.delete(scheme.SERVICES, "hello", services.namespace, server=DUAL)
    await serve(services, DUAL, IPV4)
    for member in rig.members:
        await has_families(services, member, IPV4)

    async def silent() -> None:
        assert (await services.condition(DUAL, "Ready"))["message"] == ""

    await rig.eventually(silent)


async def test_exporters_without_a_family_in_common_are_told(services: Services) -> None:
    rig = services.rig
    await serve(services, FIRST, IPV4)
    await services.is_imported(*rig.members)
    await rig.later(1.1)
    await serve(services, DUAL, IPV6)
    for member in (FIRST, DUAL):
        found = await services.told(member, "Conflict", "True", "IPFamilyConflict")
        assert f"IPv4 holds: 1 of 2 clusters have it, not {DUAL}" in found["message"]
        await services.told(member, "Ready", "True", "Exported")
    for member in rig.members:
        await has_families(services, member, IPV4)
    # whoever has the older family goes, and what holds is the younger one's
    await services.unexport(FIRST)
    await has_families(services, DUAL, IPV6)
    for member in (FIRST, SECOND):
        await lacks_family(services, member)
    await services.told(DUAL, "Conflict", "False", "NoConflicts")


async def test_exporters_that_share_a_family_are_in_no_conflict(services: Services) -> None:
    rig = services.rig
    await serve(services, DUAL, IPV4 + IPV6)
    await has_families(services, DUAL, IPV4 + IPV6)
    await has_families(services, FIRST, IPV4)

    async def a_slice_of_each() -> None:
        for member in rig.members:
            slices = await services.slices(member, source=DUAL)
            found = {each["addressType"]: [e["addresses"] for e in each["endpoints"]] for each in slices}
            assert len(slices) == 2 and found == {family: [[address]] for family, address in ADDRESSES.items()}

    await rig.eventually(a_slice_of_each)
    before = await addresses(services, DUAL)
    await rig.later(1.1)
    await serve(services, FIRST, IPV4)
    for member in rig.members:
        await has_families(services, member, IPV4)
    assert await addresses(services, DUAL) == before[:1]
    for member in (FIRST, DUAL):
        await services.told(member, "Conflict", "False", "NoConflicts")
    await services.unexport(FIRST)
    await has_families(services, DUAL, IPV4 + IPV6)
    assert await addresses(services, DUAL) == before, "an address stays, whoever comes and goes"


async def test_a_headless_service_needs_no_family_of_the_member(services: Services) -> None:
    """It has no address there, and names for its endpoints."""
    rig = services.rig
    await serve(services, DUAL, IPV6, clusterIP="None")
    await services.is_imported(*rig.members)
    for member in rig.members:
        made = await services.imported(member)
        assert made and made["spec"]["ipFamilies"] == IPV6 and "ips" not in made["spec"]

    async def has_its_endpoint() -> None:
        assert await services.addresses(FIRST, DUAL) == [ADDRESSES["IPv6"]]

    await rig.eventually(has_its_endpoint)
