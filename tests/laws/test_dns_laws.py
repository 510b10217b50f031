"""Whatever comes, changes and goes, and in whatever order: the zone that is kept equals one made from scratch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support import virtual_time
from tests.wire.dns_cases import NAMESPACE, endpoint, imported, slice_of

from hansa.api import names
from hansa.api.crd import all_crds
from hansa.api.meta import Json, Resource
from hansa.api.routing import Peer, Peers
from hansa.api.scheme import CONFIGMAPS, ENDPOINT_SLICES, NAMESPACES, SERVICE_IMPORTS
from hansa.apiserver.embedded import ADMIN, Keys, start_embedded
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client
from hansa.kube.errors import NotFound
from hansa.runtime.clock import LoopClock, SystemClock
from hansa.service.dns.build import Distances, service_of
from hansa.service.dns.keeper import ZoneKeeper
from hansa.service.dns.zone import Zone

DEFINITION = next(crd for crd in all_crds() if crd["metadata"]["name"] == "serviceimports.multicluster.x-k8s.io")
HTTP = (("http", "TCP", 80),)
SERVICES = ("a", "b")
CLUSTERS = ("east", "west")
START = datetime(2026, 1, 1, tzinfo=UTC)

services = st.sampled_from(SERVICES)
clusters = st.sampled_from(CLUSTERS)
changes = st.one_of(
    st.builds(lambda name, ip: ("import", name, imported(name, HTTP, (f"10.96.0.{ip}",))), services, st.integers(1, 9)),
    st.builds(lambda name: ("import", name, imported(name)), services),
    st.builds(lambda name: ("no import", name, None), services),
    st.builds(
        lambda name, cluster, pods: (
            "slice",
            f"imported-{name}-{cluster}-ipv4",
            slice_of(name, cluster, [endpoint(f"10.1.0.{n}", ready=ready) for n, ready in pods], HTTP),
        ),
        services,
        clusters,
        st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=3),
    ),
    st.builds(lambda name, cluster: ("no slice", f"imported-{name}-{cluster}-ipv4", None), services, clusters),
    st.builds(lambda region: ("peers", names.PEERS, peers(region)), st.sampled_from(["north", "south"])),
    st.builds(lambda seconds: ("wait", str(seconds), None), st.sampled_from([0.01, 0.06, 2.0])),
)


def peers(region: str) -> Json:
    told = Peers(
        cluster="here",
        clusterset="clusterset.local",
        region=region,
        peers=(Peer(cluster="east", region="north"), Peer(cluster="west", region="south")),
    )
    meta = {"name": names.PEERS, "namespace": names.HANSA_NAMESPACE}
    data = {names.PEERS_KEY: msgspec.json.encode(told).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


HEADLESS = ("import", "a", imported("a"))
PODS = ("slice", "imported-a-east-ipv4", slice_of("a", "east", [endpoint("10.1.0.1")], HTTP))
WAIT = ("wait", "2.0", None)


async def put(client: Client, resource: Resource, obj: Json) -> None:
    meta = obj["metadata"]
    try:
        live = await client.get(resource, meta["name"], meta["namespace"])
    except NotFound:
        await client.create(resource, obj)
    else:
        await client.update(
            resource, obj | {"metadata": meta | {"resourceVersion": live.meta.resource_version, "uid": live.meta.uid}}
        )


async def carry_out(client: Client, change: tuple[str, str, Json | None]) -> None:
    kind, name, obj = change
    match kind:
        case "wait":
            await asyncio.sleep(float(name))
        case "no import" | "no slice":
            resource = SERVICE_IMPORTS if kind == "no import" else ENDPOINT_SLICES
            with contextlib.suppress(NotFound):
                await client.delete(resource, name, NAMESPACE)
        case _:
            resource = {"import": SERVICE_IMPORTS, "slice": ENDPOINT_SLICES, "peers": CONFIGMAPS}[kind]
            assert obj is not None
            await put(client, resource, obj)


async def from_scratch(client: Client) -> dict[Any, Any]:
    told = (await client.list(CONFIGMAPS, names.HANSA_NAMESPACE, fields=f"metadata.name={names.PEERS}")).items
    distances = Distances()
    if told:
        content = told[0].json()["data"][names.PEERS_KEY]
        distances = Distances.of(msgspec.json.decode(content, type=Peers))
    slices = (await client.list(ENDPOINT_SLICES, NAMESPACE)).items
    return {
        item.key: service_of(
            item, [one for one in slices if one.labels[names.IMPORT_NAME_LABEL] == item.meta.name], distances
        )
        for item in (await client.list(SERVICE_IMPORTS)).items
    }


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys.fresh("member", SystemClock())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(before=[HEADLESS, PODS], after=[WAIT, ("no slice", "imported-a-east-ipv4", None)])
@example(before=[HEADLESS, PODS], after=[WAIT, ("no import", "a", None)])
@example(before=[PODS], after=[WAIT, HEADLESS, ("peers", names.PEERS, peers("south"))])
@given(before=st.lists(changes, max_size=4), after=st.lists(changes, max_size=12))
def test_the_zone_follows(keys: Keys, before: list[Any], after: list[Any]) -> None:
    async def story() -> None:
        server = await start_embedded("member", clock=LoopClock(START), keys=keys, extra_crds=[DEFINITION])
        client = Client(InProcessTransport("member", server, user=ADMIN), qps=0)
        for namespace in (NAMESPACE, names.HANSA_NAMESPACE):
            await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for change in before:
            await carry_out(client, change)
        published: list[Zone] = []
        publish: Callable[[Zone], None] = published.append
        keeper = ZoneKeeper(client, ("clusterset", "local"), publish, LoopClock(START))
        task = asyncio.create_task(keeper.run())
        try:
            for change in after:
                await carry_out(client, change)
            await asyncio.sleep(5)
            assert dict(published[-1].services) == await from_scratch(client)
            serials = [zone.serial for zone in published]
            assert serials == sorted(set(serials))
            assert keeper.zone is published[-1] and keeper.age_seconds() < 2
            count = len(published)
            await asyncio.sleep(60)
            assert len(published) == count, "published although nothing changed"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await server.stop()

    virtual_time.run(story())
