"""A federation in which one history follows another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from tests.laws.histories.history import CHOSEN, MEMBERS, History
from tests.laws.histories.oracle import Oracle, Violation
from tests.laws.histories.shapes import THINGS_CRD
from tests.support.federation import Federation, running

from hansa.api.crd import all_crds
from hansa.apiserver.embedded import Keys

PER_WORLD = 25
"""Histories in one federation: enough to share its start, few enough that a failure is soon seen alone."""


@asynccontextmanager
async def world(keys: Keys, seed: int) -> AsyncGenerator[tuple[Federation, Oracle]]:
    oracle = Oracle(random.Random(seed))
    async with running(keys, all_crds(), speaks_kubefed=False, members=MEMBERS, tap=oracle) as federation:
        oracle.servers = federation.servers
        for server in federation.servers:
            await federation.apply(THINGS_CRD, server=server)
        await federation.join(*MEMBERS, labels={CHOSEN: "yes"})
        await federation.settle()
        yield federation, oracle


async def histories(keys: Keys, seed: int, count: int, told: Callable[[int], None] = lambda _: None) -> int:
    """Run histories seed, seed+1, …; how many. Raises Violation."""
    done = 0
    while done < count:
        began = done
        async with world(keys, seed + began) as (federation, oracle):
            for _ in range(min(PER_WORLD, count - done)):
                try:
                    await asyncio.wait_for(History(federation, oracle, seed + done).run(), 36_000)
                except Violation as violation:
                    again = f"--seed {seed + began} --count {done - began + 1}"
                    raise Violation(f"{violation}\nagain: {again}") from violation
                done += 1
                told(done)
    return done
