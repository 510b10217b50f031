"""Whatever happens between a server and an informer, in the end the store equals the server and nothing was missed."""

from __future__ import annotations

import asyncio
import random
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import virtual_time
from tests.support.scripted_server import Cut, Fault, ScriptedServer, WatchScript

from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.kube.client import Client
from hansa.runtime.informer import Change, Informer

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.just("replace"), NAMES),
        st.tuples(st.just("compact"), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from(["0.001", "0.3", "5", "400"])),
    ),
    max_size=40,
)
FAULTS = st.lists(st.sampled_from(list(Fault)), max_size=12)
WATCHES = st.lists(st.builds(WatchScript, st.integers(0, 4), st.sampled_from(list(Cut))), max_size=12)
LONG_ENOUGH_SECONDS = 4000.0


class Ledger:
    """What a subscriber may conclude from changes alone, and that each change follows from the one before."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self.faults: list[str] = []

    def __call__(self, change: Change) -> None:
        try:
            self._take(change)
        except AssertionError as error:  # an informer shields itself from its subscribers
            self.faults.append(str(error))

    def _take(self, change: Change) -> None:
        key = change.item.key
        known = self.items.get(key)
        assert change.old is known, "a change says what the last one left"
        if change.new is None:
            assert known is not None, "nothing is deleted twice"
            del self.items[key]
            return
        if known is not None:
            assert known.meta.uid == change.new.meta.uid, "another object of the same name comes after a delete"
            assert int(known.meta.resource_version) < int(change.new.meta.resource_version), "time does not turn back"
        self.items[key] = change.new


def versions(items: dict[Key, Item]) -> dict[tuple[str, str], str]:
    return {(key.namespace, key.name): item.meta.resource_version for key, item in items.items()}


async def live(steps: list[tuple[str, str]], faults: list[Fault], watches: list[WatchScript], seed: int) -> None:
    server = ScriptedServer(faults=deque(faults), watches=deque(watches))
    server.put("a")
    informer = Informer(Client(server), server.resource, rng=random.Random(seed))
    early, late = Ledger(), Ledger()
    informer.subscribe(early)
    running = asyncio.create_task(informer.run())
    for number, (what, argument) in enumerate(steps):
        match what:
            case "put":
                server.put(argument, {"step": str(number)})
            case "delete":
                server.delete(argument)
            case "replace":
                server.delete(argument)
                server.put(argument)
            case "compact":
                server.compact()
            case _:
                await asyncio.sleep(float(argument))
        if number == len(steps) // 2:
            informer.subscribe(late)
    await asyncio.sleep(LONG_ENOUGH_SECONDS)
    assert informer.synced
    assert not running.done()
    assert versions({item.key: item for item in informer.store}) == server.state()
    assert early.faults == late.faults == []
    assert versions(early.items) == server.state()
    if steps:
        assert versions(late.items) == server.state()
    # it still follows
    server.put("z")
    await asyncio.sleep(1)
    assert informer.store.get(Key("default", "z")) is not None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert server.open_watches == 0


@settings(max_examples=60)
@given(STEPS, FAULTS, WATCHES, st.integers(0, 100))
def test_the_store_ends_equal_to_the_server(
    steps: list[tuple[str, str]], faults: list[Fault], watches: list[WatchScript], seed: int
) -> None:
    virtual_time.run(live(steps, faults, watches, seed))


async def everything(watches: list[WatchScript]) -> None:
    server = ScriptedServer(watches=deque(watches))
    informer = Informer(Client(server), server.resource, rng=random.Random(0))
    seen: list[str] = []
    informer.subscribe(lambda change: seen.append(change.item.meta.resource_version))
    running = asyncio.create_task(informer.run())
    await informer.wait_synced()
    wanted: list[str] = []
    for number in range(20):
        wanted.append(server.put(f"n{number}")["metadata"]["resourceVersion"])
        await asyncio.sleep(0.1)
    await asyncio.sleep(LONG_ENOUGH_SECONDS)
    assert seen == wanted
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            WatchScript,
            st.integers(0, 6),
            st.sampled_from([c for c in Cut if c is not Cut.EXPIRED and c is not Cut.TORN]),
        ),
        max_size=10,
    )
)
def test_while_the_server_remembers_no_event_is_lost_and_none_comes_twice(watches: list[WatchScript]) -> None:
    virtual_time.run(everything(watches))
