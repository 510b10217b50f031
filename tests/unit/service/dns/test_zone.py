"""Services of the zone from objects of the member, and what questions about them find."""

from __future__ import annotations

import msgspec
import pytest
from dnslib import QTYPE, DNSLabel
from tests.wire.dns_cases import endpoint, imported, slice_of

from hansa.api.item import Item
from hansa.api.routing import Peer, Peers
from hansa.service.dns.build import Distances, service_of
from hansa.service.dns.resolve import SRV_SUBSET, SUBSET, Answer, resolve
from hansa.service.dns.zone import Service, Zone

DOMAIN = ("clusterset", "local")
HERE = Distances.of(
    Peers(
        cluster="here",
        clusterset="clusterset.local",
        region="north",
        peers=(Peer(cluster="near", region="north"), Peer(cluster="far", region="south")),
    )
)
PG = (("pg", "TCP", 5432),)


def headless(*slices: dict, name: str = "db") -> Service:
    return service_of(Item.of(imported(name)), [Item.of(one) for one in slices], HERE)


def ask(service: Service, qtype: str, *below: str, moment: int = 0) -> Answer:
    zone = Zone.of(DOMAIN, 1, [service], cluster="here")
    name = (*below, *service.labels)
    return resolve(zone, name, DNSLabel(".".join((*name, *DOMAIN))), getattr(QTYPE, qtype), moment)


def data(answer: Answer) -> list[str]:
    return [str(record.rdata) for record in answer.records]


def crowd(cluster: str, size: int, third: int = 1) -> list[dict]:
    pods = [endpoint(f"10.{third}.{n // 250}.{n % 250 + 1}", f"p-{n}") for n in range(size)]
    return [
        slice_of("db", cluster, pods[at : at + 100], PG) | {"metadata": slice_of("db", cluster, [], PG)["metadata"]}
        for at in range(0, size, 100)
    ]


def test_a_pod_of_two_families_is_one_host() -> None:
    service = headless(
        slice_of("db", "far", [endpoint("10.1.0.1", "db-0")], PG),
        slice_of("db", "far", [endpoint("fd01:0:0::1", "db-0")], PG, "IPv6"),
    )
    (host,) = service.hosts
    assert (host.name, host.cluster, host.addresses) == ("db-0", "far", ("10.1.0.1", "fd01::1"))


def test_what_is_not_said_about_readiness_is_ready() -> None:
    service = headless(slice_of("db", "far", [{"addresses": ["10.1.0.1"]}], PG))
    assert [host.name for host in service.hosts] == ["10-1-0-1"]


def test_equal_host_names_in_two_clusters_are_two_hosts() -> None:
    service = headless(
        slice_of("db", "far", [endpoint("10.1.0.1", "db-0")], PG),
        slice_of("db", "near", [endpoint("10.2.0.1", "db-0")], PG),
    )
    assert data(ask(service, "A", "db-0", "far")) == ["10.1.0.1"]
    assert data(ask(service, "A", "db-0", "near")) == ["10.2.0.1"]


@pytest.mark.parametrize(
    "broken",
    [
        {"endpoints": "none"},
        {"endpoints": [{"addresses": ["not an address"]}]},
        {"addressType": "FQDN", "endpoints": [{"addresses": ["db.example.com"]}]},
        {"endpoints": [{"addresses": ["10.9.0.1"], "hostname": "no_label"}]},
        {"metadata": {"name": "x", "namespace": "shop", "labels": {}}},
    ],
)
def test_a_slice_that_makes_no_sense_takes_nothing_from_the_others(broken: dict) -> None:
    good = slice_of("db", "near", [endpoint("10.2.0.1", "db-0")], PG)
    bad = slice_of("db", "far", [endpoint("10.9.0.1", "db-1")], PG) | broken
    assert [host.cluster for host in headless(bad, good).hosts] == ["near"]


def test_an_import_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError):
        service_of(Item.of(imported("db") | {"spec": {"type": "Other", "ports": []}}), [], HERE)


def test_a_choice_of_pods_holds_for_both_families_and_one_moment() -> None:
    both = [
        endpoint(address.format(n), f"p-{n}") for address in ("10.1.0.{}", "fd01::{}") for n in range(1, SUBSET + 51)
    ]
    v4, v6 = both[: SUBSET + 50], both[SUBSET + 50 :]
    service = headless(slice_of("db", "far", v4, PG), slice_of("db", "far", v6, PG, "IPv6"))
    first, second = ask(service, "A", moment=1), ask(service, "AAAA", moment=1)
    assert first.changes and len(first.records) == SUBSET
    assert {text.rpartition(".")[2] for text in data(first)} == {
        str(int(text.rpartition(":")[2])) for text in data(second)
    }
    assert data(ask(service, "A", moment=1)) == data(first)
    assert set(data(ask(service, "A", moment=2))) != set(data(first))


def test_the_nearest_pods_come_first_into_a_choice() -> None:
    service = headless(*crowd("far", 150, 1), *crowd("near", 60, 2), *crowd("here", 10, 3))
    clusters = [text.split(".")[1] for text in data(ask(service, "A"))]
    assert sorted(set(clusters)) == ["1", "2", "3"]
    assert (clusters.count("3"), clusters.count("2"), clusters.count("1")) == (10, 60, SUBSET - 70)


def test_srv_records_name_every_pod_as_far_as_a_message_goes() -> None:
    assert len(ask(headless(*crowd("far", 150)), "SRV").records) == 150
    assert len(ask(headless(*crowd("far", SRV_SUBSET + 30)), "SRV").records) == SRV_SUBSET


def test_addresses_of_srv_targets_come_along() -> None:
    answer = ask(headless(*crowd("far", 2)), "SRV")
    assert [(str(record.rname), str(record.rdata)) for record in answer.additional] == [
        ("p-0.far.db.shop.svc.clusterset.local.", "10.1.0.1"),
        ("p-1.far.db.shop.svc.clusterset.local.", "10.1.0.2"),
    ]


def test_a_pod_whose_name_would_be_too_long_has_none_and_takes_nothing_from_the_others() -> None:
    long = slice_of("db", "c" * 63, [endpoint("10.1.0.1", "h" * 63)], PG)
    namespace, name = "n" * 63, "s" * 63
    item = Item.of({**imported(name), "metadata": {"name": name, "namespace": namespace}})
    service = service_of(item, [Item.of(long), Item.of(slice_of("db", "far", [endpoint("10.1.0.2", "h")], PG))], HERE)
    assert data(ask(service, "A")) == ["10.1.0.1", "10.1.0.2"]
    only = [f"0 100 5432 h.far.{name}.{namespace}.svc.clusterset.local."]
    assert data(ask(service, "SRV")) == data(ask(service, "SRV", "_pg", "_tcp")) == only


def test_each_port_is_found_only_where_it_is_exposed() -> None:
    service = headless(
        slice_of("db", "far", [endpoint("10.1.0.1", "db-0")], PG),
        slice_of("db", "near", [endpoint("10.2.0.1", "db-0")], (("admin", "TCP", 8080),)),
    )
    assert data(ask(service, "SRV", "_pg", "_tcp")) == ["0 100 5432 db-0.far.db.shop.svc.clusterset.local."]
    assert data(ask(service, "SRV", "_admin", "_tcp")) == ["0 100 8080 db-0.near.db.shop.svc.clusterset.local."]


def test_the_servers_of_the_zone_are_named_where_they_are_known() -> None:
    zone = Zone.of(DOMAIN, 7, [], servers=("10.0.0.53", "fd00::53"))
    apex = resolve(zone, (), DNSLabel("clusterset.local"), QTYPE.NS, 0)
    assert data(apex) == ["ns.dns.clusterset.local."]
    assert data(resolve(zone, ("ns", "dns"), DNSLabel("ns.dns.clusterset.local"), QTYPE.A, 0)) == ["10.0.0.53"]
    (soa,) = data(resolve(zone, (), DNSLabel("clusterset.local"), QTYPE.SOA, 0))
    assert soa.split()[2] == "7"
