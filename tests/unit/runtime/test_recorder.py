"""Events: coalesced, bounded, and never in anybody's way."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support import virtual_time
from tests.support.scripted_server import Fault, ScriptedServer

from hansa.api import scheme
from hansa.api.item import Item
from hansa.kube.client import Client
from hansa.runtime.clock import LoopClock
from hansa.runtime.patience import LONGEST_SECONDS, Traffic
from hansa.runtime.queue import Queue
from hansa.runtime.recorder import Recorder

OBJ = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default", "uid": "u"}}


def recorder(server: ScriptedServer, **options: Any) -> Recorder:
    return Recorder(Client(server), "hansa-test", clock=LoopClock(), **options)


def test_repetitions_are_one_event_with_a_count() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.EVENTS)
        record = recorder(server)
        for _ in range(5):
            record.event(Item.of(OBJ), "Warning", "SyncFailed", "it broke")
        await record.flush()
        await asyncio.sleep(60)
        record.event(OBJ, "Warning", "SyncFailed", "it broke")
        await record.flush()
        (event,) = server.objects.values()
        assert event["count"] == 6
        assert event["firstTimestamp"] < event["lastTimestamp"]
        assert event["involvedObject"] == {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "a",
            "namespace": "default",
            "uid": "u",
        }
        assert (event["type"], event["reason"], event["message"]) == ("Warning", "SyncFailed", "it broke")
        assert event["source"] == {"component": "hansa-test"}
        assert event["metadata"]["name"].startswith("a.")
        assert [line.split()[0] for line in server.log] == ["POST", "PATCH"]

    virtual_time.run(story())


def test_an_event_that_expired_begins_anew() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.EVENTS)
        record = recorder(server)
        record.event(OBJ, "Normal", "Synced", "done")
        await record.flush()
        server.objects.clear()
        record.event(OBJ, "Normal", "Synced", "done")
        await record.flush()
        assert [event["count"] for event in server.objects.values()] == [1]

    virtual_time.run(story())


def test_many_messages_of_one_reason_are_combined() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.EVENTS)
        record = recorder(server)
        for number in range(30):
            record.event(OBJ, "Warning", "SyncFailed", f"attempt {number}")
        await record.flush()
        assert len(server.objects) == 11
        last = [event for event in server.objects.values() if event["message"].startswith("(combined")]
        assert [(event["count"], event["message"]) for event in last] == [
            (20, "(combined from similar events): attempt 29")
        ]

    virtual_time.run(story())


def test_a_dead_server_costs_nobody_anything_and_memory_is_bounded() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.EVENTS, dead=True)
        record = recorder(server, pending_max=10)
        for number in range(100):
            named = {**OBJ, "metadata": {"name": f"n{number}", "namespace": "default"}}
            record.event(named, "Normal", "Synced", "done")
        assert len(record._pending) <= 10
        await record.close(2.0)
        assert asyncio.get_running_loop().time() < 3
        record.event(OBJ, "Normal", "Synced", "after the end")

    virtual_time.run(story())


def test_refusals_and_nonsense_are_swallowed() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.EVENTS)
        server.faults.extend([Fault.MISSING, Fault.NONE, Fault.REFUSED, Fault.NONE])
        record = recorder(server)
        record.event({}, "Normal", "Synced", "no object")
        for number in range(3):
            record.event({**OBJ, "metadata": {"name": f"n{number}"}}, "Normal", "Synced", "done")
        await record.flush()
        assert sorted(event["involvedObject"]["name"] for event in server.objects.values()) == ["n1", "n2"]
        assert {key[0] for key in server.objects} == {"default"}

    virtual_time.run(story())


def test_what_went_wrong_is_written_first_and_dropped_last() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.EVENTS)
        record = recorder(server, pending_max=3)
        for number in range(3):
            record.event({**OBJ, "metadata": {"name": f"o{number}"}}, "Normal", "Synced", "done")
        record.event(OBJ, "Warning", "SyncFailed", "it broke")
        await record.flush()
        written = [(event["type"], event["involvedObject"]["name"]) for event in server.objects.values()]
        assert written == [("Warning", "a"), ("Normal", "o1"), ("Normal", "o2")]

    virtual_time.run(story())


def test_success_is_told_when_the_way_is_free_or_after_a_while() -> None:
    async def story() -> None:
        server, traffic, queue = ScriptedServer(scheme.EVENTS), Traffic(), Queue[str]()
        traffic.add(queue)
        queue.add("on its way")
        record = recorder(server, traffic=traffic)
        record.event(OBJ, "Normal", "Synced", "done")
        record.event(OBJ, "Warning", "SyncFailed", "it broke")
        await asyncio.sleep(10)
        assert [event["type"] for event in server.objects.values()] == ["Warning"]
        await queue.get()
        await asyncio.sleep(1)
        assert len(server.objects) == 2
        queue.add("another")
        record.event(OBJ, "Normal", "Synced", "done again")
        await asyncio.sleep(LONGEST_SECONDS)
        assert len(server.objects) == 2
        await asyncio.sleep(2)
        assert len(server.objects) == 3

    virtual_time.run(story())
