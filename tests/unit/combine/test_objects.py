"""Documents of an import, and what is read back from them; endpoints that are believed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import msgspec
import pytest

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.routing import Route
from hansa.combine.export import Age, Offer, Port
from hansa.combine.merge import Incumbent, Merged
from hansa.combine.objects import derived_document, import_document, incumbent_of, made_of, route_of
from hansa.combine.slices import derived_name, slice_name
from hansa.combine.source import compact, is_own, parse_ranges, read_source
from hansa.combine.verdict import Obstacle, other_family

KEY = Key("shop", "web")
OFFER = Offer(
    ports=(Port("", 80), Port("grpc", 90, app_protocol="h2c")),
    session_affinity="ClientIP",
    session_affinity_config={"clientIP": {"timeoutSeconds": 7}},
    internal_traffic_policy="Cluster",
    ip_families=("IPv4", "IPv6"),
    labels={"a": "b"},
    annotations={"c": "d"},
)
MERGED = Merged(OFFER, Age("2026-01-01T00:00:00Z", "c1"))
ROUTE = Route(mode="direct")


@pytest.mark.parametrize(
    "offer", [OFFER, replace(OFFER, type="Headless", session_affinity="None", session_affinity_config=None)]
)
def test_an_import_says_all_that_it_was_made_of(offer):
    document = import_document(KEY, replace(MERGED, offer=offer), ROUTE, None)
    document["metadata"]["labels"]["somebody"] = "else"
    assert incumbent_of(Item.of(document)) == Incumbent(offer, MERGED.since)


DERIVED = Item.of(
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "derived-web"},
        "spec": {"clusterIPs": ["fd00::1", "10.0.0.1"], "ipFamilies": ["IPv6", "IPv4"]},
    }
)


def test_a_headless_import_has_no_addresses():
    headless = import_document(KEY, replace(MERGED, offer=replace(OFFER, type="Headless")), ROUTE, DERIVED)["spec"]
    assert "ips" not in headless and headless["ipFamilies"] == ["IPv4", "IPv6"]


@pytest.mark.parametrize(
    ("offered", "ips", "families"),
    [
        (("IPv4", "IPv6"), ["fd00::1", "10.0.0.1"], ["IPv6", "IPv4"]),
        (("IPv4",), ["10.0.0.1"], ["IPv4"]),
        ((), ["fd00::1", "10.0.0.1"], ["IPv6", "IPv4"]),
    ],
)
def test_an_import_has_the_addresses_of_families_that_are_offered(offered, ips, families):
    offer = replace(OFFER, ip_families=offered)
    spec = import_document(KEY, replace(MERGED, offer=offer), ROUTE, DERIVED)["spec"]
    assert (spec["ips"], spec["ipFamilies"]) == (ips, families)
    assert other_family(DERIVED, offer) is None


def test_an_import_of_a_family_that_the_cluster_has_not():
    offer = replace(OFFER, ip_families=("IPv6",))
    single = Item.of({**DERIVED.json(), "spec": {"clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}})
    spec = import_document(KEY, replace(MERGED, offer=offer), ROUTE, single)["spec"]
    assert "ips" not in spec and spec["ipFamilies"] == ["IPv6"]
    assert other_family(single, offer) == Obstacle(
        "the service is of IPv6, Services of this cluster are of IPv4 only", "IPFamilyNotSupported"
    )


def test_the_derived_service_has_every_family_of_its_cluster():
    spec = derived_document(KEY, replace(OFFER, ip_families=("IPv6",)))["spec"]
    assert spec["ipFamilyPolicy"] == "PreferDualStack" and "ipFamilies" not in spec
    assert [port["name"] for port in spec["ports"]] == ["80", "grpc"]


def test_an_import_of_somebody_else_is_not_ours_and_one_that_was_tampered_with_is():
    document = import_document(KEY, MERGED, ROUTE, None)
    del document["metadata"]["annotations"][names.EXPORTED_ANNOTATION]
    assert made_of(Item.of(document)) is None and incumbent_of(Item.of(document)) is None
    document["metadata"]["annotations"] |= {names.EXPORTED_ANNOTATION: "?", names.ROUTE_ANNOTATION: "?"}
    assert made_of(Item.of(document)) is not None and route_of(Item.of(document)) is None


def test_names_are_short_enough_and_their_own():
    long = "a" * 63
    assert derived_name("web") == "derived-web"
    assert len(derived_name(long)) <= 63 and derived_name(long) != derived_name("a" * 62 + "b")
    assert len(slice_name(long, "c" * 48, "x" * 253)) <= 253
    assert slice_name("web", "c1", "x") != slice_name("web", "c1", "y")


def slice_(*addresses, family="IPv4", name="s1", **labels):
    endpoints = [{"addresses": [each], "conditions": {}, "targetRef": {"name": "pod"}} for each in addresses]
    return Item.of(
        {
            "metadata": {"name": name, "labels": {names.SERVICE_LABEL: "web", **labels}, "managedFields": [{}]},
            "addressType": family,
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 80}],
        }
    )


def test_only_addresses_within_the_ranges_are_believed():
    ranges = parse_ranges("10.1.0.0/16, fd00::/8")
    assert ranges == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    found = read_source(
        [slice_("10.1.0.1", "10.2.0.1"), slice_("fd00::1", "fe80::1", family="IPv6", name="s2")], ranges
    )
    assert found.outside == ("10.2.0.1", "fe80::1") and found.ready == 2
    assert [len(each.endpoints) for each in found.slices] == [1, 1]
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        parse_ranges("10.0.0.0/99")


def test_no_more_endpoints_than_the_limit_and_no_names_for_addresses():
    found = read_source([slice_("10.0.0.1", "10.0.0.2", "10.0.0.3"), slice_("a.b", family="FQDN", name="s2")], (), 2)
    assert (found.left_out, found.ready, len(found.slices)) == (1, 2, 1)


@pytest.mark.parametrize("manager", [names.SLICE_MANAGER, "endpointslice-controller.karmada.io"])
def test_slices_of_other_clusters_are_not_exported_again(manager):
    assert is_own(slice_()) and not is_own(slice_(**{names.MANAGED_BY_LABEL: manager}))


def test_a_slice_is_kept_without_what_nobody_asks_for():
    kept = compact(slice_("10.0.0.1"))
    assert b"targetRef" not in kept.raw and b"managedFields" not in kept.raw
    assert msgspec.json.decode(kept.raw)["endpoints"][0]["addresses"] == ["10.0.0.1"]
