"""Random histories of services: members export, change, stop, are cut off, leave requests unanswered; the control plane
is restarted at any moment. Whatever happens meanwhile, an exporter keeps its share of every import; when all is healed,
imports say what the exports say, and another restart writes nothing.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from tests.flow.test_services_flow import FLAT, MEMBERS, SPACE, export, service, slice_
from tests.support import virtual_time
from tests.support.federation import Federation, Tap, running

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.apiserver.embedded import Keys
from hansa.kube.transport import Answer
from hansa.runtime.clock import SystemClock
from hansa.service.views import View

STEPS = 25
HISTORIES = 12
LEAST_SECONDS = 12.0
"""As long as a drain, and a little: what is taken away later than this after a wish is taken away by nobody's wish."""


class Fails(Tap):
    """Some requests are refused, or carried out and not answered."""

    def __init__(self, chance: random.Random) -> None:
        self.rate = 0.0
        self._chance = chance

    def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
        if server != "hub" and self._chance.random() < self.rate:
            return Answer(500, {}, b'{"kind":"Status","reason":"InternalError","code":500,"message":"chance"}')
        return None


@dataclass
class World:
    federation: Federation
    chance: random.Random
    tap: Fails
    exporters: dict[str, str] = field(default_factory=dict[str, str])
    """Address by member, as users last said."""
    changed: dict[str, float] = field(default_factory=dict[str, float])
    """When a member's export last changed."""
    seen: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """(importer, exporter) → address that was published last."""
    serial: int = 0

    async def step(self) -> None:
        action = self.chance.choice((self.offer, self.offer, self.stop, self.cut, self.heal, self.fail, self.restart))
        await action()
        await self.pass_time(self.chance.choice((0.3, 2.0, 15.0)))

    async def pass_time(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(0.3)
            await self.judge()

    async def offer(self) -> None:
        """A member exports, or moves its pods."""
        member = self.chance.choice(MEMBERS)
        self.serial += 1
        address = f"10.0.{self.serial // 250}.{self.serial % 250 + 1}"
        await self.federation.apply(service(), slice_(address), server=member)
        if member not in self.exporters:
            await self.federation.apply(export(SPACE), server=member)
        self._note(member, address)

    async def stop(self) -> None:
        if self.exporters:
            member = self.chance.choice(sorted(self.exporters))
            await self.federation.clients[member].delete(scheme.SERVICE_EXPORTS, "hello", SPACE)
            self._note(member, None)

    async def cut(self) -> None:
        self.federation.cut(self.chance.choice(MEMBERS))

    async def heal(self) -> None:
        for member in MEMBERS:
            self.federation.cut(member, False)
        self.tap.rate = 0.0

    async def fail(self) -> None:
        self.tap.rate = self.chance.choice((0.1, 0.5))

    async def restart(self) -> None:
        await self.federation.restart()

    def _note(self, member: str, address: str | None) -> None:
        self.changed[member] = asyncio.get_running_loop().time()
        self.exporters.pop(member, None)
        if address is not None:
            self.exporters[member] = address

    async def judge(self) -> None:
        """Whoever exports, and has for a while, is in every slice that it was ever in."""
        now = asyncio.get_running_loop().time()
        for importer in MEMBERS:
            shares = await self.shares(importer)
            for exporter in self.exporters:
                if shares.get(exporter):
                    self.seen[importer, exporter] = shares[exporter]
                elif (importer, exporter) in self.seen and now - self.changed[exporter] > LEAST_SECONDS:
                    raise AssertionError(f"{importer} has lost {exporter}, which exports")
            for member in MEMBERS:
                if member not in self.exporters:
                    self.seen.pop((importer, member), None)

    async def shares(self, importer: str) -> dict[str, str]:
        """Ready addresses by source."""
        page = await self.federation.clients[importer].list(
            scheme.ENDPOINT_SLICES, SPACE, labels=names.IMPORT_NAME_LABEL
        )
        found: dict[str, str] = {}
        for item in page.items:
            for endpoint in item.json()["endpoints"]:
                if endpoint["conditions"]["ready"]:
                    found[item.labels[names.SOURCE_CLUSTER_LABEL]] = endpoint["addresses"][0]
        return found


async def history(keys: Keys, seed: int) -> None:
    chance = random.Random(seed)
    tap = Fails(chance)
    async with running(keys, all_crds(), speaks_kubefed=False, serves_services=True, tap=tap) as federation:
        await federation.join(*MEMBERS)
        space: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
        for member in MEMBERS:
            await federation.hub.patch(scheme.CLUSTERS, member, None, {"metadata": {"annotations": FLAT}})
            await federation.apply(space, server=member)
        await federation.settle()
        world = World(federation, chance, tap)
        for _ in range(STEPS):
            await world.step()
        await world.heal()
        await federation.settle(70, 1000)
        await world.judge()
        for importer in MEMBERS:
            assert await world.shares(importer) == world.exporters
            found = await federation.get(importer, scheme.SERVICE_IMPORTS, "hello", SPACE)
            assert (found is not None) is bool(world.exporters)
            if found is not None:
                said = [entry["cluster"] for entry in found["status"]["clusters"]]
                assert said == sorted(world.exporters)
        await federation.restart()
        await federation.settle(15)
        assert federation.plane.writes == []


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys.fresh("histories", SystemClock())


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_no_history_takes_a_share_away(keys: Keys, seed: int) -> None:
    virtual_time.run(history(keys, seed))


def test_a_cache_that_is_read_before_it_is_complete_is_caught(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """The net holds: without the guard, what is not known is taken for empty."""
    monkeypatch.setattr(View, "known", property(lambda view: True))
    with pytest.raises(AssertionError):
        for seed in range(HISTORIES):
            virtual_time.run(history(keys, seed))
