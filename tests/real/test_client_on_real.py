"""The client and the runtime against a real kube-apiserver, over TLS with the administrator's certificate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hansa.api import scheme
from hansa.api.meta import GVK, Key, Resource
from hansa.kube import auth, config
from hansa.kube.client import Client, PatchKind
from hansa.kube.errors import AlreadyExists, Conflict, NotFound, Unauthorized, Unreachable
from hansa.kube.http import HttpTransport
from hansa.rig.cluster import API_ONLY, RealCluster
from hansa.runtime.cache import Cache
from hansa.runtime.informer import State
from hansa.runtime.lease import Election
from hansa.runtime.recorder import Recorder

CM = scheme.CONFIGMAPS
WIDGETS = Resource("test.hansa.dev", "v1", "widgets", "Widget", True)
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.test.hansa.dev"},
    "spec": {
        "group": "test.hansa.dev",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def config_map(name: str, **data: str) -> dict[str, object]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


def write_kubeconfig(cluster: RealCluster) -> Path:
    path = cluster.directory / "admin.kubeconfig"
    path.write_text(json.dumps(cluster.kubeconfig()))
    return path


async def test_all_of_it(tmp_path: Path) -> None:
    cluster = RealCluster("one", tmp_path / "one", role=API_ONLY, durable=False)
    await cluster.start()
    loaded = config.load(write_kubeconfig(cluster), None)
    client = Client(HttpTransport(loaded))
    cache = Cache(client)
    try:
        await verbs(client)
        await credentials(loaded)
        await election_and_events(client)
        await kinds_come_and_go(client, cache)
        await restart(cluster, client, cache)
    finally:
        await cache.close()
        await cluster.stop()


async def verbs(client: Client) -> None:
    made = await client.create(CM, config_map("a", x="1"))
    with pytest.raises(AlreadyExists):
        await client.create(CM, config_map("a"))
    updated = await client.update(CM, made.json() | {"data": {"x": "2"}})
    with pytest.raises(Conflict):
        await client.update(CM, made)
    listed = (await client.list(CM, "default", fields="metadata.name=a")).items[0]
    assert (await client.update(CM, listed)).meta.resource_version == updated.meta.resource_version
    applied = config_map("a", z="4")
    found = await client.patch(CM, "a", "default", applied, kind=PatchKind.APPLY, field_manager="test")
    assert found.json()["data"] == {"x": "2", "z": "4"}
    operations = [{"op": "remove", "path": "/data/x"}]
    assert (await client.patch(CM, "a", "default", operations, kind=PatchKind.JSON)).json()["data"] == {"z": "4"}
    for number in range(5):
        await client.create(CM, config_map(f"page{number}"))
    assert len((await client.list(CM, "default", page_size=2)).items) >= 6
    assert await client.create(CM, config_map("dry"), dry_run=True)
    with pytest.raises(NotFound):
        await client.get(CM, "dry", "default")
    with pytest.raises(Conflict):
        await client.delete(CM, "a", "default", uid="another")
    assert await client.delete(CM, "a", "default", uid=made.meta.uid) is None
    assert await client.discovery.resource_for(GVK("apps", "v1", "Deployment")) == scheme.DEPLOYMENTS
    assert client.discovery.complete


async def credentials(loaded: config.ClusterConfig) -> None:
    liar = config.ClusterConfig(loaded.server, loaded.ca_data, credentials=auth.bearer("no such token"))
    stranger = Client(HttpTransport(liar))
    untrusting = Client(HttpTransport(config.ClusterConfig(loaded.server, credentials=loaded.credentials)))
    try:
        with pytest.raises(Unauthorized):
            await stranger.list(CM)
        with pytest.raises(Unreachable, match="not trusted"):
            await untrusting.raw("GET", "/version")
    finally:
        await stranger.close()
        await untrusting.close()


async def election_and_events(client: Client) -> None:
    leading = asyncio.Event()

    async def lead() -> None:
        leading.set()
        await asyncio.Event().wait()

    election = Election(client, "default", "hansa", "one")
    running = asyncio.create_task(election.run(lead))
    await asyncio.wait_for(leading.wait(), 10)
    await asyncio.sleep(3)
    assert election.leading
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    lease = (await client.get(scheme.LEASES, "hansa", "default")).json()
    assert not lease["spec"].get("holderIdentity")

    recorder = Recorder(client, "hansa")
    about = await client.get(scheme.NAMESPACES, "default")
    for _ in range(2):
        recorder.event(about, "Normal", "Synced", "done")
        await recorder.flush()
    found = [item.json() for item in (await client.list(scheme.EVENTS, "default")).items]
    assert [event["count"] for event in found if event["reason"] == "Synced"] == [2]


async def kinds_come_and_go(client: Client, cache: Cache) -> None:
    await client.create(scheme.CRDS, CRD)
    async with asyncio.timeout(20):
        while True:
            try:
                await client.create(WIDGETS, {"kind": "Widget", "apiVersion": "test.hansa.dev/v1"} | named("w"))
                break
            except NotFound:
                await asyncio.sleep(0.1)
    informer = cache.informer(WIDGETS)
    assert await informer.wait_synced()
    assert len(informer.store) == 1
    await client.delete(scheme.CRDS, "widgets.test.hansa.dev")
    await until(lambda: informer.state is State.GONE, 60)


def named(name: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "default"}}


async def restart(cluster: RealCluster, client: Client, cache: Cache) -> None:
    """The store is right again after the server was away, and deletes meanwhile are found."""
    informer = cache.informer(CM)
    assert await informer.wait_synced()
    await client.create(CM, config_map("before"))
    await until(lambda: informer.store.get(Key("default", "before")) is not None)
    await cluster.stop()
    await until(lambda: not informer.connected)
    assert informer.synced
    assert informer.store.get(Key("default", "before")) is not None
    await cluster.start()
    await client.delete(CM, "before", "default")
    await client.create(CM, config_map("after"))
    await until(lambda: informer.store.get(Key("default", "after")) is not None, 60)
    assert informer.store.get(Key("default", "before")) is None
