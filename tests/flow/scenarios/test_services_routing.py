"""Ways to a service: gateways, modes, tiers and weights, policies, and what gateways are told of each other."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.objects import deployment, metadata
from tests.support.rig import Rig
from tests.support.services import Services, by_type, endpoint, exported, hello_service, routing_policy, slice_by_hand

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.api.routing import Backend, Peers, Route
from hansa.combine.routing import LISTEN_FIRST, LISTEN_LAST
from hansa.kube.errors import Invalid

FIRST, SECOND, THIRD = "member1", "member2", "member3"
GATEWAY = "192.0.2.7"
SYSTEM: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.HANSA_NAMESPACE}}


def policy(rig: Rig, **spec: object) -> Json:
    return routing_policy(rig.namespace, **spec)


async def with_gateway(rig: Rig, member: str) -> None:
    """As a gateway that runs there says."""
    gateway: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(names.GATEWAY_ADDRESSES, names.HANSA_NAMESPACE),
        "data": {names.GATEWAY_ADDRESSES_KEY: GATEWAY},
    }
    # another scenario's namespace may be on its way out
    await rig.eventually(lambda: rig.apply(SYSTEM, gateway, server=member))


async def without_gateway(rig: Rig, member: str) -> None:
    await rig.delete(scheme.CONFIGMAPS, names.GATEWAY_ADDRESSES, names.HANSA_NAMESPACE, server=member)


async def published(rig: Rig, *members: str, replicas: int = 1) -> Services:
    """Exported, and the members have the slices of their own pods."""
    services = await exported(rig, *members, replicas=replicas)

    async def seen() -> None:
        for member in members:
            assert len(await services.addresses(member, member)) == replicas

    await rig.eventually(seen)
    return services


async def route_of(services: Services, member: str) -> Route:
    found = await services.imported(member)
    assert found is not None
    return msgspec.json.decode(found["metadata"]["annotations"][names.ROUTE_ANNOTATION], type=Route)


async def behind(services: Services, member: str, port: str = "tcp") -> list[str]:
    """Addresses that this port of the derived Service spreads over."""
    labels = f"{names.SERVICE_LABEL}=derived-hello"
    found = await services.rig.list(member, scheme.ENDPOINT_SLICES, services.namespace, labels=labels)
    serving = [slice_ for slice_ in found if any(each["name"] == port for each in slice_["ports"])]
    return sorted({a for slice_ in serving for endpoint in slice_["endpoints"] for a in endpoint["addresses"]})


async def test_hybrid_stays_local_while_enough_pods_are_ready(rig: Rig) -> None:
    services = await published(rig, FIRST, SECOND)
    await with_gateway(rig, FIRST)
    pods = await services.pods(FIRST)

    async def local() -> None:
        route = await route_of(services, FIRST)
        assert route.mode == "hybrid"
        assert await behind(services, FIRST) == pods

    await rig.eventually(local)
    await rig.apply(deployment("hello", rig.namespace, replicas=0), server=FIRST)

    async def through_the_gateway() -> None:
        assert await behind(services, FIRST) == [GATEWAY]
        found = await services.the_slice(FIRST, source=SECOND)
        route = await route_of(services, FIRST)
        (tcp,) = [port for port in route.ports if port.protocol == "TCP"]
        assert found["ports"] == [{"name": "tcp", "port": tcp.listen, "protocol": "TCP"}]
        assert LISTEN_FIRST <= tcp.listen <= LISTEN_LAST
        assert all(port.listen == 0 for port in route.ports if port.protocol != "TCP")
        made = await services.imported(FIRST)
        assert made and by_type(made)["hansa.dev/PartiallyRoutable"]["message"].endswith("udp 42/UDP")

    await rig.eventually(through_the_gateway)
    listen = (await route_of(services, FIRST)).ports
    await rig.apply(policy(rig, minLocal=2))
    await rig.apply(deployment("hello", rig.namespace, replicas=1), server=FIRST)

    async def one_is_too_few() -> None:
        assert (await route_of(services, FIRST)).own == Backend(cluster=FIRST, tier=0, weight=1, ports=("tcp", "udp"))
        assert await behind(services, FIRST, "udp") == await services.pods(FIRST), "the gateway could not carry it"
        await through_the_gateway()

    await rig.eventually(one_is_too_few)
    await rig.apply(deployment("hello", rig.namespace, replicas=2), server=FIRST)

    async def enough() -> None:
        assert len(await behind(services, FIRST)) == 2 and GATEWAY not in await behind(services, FIRST)

    await rig.eventually(enough)
    assert (await route_of(services, FIRST)).ports == listen
    await without_gateway(rig, FIRST)


async def test_a_cluster_that_does_not_export_goes_through_its_gateway(rig: Rig) -> None:
    services = await published(rig, FIRST, SECOND, replicas=2)
    await with_gateway(rig, THIRD)

    async def routed() -> None:
        assert await behind(services, THIRD) == [GATEWAY]
        route = await route_of(services, THIRD)
        assert route.own is None and route.mode == "hybrid"
        assert [(b.cluster, b.weight, b.ports) for b in route.backends] == [
            (FIRST, 2, ("tcp", "udp")),
            (SECOND, 2, ("tcp", "udp")),
        ]

    await rig.eventually(routed)
    await rig.apply(policy(rig, weights=[{"cluster": SECOND, "weight": 7}], failoverOnly=[FIRST]))

    async def weighted() -> None:
        route = await route_of(services, THIRD)
        assert [(b.cluster, b.tier, b.weight) for b in route.backends] == [(SECOND, 0, 7), (FIRST, 1, 2)]

    await rig.eventually(weighted)
    await rig.apply(policy(rig, exclude=[FIRST]))

    async def excluded() -> None:
        assert [b.cluster for b in (await route_of(services, THIRD)).backends] == [SECOND]
        assert not await services.slices(THIRD, source=FIRST)
        assert (await route_of(services, FIRST)).own is not None

    await rig.eventually(excluded)
    await without_gateway(rig, THIRD)


async def test_proxy_always_takes_the_gateway_and_direct_never_between_clusters_of_a_network(rig: Rig) -> None:
    for member in (FIRST, SECOND):
        await rig.annotate_cluster(member, {names.NETWORK_ANNOTATION: "flat"})
    services = await published(rig, FIRST, SECOND)
    await with_gateway(rig, FIRST)
    pods = sorted([*await services.pods(FIRST), *await services.pods(SECOND)])

    async def direct() -> None:
        assert (await route_of(services, FIRST)).mode == "direct"
        assert await behind(services, FIRST) == pods

    await rig.eventually(direct)
    await rig.apply(policy(rig, mode="proxy"))

    async def proxied() -> None:
        assert (await route_of(services, FIRST)).mode == "proxy"
        assert await behind(services, FIRST) == [GATEWAY]
        assert await services.addresses(FIRST, FIRST) == await services.pods(FIRST)

    await rig.eventually(proxied)
    await without_gateway(rig, FIRST)
    await rig.eventually(direct)


async def test_what_is_close_is_preferred_in_whichever_cluster_it_is(rig: Rig) -> None:
    services = Services(rig)
    service = hello_service(rig.namespace, trafficDistribution="PreferClose")
    del service["spec"]["selector"]
    await services.served()
    for member, zones in ((FIRST, ("a", "b")), (SECOND, ("b", ""))):
        await rig.annotate_cluster(member, {names.NETWORK_ANNOTATION: "flat"})
        endpoints = [
            endpoint(f"10.200.{member[-1]}.{n}") | ({"zone": zone} if zone else {}) for n, zone in enumerate(zones)
        ]
        await rig.apply(service, slice_by_hand(rig.namespace, endpoints, port=("tcp", 42)), server=member)
        await services.export(member)

    async def hinted() -> None:
        found = {
            endpoint["addresses"][0]: [zone["name"] for zone in endpoint["hints"]["forZones"]]
            for slice_ in await services.slices(FIRST)
            for endpoint in slice_["endpoints"]
        }
        assert found == {"10.200.1.0": ["a"], "10.200.1.1": ["b"], "10.200.2.0": ["b"], "10.200.2.1": [SECOND]}

    await rig.eventually(hinted)
    for member in (FIRST, SECOND):
        await rig.patch(scheme.SERVICES, "hello", {"spec": {"trafficDistribution": None}}, rig.namespace, server=member)

    async def plain() -> None:
        found = await services.slices(FIRST)
        assert found and not any("hints" in endpoint for slice_ in found for endpoint in slice_["endpoints"])

    await rig.eventually(plain)


async def test_only_consumers_import(rig: Rig) -> None:
    services = Services(rig)
    await rig.apply(policy(rig, consumerClusters=[SECOND]))
    await services.run(FIRST)
    await services.export(FIRST)
    await services.is_imported(FIRST, SECOND)

    async def not_there() -> None:
        assert await services.imported(THIRD) is None

    await rig.holds(not_there, 3)
    assert (await route_of(services, FIRST)).consumers == (SECOND,)
    await rig.apply(policy(rig, consumerClusters=[THIRD]))
    await services.is_gone(SECOND)
    await services.is_imported(FIRST, THIRD)
    await rig.delete(scheme.SERVICE_ROUTING_POLICIES, "hello", rig.namespace)
    await services.is_imported(*rig.members)


async def test_a_policy_is_accepted_whatever_clusters_are_joined(rig: Rig) -> None:
    await rig.apply(policy(rig, exclude=["not-yet"]))

    async def accepted() -> None:
        found = await rig.get("hub", scheme.SERVICE_ROUTING_POLICIES, "hello", rig.namespace)
        assert found is not None
        said = by_type(found)["Accepted"]
        assert (said["status"], said["reason"]) == ("True", "Accepted") and "not-yet" in said["message"]
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]

    await rig.eventually(accepted)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"exclude": [FIRST], "failoverOnly": [SECOND, FIRST]}, "spec.failoverOnly[1]"),
        ({"exclude": [FIRST], "weights": [{"cluster": FIRST, "weight": 1}]}, "spec.weights[0].cluster"),
        ({"weights": [{"cluster": FIRST, "weight": 0}]}, "spec.weights[0].weight"),
        ({"consumerClusters": [FIRST, FIRST]}, "spec.consumerClusters[1]"),
        ({"consumerClusters": ["Not A Name"]}, "spec.consumerClusters[0]"),
        ({"mode": "proxy", "minLocal": 2}, "spec.minLocal"),
        ({"mode": "sideways"}, "spec.mode"),
    ],
)
async def test_a_policy_that_contradicts_itself_is_refused(rig: Rig, spec: Json, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await rig.hub.create(scheme.SERVICE_ROUTING_POLICIES, policy(rig, **spec))
    assert field in refused.value.message


async def test_gateways_are_told_of_each_other(rig: Rig) -> None:
    await rig.annotate_cluster(
        SECOND, {names.GATEWAYS_ANNOTATION: "192.0.2.1:15443, gw.example.com:15443", names.NETWORK_ANNOTATION: "flat"}
    )
    await rig.eventually(lambda: rig.apply(SYSTEM, server=FIRST))

    async def told() -> None:
        found = await rig.get(FIRST, scheme.CONFIGMAPS, names.PEERS, names.HANSA_NAMESPACE)
        assert found is not None
        peers = msgspec.json.decode(found["data"][names.PEERS_KEY], type=Peers)
        assert (peers.cluster, peers.clusterset) == (FIRST, names.CLUSTERSET)
        by_name = {peer.cluster: peer for peer in peers.peers}
        assert by_name.keys() == {SECOND, THIRD}
        assert by_name[SECOND].gateways == ("192.0.2.1:15443", "gw.example.com:15443")
        assert by_name[SECOND].network == "flat" and by_name[THIRD].gateways == ()

    await rig.eventually(told)
    wrong: Json = {"data": {names.PEERS_KEY: '{"cluster":"nobody","clusterset":""}'}}
    await rig.patch(scheme.CONFIGMAPS, names.PEERS, wrong, names.HANSA_NAMESPACE, server=FIRST)
    await rig.eventually(told)
    assert await rig.get(SECOND, scheme.CONFIGMAPS, names.PEERS, names.HANSA_NAMESPACE) is None


async def test_a_service_of_the_same_name_as_the_derived_one_is_in_the_way(rig: Rig) -> None:
    services = Services(rig)
    await rig.apply(hello_service(rig.namespace, name="derived-hello"), server=SECOND)
    await services.run(FIRST)
    await services.export(FIRST)

    async def told() -> None:
        made = await services.imported(SECOND)
        assert made is not None
        said = by_type(made)["Ready"]
        assert said["status"] == "False" and "derived-hello" in said["message"]
        assert SECOND in (await services.condition(FIRST, "Ready"))["message"]
        taken = await services.derived(SECOND)
        assert taken and taken["spec"]["selector"] == {"app": "derived-hello"}

    await rig.eventually(told)
    await rig.delete(scheme.SERVICES, "derived-hello", rig.namespace, server=SECOND)
    await services.is_imported(*rig.members)


async def test_of_several_gateways_behind_a_service_the_ready_ones_are_taken(rig: Rig) -> None:
    """As a Deployment that is rolled goes through; when none is ready, they have not gone."""
    services = await published(rig, SECOND)
    first, second = "10.9.0.1", "10.9.0.2"

    async def gateways(**ready: bool) -> None:
        obj = slice_by_hand(
            names.HANSA_NAMESPACE,
            [endpoint(first, ready=ready["first"]), endpoint(second, ready=ready["second"])],
            service="hansa-gateway",
            name="hansa-gateway-1",
            port=("clusters", 15443),
        )
        await rig.eventually(lambda: rig.apply(SYSTEM, obj, server=FIRST))

    async def spread_over(*addresses: str) -> None:
        async def done() -> None:
            assert await behind(services, FIRST) == list(addresses)

        await rig.eventually(done)

    await gateways(first=True, second=True)
    await spread_over(first, second)
    await gateways(first=False, second=True)
    await spread_over(second)
    await gateways(first=False, second=False)
    await spread_over(first, second)
    await rig.delete(scheme.ENDPOINT_SLICES, "hansa-gateway-1", names.HANSA_NAMESPACE, server=FIRST)
