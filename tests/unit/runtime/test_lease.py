"""Leader election: one leads, loss cancels, release hands over at once."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from tests.support import virtual_time
from tests.support.scripted_server import Fault, ScriptedServer

from hansa.api import scheme
from hansa.kube.client import Client
from hansa.runtime.clock import LoopClock
from hansa.runtime.lease import Election, LeaseTiming


@dataclass
class Candidate:
    """A candidate whose work is to note when it led."""

    server: ScriptedServer
    name: str
    spans: list[tuple[float, float]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def start(self) -> Candidate:
        self.election = Election(
            Client(self.server), "default", "hansa", self.name, clock=LoopClock(), rng=random.Random(self.name)
        )
        self.task = asyncio.create_task(self.election.run(self.lead))
        return self

    async def lead(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            await asyncio.Event().wait()
        finally:
            self.spans.append((begun, loop.time()))

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_one_leads_and_a_clean_end_hands_over_at_once() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.LEASES)
        first = Candidate(server, "first").start()
        await asyncio.sleep(1)
        second = Candidate(server, "second").start()
        await asyncio.sleep(100)
        assert first.election.leading
        assert not second.election.leading
        assert second.election.holder == "first"
        await first.stop()
        await asyncio.sleep(4)
        assert second.election.leading
        spec = server.objects["default", "hansa"]["spec"]
        assert spec["holderIdentity"] == "second"
        assert spec["leaseTransitions"] >= 1
        assert spec["renewTime"].endswith("Z")
        assert len(spec["renewTime"].split(".")[1]) == 7
        await second.stop()

    virtual_time.run(story())


def test_who_cannot_renew_stops_before_another_begins() -> None:
    async def story() -> None:
        reachable = ScriptedServer(scheme.LEASES)
        cut = ScriptedServer(scheme.LEASES)
        cut.objects, cut.history = reachable.objects, reachable.history  # two doors to one server
        first = Candidate(cut, "first").start()
        await asyncio.sleep(30)
        second = Candidate(reachable, "second").start()
        await asyncio.sleep(30)
        cut.dead = True
        await asyncio.sleep(60)
        assert second.election.leading
        (_, stopped), (begun, _) = first.spans[0], (0.0, 0.0)
        await second.stop()
        begun = second.spans[0][0]
        assert 60 < stopped < begun
        await first.stop()

    virtual_time.run(story())


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.REFUSED, Fault.BUSY])
def test_a_few_errors_do_not_cost_the_lead(fault: Fault) -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.LEASES)
        one = Candidate(server, "one").start()
        await asyncio.sleep(30)
        server.faults.extend([fault] * 6)
        await asyncio.sleep(60)
        assert one.election.leading
        assert one.spans == []
        await one.stop()

    virtual_time.run(story())


def test_a_lease_taken_by_force_is_lost_at_once() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.LEASES)
        one = Candidate(server, "one").start()
        await asyncio.sleep(10)
        patch = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 15}}
        await Client(server).patch(scheme.LEASES, "hansa", "default", patch)
        await asyncio.sleep(5)
        assert not one.election.leading
        await asyncio.sleep(30)
        assert one.election.leading, "the thief did not renew"
        await one.stop()

    virtual_time.run(story())


def test_the_works_error_is_raised_and_the_lease_given_up() -> None:
    async def story() -> None:
        server = ScriptedServer(scheme.LEASES)

        async def fail() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await Election(Client(server), "default", "hansa", "one", clock=LoopClock()).run(fail)
        assert server.objects["default", "hansa"]["spec"]["holderIdentity"] == ""

    virtual_time.run(story())


def test_timing_must_leave_a_gap() -> None:
    with pytest.raises(ValueError, match="retry < renew_deadline < duration"):
        LeaseTiming(duration=10, renew_deadline=10)
