"""The control plane: every controller of the pipeline and of both dialects, over one client of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hansa.app.parts import Watchdog
from hansa.base.clock import Clock
from hansa.control import pipeline
from hansa.control.context import Connect, Context, Options, Part
from hansa.control.interpreter import Interpreter
from hansa.control.place.placer import Placer
from hansa.dialect import karmada, kubefed
from hansa.interpret.convention.karmada import KARMADA
from hansa.interpret.convention.kubefed import KUBEFED
from hansa.kube.client import Client
from hansa.runtime import metrics
from hansa.runtime.cache import Cache
from hansa.runtime.fleet import Fleet
from hansa.runtime.recorder import Recorder

COMPONENT = "hansa"


@dataclass(frozen=True, slots=True)
class Settings:
    """What users may set."""

    options: Options = Options()


class ControlPlane:
    """Runs within `running`. Must be made within the event loop: its informers start at once."""

    def __init__(self, hub: Client, clock: Clock, connect: Connect, settings: Settings) -> None:
        self.cache = Cache(hub)
        self.fleet = Fleet()
        self.recorder = Recorder(hub, COMPONENT, clock=clock)
        interpret = Interpreter().ask
        context = Context(
            hub=hub,
            cache=self.cache,
            fleet=self.fleet,
            recorder=self.recorder,
            clock=clock,
            interpret=interpret,
            connect=connect,
            options=settings.options,
            conventions={convention.name: convention for convention in (KARMADA, KUBEFED)},
        )
        placer = Placer(self.cache)
        self._parts: list[Part] = [
            *pipeline.controllers(context, placer),
            *karmada.controllers(karmada.Hub(hub, self.cache, self.recorder, clock, interpret, placer.decide)),
            *kubefed.controllers(kubefed.Hub(hub, self.cache, self.recorder, clock)),
        ]
        self._watchdog = Watchdog(self._parts)

    @property
    def ready(self) -> bool:
        """Whether every controller has its caches complete and is at work."""
        return self._watchdog.ready

    def why_not_ready(self) -> str:
        """What is waited for; empty when ready."""
        return self._watchdog.why_not_ready()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Run until the block ends. A controller that dies takes the block with it."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part.run(), name=part.name) for part in self._parts]
                tasks.append(group.create_task(metrics.watch_loop_lag(), name="event loop lag"))
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
        finally:
            await self.recorder.close()
            await self.fleet.close()
            await self.cache.close()
