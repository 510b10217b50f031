"""Shared informers of a member, members of a fleet."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from tests.support import virtual_time
from tests.support.scripted_server import Fault, ScriptedServer

from hansa.api import scheme
from hansa.api.meta import Key
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.fleet import Fleet, Member
from hansa.runtime.informer import Change, State

CM = scheme.CONFIGMAPS


def member(name: str, server: ScriptedServer) -> Member:
    client = Client(server)
    return Member(name, client, Cache(client))


def test_an_informer_is_shared_and_started_on_demand() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        cache = Cache(Client(server))
        await asyncio.sleep(1)
        assert server.log == []
        assert cache.started(CM) is None
        informer = cache.informer(CM)
        assert cache.informer(CM) is informer
        assert await informer.wait_synced()
        assert informer.store.get(Key("default", "a")) is not None
        await cache.stop(CM)
        assert informer.state is State.STOPPED
        assert server.open_watches == 0
        await cache.close()
        assert server.closed

    virtual_time.run(story())


def test_who_waits_for_an_informer_that_is_stopped_is_told() -> None:
    async def story() -> bool:
        cache = Cache(Client(ScriptedServer(dead=True)))
        informer = cache.informer(CM)
        waiting = asyncio.create_task(informer.wait_synced())
        await asyncio.sleep(1)
        await cache.close()
        return await waiting

    assert virtual_time.run(story()) is False


def test_a_kind_that_goes_is_gone_and_not_empty() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        cache = Cache(Client(server))
        informer = cache.informer(CM)
        deleted: list[Change] = []
        informer.subscribe(lambda change: deleted.append(change) if change.new is None else None)
        await informer.wait_synced()
        server.served = False
        server.compact()
        server.put("b")
        await asyncio.sleep(400)
        assert informer.state is State.GONE
        assert not informer.synced
        assert deleted == []
        server.served = True
        again = cache.informer(CM)
        assert again is informer  # with its subscribers and indexes
        assert await again.wait_synced()
        server.delete("b")
        await asyncio.sleep(1)
        assert [change.item.meta.name for change in deleted] == ["b"]
        await cache.close()

    virtual_time.run(story())


def test_a_404_of_a_server_that_still_serves_the_kind_is_no_end() -> None:
    async def story() -> None:
        server = ScriptedServer(faults=deque([Fault.MISSING]))
        cache = Cache(Client(server))
        assert await cache.informer(CM).wait_synced()
        await cache.close()

    virtual_time.run(story())


def test_retry_after_is_honoured() -> None:
    async def story() -> float:
        server = ScriptedServer(faults=deque([Fault.BUSY] * 4), retry_after="20")
        cache = Cache(Client(server))
        await cache.informer(CM).wait_synced()
        now = asyncio.get_running_loop().time()
        await cache.close()
        return now

    assert virtual_time.run(story()) >= 80


def test_a_subscriber_that_fails_costs_the_others_nothing() -> None:
    async def story() -> list[str]:
        server = ScriptedServer()
        cache = Cache(Client(server))
        informer = cache.informer(CM)
        seen: list[str] = []

        def broken(change: Change) -> None:
            raise RuntimeError("a bug")

        informer.subscribe(broken)
        unsubscribe = informer.subscribe(lambda change: seen.append(change.item.meta.name))
        await informer.wait_synced()
        server.put("a")
        await asyncio.sleep(1)
        unsubscribe()
        server.put("b")
        await asyncio.sleep(1)
        await cache.close()
        return seen

    assert virtual_time.run(story()) == ["a"]


def test_initial_marks_what_was_there_before() -> None:
    async def story() -> list[tuple[str, bool]]:
        server = ScriptedServer()
        server.put("a")
        cache = Cache(Client(server))
        informer = cache.informer(CM)
        seen: list[tuple[str, bool]] = []
        informer.subscribe(lambda change: seen.append((change.item.meta.name, change.initial)))
        await informer.wait_synced()
        server.put("b")
        await asyncio.sleep(1)
        informer.subscribe(lambda change: seen.append((f"late {change.item.meta.name}", change.initial)))
        await cache.close()
        return seen

    assert virtual_time.run(story()) == [("a", True), ("b", False), ("late a", True), ("late b", True)]


def test_members_come_change_and_go() -> None:
    async def story() -> None:
        fleet = Fleet()
        heard: list[tuple[str, bool | None]] = []
        old, new = ScriptedServer(server="https://old"), ScriptedServer(server="https://new")
        first = member("m1", old)
        first.cache.informer(CM)
        fleet.add(first)
        end = fleet.subscribe(lambda name, there: heard.append((name, None if there is None else there.ready)))
        with pytest.raises(ValueError, match="m1 is a member already"):
            fleet.add(first)
        fleet.set_ready("m1", False)
        fleet.set_ready("m1", False)
        fleet.set_ready("nobody", True)
        await asyncio.sleep(1)
        assert not old.closed, "readiness changes no connection"
        assert old.open_watches == 1
        fleet.replace(member("m1", new))  # rotated credentials
        await asyncio.sleep(1)
        assert old.closed
        assert old.open_watches == 0
        found = fleet.get("m1")
        assert found is not None
        assert found.client.server == "https://new"
        end()
        assert fleet.remove("m1") is not None
        assert fleet.remove("m1") is None
        assert fleet.get("m1") is None
        assert heard == [("m1", True), ("m1", False), ("m1", True)]
        await fleet.close()
        assert new.closed

    virtual_time.run(story())


def test_a_dead_member_holds_up_neither_the_others_nor_its_own_removal() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        fleet = Fleet()
        servers = {f"m{number}": ScriptedServer(latency_seconds=0.01) for number in range(5)}
        servers["dead"] = ScriptedServer(dead=True)
        for name, server in servers.items():
            server.put("a")
            fleet.add(member(name, server))
        informers = {there.name: there.cache.informer(CM) for there in fleet.members()}
        alive = [informer for name, informer in informers.items() if name != "dead"]
        assert all(await asyncio.gather(*(informer.wait_synced() for informer in alive)))
        assert loop.time() < 0.1
        assert not informers["dead"].synced
        assert len(informers["dead"].store) == 0
        fleet.remove("dead")
        await asyncio.sleep(0.1)
        assert informers["dead"].state is State.STOPPED
        await fleet.close()

    virtual_time.run(story())


def test_lists_of_one_member_are_bounded() -> None:
    async def story() -> int:
        server = ScriptedServer(latency_seconds=1.0)
        cache = Cache(Client(server))
        for number in range(30):
            cache.informer(CM._replace(version=f"v{number}"))
        await asyncio.sleep(0.5)
        most = server.most_in_flight
        await cache.close()
        return most

    assert virtual_time.run(story()) == 8
