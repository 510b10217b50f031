"""What a gateway concludes from its member: unknown is never empty, and what cannot be read costs itself only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
import pytest
from tests.support.federation import Wire
from tests.support.lab.cluster import put
from tests.support.services import as_v1alpha1

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.meta import Json, Key
from hansa.api.routing import Peer, Peers, Route
from hansa.apiserver.embedded import Embedded, Keys, start_embedded
from hansa.kube.client import Client
from hansa.runtime.clock import LoopClock
from hansa.service.definitions import definition_of
from hansa.service.gateway.sources import DRAIN_SECONDS, Facts, Sources

pytestmark = pytest.mark.looptime(resolution=2**-20)
WEB, DB = Key("default", "web"), Key("default", "db")
MULTICLUSTER = (scheme.SERVICE_IMPORTS, scheme.SERVICE_EXPORTS)
PEERS = Peers(cluster="a", clusterset=names.CLUSTERSET, peers=(Peer(cluster="b"),))
ROUTE = Route(mode="proxy")


class Member:
    """A server, a gateway's view of it, and how often that view changed."""

    def __init__(self, server: Embedded, version: str = "v1beta1") -> None:
        self.imports, self.exports = (r._replace(version=version) for r in MULTICLUSTER)
        self.api = Client(Wire("a", server), qps=0)
        self.wire = Wire("a", server)
        self.changes = 0
        self.sources = Sources(Client(self.wire, qps=0), self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def facts(self) -> Facts:
        await asyncio.sleep(1)
        found = self.sources.facts()
        assert found is not None
        return found

    async def say_peers(self, text: str) -> None:
        meta = {"name": names.PEERS, "namespace": names.HANSA_NAMESPACE}
        obj: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {names.PEERS_KEY: text}}
        await put(self.api, scheme.CONFIGMAPS, obj)

    async def say_route(self, key: Key, text: str) -> None:
        patch = {"metadata": {"annotations": {names.ROUTE_ANNOTATION: text}}}
        await self.api.patch(self.imports, key.name, key.namespace, patch)

    async def say_valid(self, key: Key, status: str) -> None:
        condition = {"type": "Valid", "status": status, "reason": "Valid", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        patch = {"status": {"conditions": [condition]}}
        await self.api.patch(self.exports, key.name, key.namespace, patch, subresource="status")


@pytest.fixture
async def server(server_keys: Keys) -> AsyncGenerator[Embedded, None]:
    built = await start_embedded("a", clock=LoopClock(), extra_crds=all_crds(), keys=server_keys)
    await fill(built)
    yield built
    await built.stop()


async def fill(built: Embedded, version: str = "v1beta1") -> None:
    """The namespace of peers, and an import and an export of each service."""
    client = Client(Wire("a", built), qps=0)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.HANSA_NAMESPACE}}
    await client.create(scheme.NAMESPACES, namespace)
    for key in (WEB, DB):
        meta = {"name": key.name, "namespace": key.namespace}
        spec = {"type": "ClusterSetIP", "ports": [{"port": 80, "protocol": "TCP"}]}
        for resource, rest in zip(
            (r._replace(version=version) for r in MULTICLUSTER), ({"spec": spec}, {}), strict=True
        ):
            obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
            await client.create(resource, obj | rest)


@pytest.fixture
async def ready(server: Embedded) -> Member:
    member = Member(server)
    await member.say_peers(msgspec.json.encode(PEERS).decode())
    for key in (WEB, DB):
        await member.say_route(key, msgspec.json.encode(ROUTE).decode())
        await member.say_valid(key, "True")
    return member


async def test_nothing_is_concluded_before_all_is_read(server: Embedded) -> None:
    member = Member(server)
    member.wire.cut = True
    task = asyncio.create_task(member.sources.run())
    await asyncio.sleep(60)
    assert member.sources.facts() is None
    assert "serviceimports" in member.sources.waiting()
    member.wire.cut = False
    await asyncio.sleep(60)
    assert member.sources.facts() is None, "without peers it is not known who the members are"
    assert names.PEERS in member.sources.waiting()
    await member.say_peers(msgspec.json.encode(PEERS).decode())
    assert (await member.facts()).peers == PEERS
    assert member.sources.waiting() == ""
    task.cancel()


async def test_a_member_that_serves_the_old_version_only(server_keys: Keys) -> None:
    old = [as_v1alpha1(definition_of(each)) for each in MULTICLUSTER]
    server = await start_embedded("a", clock=LoopClock(), extra_crds=old, keys=server_keys)
    try:
        await fill(server, "v1alpha1")
        member = Member(server, "v1alpha1")
        task = asyncio.create_task(member.sources.run())
        await member.say_peers(msgspec.json.encode(PEERS).decode())
        await member.say_route(WEB, msgspec.json.encode(ROUTE).decode())
        await member.say_valid(WEB, "True")
        found = await member.facts()
        assert (found.routes, found.exported) == ({WEB: ROUTE}, {WEB})
        task.cancel()
    finally:
        await server.stop()


async def test_what_was_read_stays_while_the_member_is_away(ready: Member) -> None:
    task = asyncio.create_task(ready.sources.run())
    before = await ready.facts()
    ready.wire.cut = True
    await asyncio.sleep(3600)
    assert ready.sources.facts() == before
    task.cancel()


async def test_peers_that_cannot_be_read_or_are_gone_stay(ready: Member) -> None:
    task = asyncio.create_task(ready.sources.run())
    await ready.facts()
    await ready.say_peers("{")
    assert (await ready.facts()).peers == PEERS
    await ready.api.delete(scheme.CONFIGMAPS, names.PEERS, names.HANSA_NAMESPACE)
    assert (await ready.facts()).peers == PEERS
    task.cancel()


async def test_a_route_that_cannot_be_read_costs_nothing(ready: Member) -> None:
    task = asyncio.create_task(ready.sources.run())
    await ready.facts()
    for broken in ('{"mode": "sideways"}', '{"mode": "proxy", "min_healthy_percent": 0}', "{"):
        await ready.say_route(WEB, broken)
        await ready.facts()
    changed = Route(mode="direct")
    await ready.say_route(DB, msgspec.json.encode(changed).decode())
    assert (await ready.facts()).routes == {WEB: ROUTE, DB: changed}
    await ready.api.delete(scheme.SERVICE_IMPORTS, WEB.name, WEB.namespace)
    assert (await ready.facts()).routes == {DB: changed}
    task.cancel()


async def test_an_export_that_ends_is_served_until_others_have_heard(ready: Member) -> None:
    task = asyncio.create_task(ready.sources.run())
    assert (await ready.facts()).exported == {WEB, DB}
    await ready.api.delete(scheme.SERVICE_EXPORTS, WEB.name, WEB.namespace)
    await ready.say_valid(DB, "False")
    assert (await ready.facts()).exported == {WEB, DB}
    before = ready.changes
    await asyncio.sleep(DRAIN_SECONDS)
    assert (await ready.facts()).exported == frozenset()
    assert ready.changes > before, "nobody was told"
    await ready.say_valid(DB, "True")
    assert (await ready.facts()).exported == {DB}
    task.cancel()


async def test_an_export_that_was_never_valid_is_not_served(ready: Member) -> None:
    await ready.say_valid(WEB, "False")
    task = asyncio.create_task(ready.sources.run())
    assert (await ready.facts()).exported == {DB}
    task.cancel()


async def test_what_does_not_matter_does_not_come(ready: Member) -> None:
    """Slices of ours, of which there are very many, are not even read."""
    task = asyncio.create_task(ready.sources.run())
    await ready.facts()
    for name, labels in (("own", {}), ("imported", {names.MANAGED_BY_LABEL: names.SLICE_MANAGER})):
        obj = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [],
        }
        await ready.api.create(scheme.ENDPOINT_SLICES, obj)
    assert "imported" not in {item.meta.name for item in (await ready.facts()).slices}
    task.cancel()
