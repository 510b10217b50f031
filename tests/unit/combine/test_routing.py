"""Tiers, weights, modes, and which clusters are behind the derived Service."""

from __future__ import annotations

import pytest

from hansa.api.meta import Key
from hansa.api.routing import ClusterWeight, ServiceRoutingPolicySpec
from hansa.combine.export import Offer, Port
from hansa.combine.routing import (
    LISTEN_FIRST,
    LISTEN_LAST,
    Exporter,
    Place,
    as_it_was,
    listen_ports,
    mode_of,
    route,
)
from hansa.combine.slices import reach, wanted_slices
from hansa.combine.source import Source, SourceSlice

HTTP = Port("http", 80)
OFFER = Offer(ports=(HTTP,), ip_families=("IPv4",))
HERE = Place("here", "north", "a", ("192.0.2.1",))
NO_GATEWAY = Place("here", "north", "a")
NEAR, FAR, FLAT = Place("near", "north", "b"), Place("far", "south", "c"), Place("flat", "south", "a")
NOTHING = ServiceRoutingPolicySpec()
FLAT_LAST = ServiceRoutingPolicySpec(failover_only=["flat"])


def serves(place: Place, ready: int = 1) -> Exporter:
    return Exporter(place, (HTTP,), ready)


def backends(policy: ServiceRoutingPolicySpec, *exporters: Exporter) -> dict[str, tuple[int, int]]:
    """Tier and weight by cluster."""
    found = route(HERE, OFFER, exporters, policy, {})
    return {b.cluster: (b.tier, b.weight) for b in (*found.backends, found.own) if b is not None}


@pytest.mark.parametrize(
    ("prefer", "tiers"),
    [
        (None, {"here": 0, "near": 1, "far": 2}),
        ("local", {"here": 0, "near": 1, "far": 2}),
        ("region", {"here": 0, "near": 0, "far": 1}),
        ("none", {"here": 0, "near": 0, "far": 0}),
    ],
)
def test_who_is_tried_first(prefer, tiers):
    policy = ServiceRoutingPolicySpec(prefer=prefer)
    found = backends(policy, serves(HERE), serves(NEAR), serves(FAR))
    assert {name: tier for name, (tier, _) in found.items()} == tiers


def test_clusters_without_region_are_not_near_each_other():
    found = route(Place("a"), OFFER, [serves(Place("a")), serves(Place("b"))], NOTHING, {})
    assert [(b.cluster, b.tier) for b in found.backends] == [("b", 1)]


def test_weights_are_ready_pods_unless_a_policy_says_otherwise():
    policy = ServiceRoutingPolicySpec(
        weights=[ClusterWeight(cluster="near", weight=9), ClusterWeight(cluster="far", weight=5)]
    )
    assert backends(policy, serves(HERE, 3), serves(NEAR, 2), serves(FAR, 0)) == {
        "here": (0, 3),
        "near": (1, 9),
        "far": (2, 0),
    }


def test_failover_comes_last_and_tiers_follow_each_other():
    policy = ServiceRoutingPolicySpec(failover_only=["near"])
    assert backends(policy, serves(NEAR), serves(FAR)) == {"far": (0, 1), "near": (1, 1)}


def test_who_is_no_consumer_has_its_own_pods_only():
    policy = ServiceRoutingPolicySpec(consumer_clusters=["far"])
    assert backends(policy, serves(HERE), serves(NEAR)) == {"here": (0, 1)}


def test_a_cluster_that_drains_has_no_weight_and_one_that_is_silent_keeps_its_own():
    before = route(HERE, OFFER, [serves(NEAR, 4), serves(FAR, 5)], NOTHING, {})
    exporters = [as_it_was(NEAR, before, OFFER, draining=True), as_it_was(FAR, before, OFFER, draining=False)]
    after = route(HERE, OFFER, exporters, NOTHING, {})
    assert [(b.cluster, b.weight, b.ports) for b in after.backends] == [("near", 0, ("http",)), ("far", 5, ("http",))]


@pytest.mark.parametrize(
    ("importer", "others", "policy", "mode"),
    [
        (NO_GATEWAY, [FAR], ServiceRoutingPolicySpec(mode="proxy"), "direct"),
        (HERE, [FLAT], NOTHING, "direct"),
        (HERE, [FLAT, FAR], NOTHING, "hybrid"),
        (HERE, [FLAT], ServiceRoutingPolicySpec(mode="hybrid"), "hybrid"),
        (HERE, [FAR], ServiceRoutingPolicySpec(mode="direct"), "direct"),
    ],
)
def test_modes(importer, others, policy, mode):
    assert mode_of(importer, [serves(place) for place in others], policy) == mode


@pytest.mark.parametrize(
    ("importer", "exporters", "policy", "active", "by_gateway", "unreachable"),
    [
        # hybrid: local while it suffices, else whoever is ready behind the gateway
        (HERE, [serves(HERE), serves(FAR)], NOTHING, {"here"}, False, ()),
        (HERE, [serves(HERE, 0), serves(FAR), serves(NEAR, 0)], NOTHING, {"far"}, True, ()),
        (HERE, [serves(HERE, 0), serves(FAR, 0)], NOTHING, {"here"}, False, ()),
        (HERE, [serves(HERE, 1), serves(FAR)], ServiceRoutingPolicySpec(min_local=2), {"far"}, True, ()),
        # proxy: the gateway, unless there is nothing behind it
        (HERE, [serves(HERE), serves(FAR)], ServiceRoutingPolicySpec(mode="proxy"), {"far"}, True, ()),
        (HERE, [serves(HERE)], ServiceRoutingPolicySpec(mode="proxy"), {"here"}, False, ()),
        # direct: everybody that can be reached
        (HERE, [serves(HERE), serves(FLAT)], NOTHING, {"here", "flat"}, False, ()),
        (HERE, [serves(FLAT), serves(FAR)], ServiceRoutingPolicySpec(mode="direct"), {"flat", "far"}, True, ()),
        (NO_GATEWAY, [serves(HERE), serves(FLAT), serves(FAR)], NOTHING, {"here", "flat"}, False, ("far",)),
        (NO_GATEWAY, [serves(HERE), serves(FLAT)], FLAT_LAST, {"here"}, False, ()),
        (NO_GATEWAY, [serves(FLAT)], FLAT_LAST, {"flat"}, False, ()),
        (HERE, [serves(FAR), serves(NEAR)], ServiceRoutingPolicySpec(exclude=["far"]), {"near"}, True, ()),
    ],
)  # fmt: skip
def test_who_is_behind_the_derived_service(importer, exporters, policy, active, by_gateway, unreachable):
    way = reach(importer, OFFER, exporters, policy)
    assert (set(way.active), way.by_gateway, way.unreachable) == (active, by_gateway, unreachable)


def test_local_pods_for_failover_do_not_count_while_none_of_them_is_ready():
    way = reach(NO_GATEWAY, OFFER, [serves(HERE, 0), serves(FLAT)], FLAT_LAST)
    assert set(way.active) == {"here", "flat"}


GRPC, DNS = Port("grpc", 90), Port("dns", 53, "UDP")
PROXY = ServiceRoutingPolicySpec(mode="proxy")
ALL = Offer(ports=(HTTP, GRPC, DNS), ip_families=("IPv4",))


@pytest.mark.parametrize(
    ("importer", "own", "others", "policy", "ways"),
    [
        # hybrid: what local pods do not serve takes the gateway, however many of them are ready
        (HERE, {HTTP}, {FAR: {HTTP, GRPC}}, NOTHING, {"here": {"http"}, "far": {"grpc"}}),
        (HERE, set(), {FAR: {HTTP}}, NOTHING, {"far": {"http"}}),
        # beyond the gateway nobody has it
        (HERE, {HTTP, GRPC}, {FAR: {GRPC}}, ServiceRoutingPolicySpec(min_local=2), {"here": {"http"}, "far": {"grpc"}}),
        (HERE, {HTTP}, {FAR: {GRPC}}, PROXY, {"here": {"http"}, "far": {"grpc"}}),
        # nor can it be carried
        (HERE, {HTTP, DNS}, {FAR: {HTTP, DNS}}, PROXY, {"here": {"dns"}, "far": {"http"}}),
        # direct: who is for failover is so for each port
        (NO_GATEWAY, {HTTP}, {FLAT: {HTTP, GRPC}}, FLAT_LAST, {"here": {"http"}, "flat": {"grpc"}}),
    ],
)  # fmt: skip
def test_every_port_has_a_way_of_its_own(importer, own, others, policy, ways):
    exporters = [Exporter(place, tuple(p for p in ALL.ports if p in ports), 1) for place, ports in others.items()]
    exporters.append(Exporter(importer, tuple(p for p in ALL.ports if p in own), 1))
    assert reach(importer, ALL, exporters, policy).active == ways


def test_ports_that_go_elsewhere_are_not_in_the_slices_behind_the_derived_service():
    wire = tuple({"name": port.name, "port": 8000 + port.number, "protocol": "TCP"} for port in (HTTP, GRPC))
    sources = {name: Source((SourceSlice("web-1", "IPv4", (pod(),), wire),), 1) for name in ("here", "far")}
    policy = ServiceRoutingPolicySpec(min_local=2)
    exporters = [Exporter(HERE, (HTTP, GRPC), 1), Exporter(FAR, (GRPC,), 1)]
    listen = {"http": 20000, "grpc": 20001}
    found = wanted_slices(Key("shop", "web"), HERE, ALL, exporters, sources, policy, listen)
    assert [[(port["name"], port["port"]) for port in slice_["ports"]] for slice_ in found] == [
        [("http", 8080)],
        [("grpc", 20001)],
    ]


def test_a_slice_has_only_the_ports_that_did_not_lose():
    endpoints = ({"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "nodeName": "n", "hints": {}},)
    ports = ({"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "lost", "port": 9, "protocol": "TCP"})
    sources = {"flat": Source((SourceSlice("web-1", "IPv4", endpoints, ports),), 1)}
    found = wanted_slices(Key("shop", "web"), NO_GATEWAY, OFFER, [serves(FLAT)], sources, NOTHING, {})
    assert [slice_["ports"] for slice_ in found] == [[ports[0]]]
    assert found[0]["endpoints"] == [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}]
    lost = [Exporter(FLAT, (), 1)]
    assert wanted_slices(Key("shop", "web"), NO_GATEWAY, OFFER, lost, sources, NOTHING, {}) == []


def test_slices_without_endpoints_are_not_published():
    ports = ({"name": "http", "port": 8080, "protocol": "TCP"},)
    sources = {"flat": Source((SourceSlice("web-1", "IPv4", (), ports), SourceSlice("web-2", "IPv6", (), ports)))}
    assert wanted_slices(Key("shop", "web"), NO_GATEWAY, OFFER, [serves(FLAT, 0)], sources, NOTHING, {}) == []


CLOSE = Offer(ports=OFFER.ports, traffic_distribution="PreferClose")


def hints(offer: Offer, own: tuple[dict, ...], *others: dict) -> list[list[str]]:
    """Zones of each endpoint's hints, own ones first."""
    ports = ({"name": "http", "port": 8080, "protocol": "TCP"},)
    sources = {
        place.cluster: Source((SourceSlice("web-1", "IPv4", endpoints, ports),), 1)
        for place, endpoints in ((NO_GATEWAY, own), (FLAT, others))
    }
    exporters = [serves(NO_GATEWAY), serves(FLAT)]
    found = wanted_slices(Key("shop", "web"), NO_GATEWAY, offer, exporters, sources, NOTHING, {})
    return [
        [zone["name"] for zone in (endpoint.get("hints") or {}).get("forZones", ())]
        for slice_ in found
        for endpoint in slice_["endpoints"]
    ]


def pod(zone: str = "", *hinted: str) -> dict:
    endpoint: dict = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
    endpoint |= {"zone": zone} if zone else {}
    return endpoint | ({"hints": {"forZones": [{"name": name} for name in hinted]}} if hinted else {})


@pytest.mark.parametrize(
    ("own", "others", "zones"),
    [
        # the cluster's own slice controller may know better
        ((pod("a", "a", "b"), pod("b")), (pod("a"), pod("c", "x")), [["a", "b"], ["b"], ["a"], ["c"]]),
        # without a zone, others are close to nobody
        ((pod("a"),), (pod(),), [["a"], ["flat"]]),
        # all or none
        ((pod("a", "a"), pod()), (pod("a"),), [[], [], []]),
        ((), (pod("a"), pod()), [["a"], ["flat"]]),
    ],
)
def test_zone_hints_are_on_all_endpoints_or_on_none(own, others, zones):
    assert hints(CLOSE, own, *others) == zones


def test_without_traffic_distribution_the_clusters_own_hints_stay_its_own():
    assert hints(OFFER, (pod("a", "a"),), pod("a", "a")) == [["a"], []]


def test_a_gateway_is_close_to_nobody():
    gateway = Place("here", network="flat", gateways=("10.9.9.9",))
    ports = ({"name": "http", "port": 8080, "protocol": "TCP"},)
    sources = {name: Source((SourceSlice("web-1", "IPv4", (pod("a"),), ports),), 1) for name in ("here", "far")}
    policy = ServiceRoutingPolicySpec(mode="direct")
    exporters = [serves(gateway), serves(FAR)]
    found = wanted_slices(Key("shop", "web"), gateway, CLOSE, exporters, sources, policy, {"http": 20000})
    assert [slice_["endpoints"][0]["hints"]["forZones"][0]["name"] for slice_ in found] == ["a", "far"]


def test_gateways_of_both_families_get_a_slice_each():
    importer = Place("here", "north", "a", ("192.0.2.1", "192.0.2.2", "2001:db8::1"))
    found = wanted_slices(
        Key("shop", "web"), importer, OFFER, [serves(FAR)], {"far": Source(ready=1)}, NOTHING, {"http": 20001}
    )
    assert [(slice_["addressType"], len(slice_["endpoints"])) for slice_ in found] == [("IPv4", 2), ("IPv6", 1)]
    assert len({slice_["metadata"]["name"] for slice_ in found}) == 2


def test_when_all_listen_ports_are_taken_there_is_none():
    taken = range(LISTEN_FIRST, LISTEN_LAST + 1)
    assert listen_ports("shop", "web", [HTTP], {}, taken) == {}
    assert listen_ports("shop", "web", [HTTP], {}, taken[:-1]) == {"http": LISTEN_LAST}
