"""Addresses and node ports of Services."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import Json
from hansa.apiserver.allocation import ServiceAllocator


def service(*ports: Json, **spec: Any) -> Json:
    return {"spec": {"type": "ClusterIP", "ports": list(ports) or [{"port": 80, "protocol": "TCP"}], **spec}}


def allocator() -> ServiceAllocator:
    return ServiceAllocator(("10.0.0.0/28",), (30000, 30009))


def test_addresses_are_given_out_once_and_come_back() -> None:
    ips = allocator()
    first = service()
    assert ips.create(first, dry_run=False) == []
    spec = first["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ipFamilies"] == ["IPv4"]
    assert spec["ipFamilyPolicy"] == "SingleStack"
    asked = service(clusterIP=spec["clusterIP"], clusterIPs=spec["clusterIPs"])
    (error,) = ips.create(asked, dry_run=False)
    assert error.detail == (
        f'spec.clusterIPs: Invalid value: ["{spec["clusterIP"]}"]: failed to allocate IP {spec["clusterIP"]}: '
        "provided IP is already allocated"
    )
    ips.settle(first, None)
    assert ips.create(asked, dry_run=False) == []


def test_the_range_ends() -> None:
    ips = allocator()
    taken = {service_["spec"]["clusterIP"] for service_ in _many(ips, 14)}
    assert len(taken) == 14
    (error,) = ips.create(service(), dry_run=False)
    assert "range is full" in error.detail


def _many(ips: ServiceAllocator, count: int) -> list[Json]:
    made = [service() for _ in range(count)]
    for one in made:
        assert ips.create(one, dry_run=False) == []
    return made


def test_a_dry_run_holds_nothing() -> None:
    ips = allocator()
    for _ in range(50):
        assert ips.create(service(type="NodePort"), dry_run=True) == []
    assert len(_many(ips, 14)) == 14


def test_node_ports() -> None:
    ips = allocator()
    tcp_and_udp = service({"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}, type="NodePort")
    assert ips.create(tcp_and_udp, dry_run=False) == []
    one, two = (port["nodePort"] for port in tcp_and_udp["spec"]["ports"])
    assert one == two
    assert 30000 <= one <= 30009
    again = service({"port": 1, "protocol": "TCP", "nodePort": one}, type="NodePort")
    (error,) = ips.create(again, dry_run=False)
    assert error.detail == f"spec.ports[0].nodePort: Invalid value: {one}: provided port is already allocated"
    outside = service({"port": 1, "protocol": "TCP", "nodePort": 80}, type="NodePort")
    (error,) = ips.create(outside, dry_run=False)
    assert error.detail.endswith("The range of valid ports is 30000-30009")


def test_what_fails_halfway_is_given_back() -> None:
    ips = allocator()
    for _ in range(30):
        bad = service({"port": 1, "protocol": "TCP", "nodePort": 80}, type="NodePort")
        assert ips.create(bad, dry_run=False)
    assert len(_many(ips, 14)) == 14


def test_update_keeps_adds_and_releases() -> None:
    ips = allocator()
    old = service()
    assert ips.create(old, dry_run=False) == []
    spec = old["spec"]
    new = {"spec": {**spec, "type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert ips.update(new, old, dry_run=False) == []
    assert new["spec"]["clusterIP"] == spec["clusterIP"]
    port = new["spec"]["ports"][0]["nodePort"]
    ips.settle(old, new)
    assert ips.claim_port(port, "TCP")
    ips.settle(new, old)
    assert ips.claim_port(port, "TCP") is None


def test_rollback_gives_back_what_only_the_new_one_has() -> None:
    ips = allocator()
    old = service()
    assert ips.create(old, dry_run=False) == []
    new = {"spec": {**old["spec"], "type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert ips.update(new, old, dry_run=False) == []
    ips.rollback(old, new)
    assert ips.claim_port(new["spec"]["ports"][0]["nodePort"], "TCP") is None
    assert ips.claim_address(old["spec"]["clusterIP"])


def test_load_balancers_get_a_health_check_port() -> None:
    ips = allocator()
    balanced = service(type="LoadBalancer", externalTrafficPolicy="Local")
    assert ips.create(balanced, dry_run=False) == []
    port = balanced["spec"]["healthCheckNodePort"]
    assert ips.claim_health_port(port)
    without = service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert ips.create(without, dry_run=False) == []
    assert "nodePort" not in without["spec"]["ports"][0]


def test_headless_and_external_names_take_nothing() -> None:
    ips = allocator()
    headless = service(clusterIPs=["None"], selector={"a": "b"})
    assert ips.create(headless, dry_run=False) == []
    assert headless["spec"]["clusterIP"] == "None"
    external = service(type="ExternalName")
    assert ips.create(external, dry_run=False) == []
    assert "clusterIP" not in external["spec"]
    assert len(_many(ips, 14)) == 14


def test_two_families() -> None:
    ips = ServiceAllocator(("10.0.0.0/28", "fd00::/120"))
    both = service(ipFamilyPolicy="PreferDualStack")
    assert ips.create(both, dry_run=False) == []
    assert both["spec"]["ipFamilies"] == ["IPv4", "IPv6"]
    assert both["spec"]["clusterIPs"][1].startswith("fd00::")
    six = service(ipFamilies=["IPv6"])
    assert ips.create(six, dry_run=False) == []
    assert six["spec"]["clusterIP"].startswith("fd00::")


def test_rebuild_takes_what_is_stored() -> None:
    first = allocator()
    stored = _many(first, 3)
    second = allocator()
    second.rebuild(stored)
    for one in stored:
        assert second.claim_address(one["spec"]["clusterIP"])
