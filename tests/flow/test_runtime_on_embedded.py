"""Client, informers and election against the embedded API server, in process and under virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support import virtual_time

from hansa.api import scheme
from hansa.api.meta import GVK, Key
from hansa.apiserver.embedded import ADMIN, Embedded, start_embedded
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client, PatchKind
from hansa.kube.errors import AlreadyExists, Conflict, NotFound
from hansa.runtime.cache import Cache
from hansa.runtime.clock import LoopClock
from hansa.runtime.informer import Change
from hansa.runtime.lease import Election
from hansa.runtime.recorder import Recorder

CM = scheme.CONFIGMAPS


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


def with_server(story: Any) -> None:
    async def whole() -> None:
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC))
        server = await start_embedded("hub", clock=clock, rng=random.Random(1))
        client = Client(InProcessTransport("embedded", server, user=ADMIN), qps=0)
        try:
            await story(server, client)
        finally:
            await server.stop()

    work: Coroutine[Any, Any, None] = whole()
    virtual_time.run(work)


def test_the_verbs() -> None:
    async def story(server: Embedded, client: Client) -> None:
        made = await client.create(CM, config_map("a", x="1"))
        with pytest.raises(AlreadyExists):
            await client.create(CM, config_map("a"))
        await client.update(CM, made.json() | {"data": {"x": "2"}})
        with pytest.raises(Conflict):
            await client.update(CM, made)
        patched = await client.patch(CM, "a", "default", {"data": {"y": "3"}})
        assert patched.json()["data"] == {"x": "2", "y": "3"}
        applied = config_map("a", z="4")
        found = await client.patch(CM, "a", "default", applied, kind=PatchKind.APPLY, field_manager="test")
        assert found.json()["data"]["z"] == "4"
        listed = (await client.list(CM, "default", page_size=1)).items
        assert "a" in [item.meta.name for item in listed]
        again = next(item for item in listed if item.meta.name == "a")
        await client.update(CM, again)
        with pytest.raises(Conflict):
            await client.delete(CM, "a", "default", uid="another")
        await client.delete(CM, "a", "default", uid=made.meta.uid)
        with pytest.raises(NotFound):
            await client.get(CM, "a", "default")
        resource = await client.discovery.resource_for(GVK("apps", "v1", "Deployment"))
        assert resource == scheme.DEPLOYMENTS

    with_server(story)


def test_an_informer_follows_through_cuts_and_a_random_history() -> None:
    async def story(server: Embedded, client: Client) -> None:
        rng = random.Random(7)
        cache = Cache(client)
        informer = cache.informer(CM)
        changes: list[Change] = []
        informer.subscribe(changes.append)
        assert await informer.wait_synced()
        for number in range(200):
            name = f"n{rng.randrange(12)}"
            try:
                match rng.randrange(3):
                    case 0:
                        await client.create(CM, config_map(name, step=str(number)))
                    case 1:
                        await client.patch(CM, name, "default", {"data": {"step": str(number)}})
                    case _:
                        await client.delete(CM, name, "default")
            except (AlreadyExists, NotFound):
                pass
            if rng.random() < 0.05:
                server.close_watches()
            if rng.random() < 0.2:
                await asyncio.sleep(rng.random())
        await asyncio.sleep(120)
        truth = {item.key: item.meta.resource_version for item in (await client.list(CM)).items}
        assert {item.key: item.meta.resource_version for item in informer.store} == truth
        told: dict[Key, str] = {}
        for change in changes:
            if change.new is None:
                del told[change.item.key]
            else:
                told[change.item.key] = change.new.meta.resource_version
        assert told == truth
        assert all(b"managedFields" not in item.raw for item in informer.store)
        await cache.close()

    with_server(story)


def test_election_and_events() -> None:
    async def story(server: Embedded, client: Client) -> None:
        leading = asyncio.Event()

        async def lead() -> None:
            leading.set()
            await asyncio.Event().wait()

        election = Election(client, "default", "hansa", "one", clock=LoopClock())
        running = asyncio.create_task(election.run(lead))
        await leading.wait()
        await asyncio.sleep(60)
        assert election.leading
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        lease = (await client.get(scheme.LEASES, "hansa", "default")).json()
        assert lease["spec"].get("holderIdentity", "") == ""

        recorder = Recorder(client, "hansa", clock=LoopClock())
        made = await client.create(CM, config_map("a"))
        for _ in range(3):
            recorder.event(made, "Normal", "Synced", "done")
        await recorder.flush()
        recorder.event(made, "Normal", "Synced", "done")
        await recorder.flush()
        (event,) = [item.json() for item in (await client.list(scheme.EVENTS, "default")).items]
        assert event["count"] == 4

    with_server(story)
