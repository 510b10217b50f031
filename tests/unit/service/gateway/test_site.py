"""What a gateway has to do, from what its member says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.routing import Backend, Peer, Peers, Route, RoutePort
from hansa.service.gateway.endpoints import ready_pods
from hansa.service.gateway.hosts import Hosts, split
from hansa.service.gateway.site import Address, Site, fault_of, site_of

WEB = Key("shop", "web")
PEERS = Peers(
    cluster="a",
    clusterset="clusterset.local",
    peers=(
        Peer(cluster="b", region="r1", gateways=("10.0.0.2:15443",)),
        Peer(cluster="c", region="r2", gateways=("10.0.0.3:15443", "10.0.0.4:15443")),
    ),
)
PODS = {(WEB, "http"): [Address("10.1.0.1", 8080), Address("10.1.0.2", 8080)]}


def backend(cluster: str, tier: int, weight: int = 1, ports: tuple[str, ...] = ("http",)) -> Backend:
    return Backend(cluster=cluster, tier=tier, weight=weight, ports=ports)


def route(**changes: object) -> Route:
    given: dict[str, object] = {
        "mode": "proxy",
        "ports": (RoutePort(name="http", port=80, listen=20000),),
        "own": backend("a", 0, 2),
        "backends": (backend("b", 1, 3), backend("c", 2, 5)),
    }
    return Route(**(given | changes))  # type: ignore[arg-type]


def site(one: Route, exported: frozenset[Key] = frozenset([WEB]), pods: object = None, peers: Peers = PEERS) -> Site:
    found = PODS if pods is None else pods
    return site_of(peers, {WEB: one}, exported, found, Hosts().gateways(peers), inbound_port=15443)  # type: ignore[arg-type]


def test_an_exported_port_is_for_all_members_and_leads_to_own_pods() -> None:
    (inbound,) = site(route()).inbounds
    assert inbound.server_name == "http.web.shop.svc.clusterset.local"
    assert inbound.consumers == ("b", "c")
    assert not inbound.restricted
    assert inbound.pods == (Address("10.1.0.1", 8080), Address("10.1.0.2", 8080))


def test_consumers_are_members_only() -> None:
    (inbound,) = site(route(consumers=("c", "gone"))).inbounds
    assert (inbound.consumers, inbound.restricted) == (("c",), True)


def test_what_nobody_may_use_is_not_offered() -> None:
    assert site(route(consumers=())).inbounds == ()
    assert site(route(consumers=("gone",))).inbounds == ()
    assert site(route(), peers=Peers(cluster="a", clusterset="clusterset.local")).inbounds == ()


def test_only_exports_with_ready_pods_and_ports_of_their_own_are_offered() -> None:
    assert site(route(), exported=frozenset()).inbounds == ()
    assert site(route(), pods={}).inbounds == ()
    assert site(route(own=None)).inbounds == ()
    assert site(route(own=backend("a", 0, ports=("grpc",)))).inbounds == ()


def test_tiers_become_priorities_with_weights() -> None:
    (outbound,) = site(route()).outbounds
    assert outbound.listen == 20000
    assert [(one.cluster, one.priority, one.weight) for one in outbound.localities] == [
        ("", 0, 2),
        ("b", 1, 3),
        ("c", 2, 5),
    ]
    assert outbound.localities[2].addresses == (Address("10.0.0.3", 15443), Address("10.0.0.4", 15443))


def test_a_tier_keeps_its_rank_while_nobody_is_ready_in_it() -> None:
    (outbound,) = site(route(), pods={}).outbounds
    assert [(one.cluster, one.priority, len(one.addresses)) for one in outbound.localities] == [
        ("", 0, 0),
        ("b", 1, 1),
        ("c", 2, 2),
    ]


def test_ranks_have_no_gaps() -> None:
    (outbound,) = site(route(own=None, backends=(backend("b", 2), backend("c", 7)))).outbounds
    assert [one.priority for one in outbound.localities] == [0, 1]
    assert outbound.priorities == 2


def test_who_drains_or_left_gets_nothing() -> None:
    (outbound,) = site(route(backends=(backend("b", 1, 0), backend("gone", 1)))).outbounds
    assert [one.addresses for one in outbound.localities if one.cluster] == [(), ()]


def test_a_port_goes_to_clusters_that_have_it() -> None:
    ports = (RoutePort(name="http", port=80, listen=20000), RoutePort(name="grpc", port=90, listen=20001))
    found = site(route(ports=ports, backends=(backend("b", 1, ports=("grpc",)), backend("c", 1))))
    by_port = {one.name: [place.cluster for place in one.localities] for one in found.outbounds}
    assert by_port == {"shop/web/http": ["", "c"], "shop/web/grpc": ["b"]}


def test_ports_without_a_name_are_called_by_their_number() -> None:
    """As the hub's `route` has it, in what backends serve too."""
    own, other = backend("a", 0, ports=("80",)), backend("b", 1, ports=("80",))
    pods = {(WEB, ""): [Address("10.1.0.1", 8080)]}
    found = site(route(ports=(RoutePort(name="", port=80, listen=20000),), own=own, backends=(other,)), pods=pods)
    assert [one.server_name for one in found.inbounds] == ["80.web.shop.svc.clusterset.local"]
    assert [place.cluster for place in found.outbounds[0].localities] == ["", "b"]


def test_other_protocols_are_left_alone() -> None:
    found = site(route(ports=(RoutePort(name="http", port=80, listen=20000, protocol="UDP"),)))
    assert (found.inbounds, found.outbounds) == ((), ())


def test_a_port_of_the_gateway_is_given_once() -> None:
    peers, pods, routes = PEERS, PODS, {WEB: route(), Key("shop", "other"): route()}
    found = site_of(peers, routes, frozenset(), pods, {}, inbound_port=15443)
    assert [one.name for one in found.outbounds] == ["shop/other/http"]
    assert found.faults == ("shop/web/http: port 20000 of the gateway is taken by shop/other/http",)
    clash = route(ports=(RoutePort(name="http", port=80, listen=15443),))
    assert "taken by other gateways" in site(clash).faults[0]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"ports": (RoutePort(name="*", port=80),)}, "no name"),
        ({"ports": (RoutePort(name="Web", port=80),)}, "no name"),
        ({"ports": (RoutePort(name="a/b", port=80),)}, "no name"),
        ({"ports": (RoutePort(name="http", port=80), RoutePort(name="http", port=81))}, "twice"),
        ({"ports": (RoutePort(name="http", port=80, listen=70000),)}, "listen"),
        ({"min_healthy_percent": 0}, "min_healthy_percent"),
        ({"backends": (backend("b", 1, -1),)}, "weight"),
        ({"backends": (backend("b", 1, 10**9),)}, "weight"),
        ({"backends": tuple(backend(f"c{tier}", tier) for tier in range(200))}, "tiers"),
        ({"backends": (backend("b", 1), backend("b", 2))}, "twice"),
    ],
)
def test_a_route_that_envoy_would_refuse_is_of_no_use(changes: dict[str, object], word: str) -> None:
    assert fault_of(route()) == ""
    assert word in fault_of(route(**changes))


def test_a_name_for_two_protocols_is_one_name() -> None:
    ports = (RoutePort(name="", port=53), RoutePort(name="", port=53, protocol="UDP"))
    assert fault_of(route(ports=ports)) == ""


def endpoint_slice(name: str, labels: dict[str, str], *endpoints: dict[str, object], port: object = 8080) -> Item:
    return Item.of(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "shop", "labels": labels},
            "addressType": "IPv4",
            "endpoints": list(endpoints),
            "ports": [{"name": "http", "protocol": "TCP", "port": port}],
        }
    )


def test_pods_are_the_ready_ones_of_the_members_own_slices() -> None:
    own = {"kubernetes.io/service-name": "web"}
    ours = own | {"endpointslice.kubernetes.io/managed-by": "hansa-mcs"}
    ready = {"addresses": ["10.1.0.1"], "conditions": {"ready": True}}
    unsaid = {"addresses": ["10.1.0.2"], "conditions": {}}
    slices = [
        endpoint_slice("1", own, ready, {"addresses": ["10.1.0.9"], "conditions": {"ready": False}}),
        endpoint_slice("2", own, unsaid, ready),
        endpoint_slice("3", ours, {"addresses": ["10.9.0.1"]}),
        endpoint_slice("4", {"kubernetes.io/service-name": "other"}, {"addresses": ["10.9.0.2"]}),
        endpoint_slice("5", own, {"addresses": ["10.9.0.3"]}, port="broken"),
    ]
    assert ready_pods(slices, frozenset([WEB])) == PODS


def test_places_of_gateways() -> None:
    assert split("10.0.0.1:15443") == ("10.0.0.1", 15443)
    assert split("[fd00::1]:15443") == ("fd00::1", 15443)
    assert split("gateway.example.com:443") == ("gateway.example.com", 443)
    assert [split(one) for one in ("", "host", "host:", ":1", "host:0", "host:65536", "host:x")] == [None] * 7


async def test_a_resolver_that_fails_takes_no_gateway_away(tmp_path: Path) -> None:
    answers: list[list[str] | OSError] = [["10.0.0.2", "10.0.0.1"], OSError("no resolver"), [], ["10.0.0.3"]]

    async def lookup(host: str) -> list[str]:
        assert host == "gw.example.com"
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    peers = Peers(
        cluster="a", clusterset="clusterset.local", peers=(Peer(cluster="b", gateways=("gw.example.com:1", "[::1]:2")),)
    )
    hosts = Hosts(lookup)
    assert hosts.gateways(peers) == {"b": [Address("::1", 2)]}
    assert await hosts.refresh(peers)
    known = {"b": [Address("10.0.0.1", 1), Address("10.0.0.2", 1), Address("::1", 2)]}
    assert hosts.gateways(peers) == known
    hosts.remember(tmp_path / "hosts.json")
    restarted = Hosts(lookup)
    restarted.recall(tmp_path / "hosts.json")
    assert restarted.gateways(peers) == known
    assert not await hosts.refresh(peers)
    assert not await hosts.refresh(peers)
    assert hosts.gateways(peers) == known
    assert await hosts.refresh(peers)
    assert hosts.gateways(peers) == {"b": [Address("10.0.0.3", 1), Address("::1", 2)]}
