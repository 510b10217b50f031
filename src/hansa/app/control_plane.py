"""The control plane: every controller of the pipeline and of both dialects, over one client of the hub."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hansa.app.parts import Watchdog
from hansa.app.plugins import scheduler_plugins
from hansa.base.clock import Clock
from hansa.base.duration import parse_duration
from hansa.base.gates import Gates
from hansa.control import pipeline
from hansa.control.context import Connect, Context, Options, Part
from hansa.control.interpreter import Interpreter
from hansa.control.place.placer import Placer
from hansa.dialect import karmada, kubefed
from hansa.foresight.deciding import Rules
from hansa.interpret.convention.karmada import KARMADA
from hansa.interpret.convention.kubefed import KUBEFED
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError
from hansa.runtime import metrics
from hansa.runtime.cache import Cache
from hansa.runtime.collector import spare_what_lasts
from hansa.runtime.controller import Controller
from hansa.runtime.fleet import Fleet
from hansa.runtime.patience import Traffic
from hansa.runtime.recorder import Recorder
from hansa.schedule.plugin import Plugins
from hansa.service import hub as service
from hansa.service.controllers import controllers as services
from hansa.service.identity import signer
from hansa.service.silence import STALE_AFTER_SECONDS

COMPONENT = "hansa"


@dataclass(frozen=True, slots=True)
class Settings:
    """What users may set. `skipped_apis` are kinds that are no templates, in the grammar of Karmada's flag."""

    options: Options = Options()
    skipped_apis: tuple[str, ...] = ()
    plugins: Plugins | None = None
    """Of the scheduler; None: ours and those that are installed."""
    keeps_empty: bool = False
    """Whether clusters that get no replicas of a divided workload are targets too."""
    services_stale_after_seconds: float = STALE_AFTER_SECONDS
    """When endpoints of a cluster that cannot be reached are withdrawn from the others; 0: never."""

    @classmethod
    def of(
        cls,
        *,
        gates: str,
        scheduler: str,
        skipped_apis: str,
        skipped_namespaces: str,
        eviction_timeout: str,
        plugins: str = "*",
        no_fit_clears: bool = False,
        keeps_empty: bool = False,
        services_stale_after: str = "24h",
    ) -> Settings:
        """From what the command line says. Raises ConfigError, which names the flag."""
        try:
            switched = Gates.parse(gates)
        except ValueError as error:
            raise ConfigError(f"--feature-gates: {error}") from error
        patterns = tuple(filter(None, (entry.strip() for entry in skipped_namespaces.split(","))))
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(f"--skipped-propagating-namespaces {pattern}: {error}") from error
        kinds = tuple(filter(None, (entry.strip() for entry in skipped_apis.split(";"))))
        for kind in kinds:
            if kind.count("/") > 2 or "" in kind.split("/"):
                forms = "GROUP, GROUP/VERSION, GROUP/VERSION/KIND,... or v1/KIND,..."
                raise ConfigError(f"--skipped-propagating-apis {kind}: wanted {forms}")
        options = Options(
            scheduler_name=scheduler,
            skipped_namespaces=patterns,
            gates=switched,
            eviction_limit_seconds=_timeout("--graceful-eviction-timeout", eviction_timeout),
            no_fit_clears=no_fit_clears,
        )
        stale_after = _timeout("--service-stale-after", services_stale_after)
        if stale_after is None:
            raise ConfigError("--service-stale-after: wanted a duration such as 24h, or 0 for never")
        return cls(options, kinds, scheduler_plugins(plugins), keeps_empty, stale_after)

    @property
    def rules(self) -> Rules:
        """What an explanation of a decision has to know of them."""
        return Rules(self.options, self.plugins or scheduler_plugins(), self.keeps_empty)

    @property
    def karmada(self) -> karmada.Options:
        return karmada.Options(
            scheduler_name=self.options.scheduler_name,
            skipped_apis=self.skipped_apis,
            skipped_namespaces=self.options.skipped_namespaces,
            gates=self.options.gates,
        )


def _timeout(flag: str, text: str) -> float | None:
    """Seconds; None for an empty text. Raises ConfigError."""
    if not text:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}") from error
    if seconds < 0:
        raise ConfigError(f"{flag} {text}: must be greater than or equal to 0")
    return seconds


class ControlPlane:
    """Runs within `running`. Must be made within the event loop: its informers start at once.

    With `only_decides` it works up to the Works, on a hub without members: nothing is carried out or observed.
    """

    def __init__(
        self,
        hub: Client,
        clock: Clock,
        connect: Connect,
        settings: Settings,
        *,
        only_decides: bool = False,
    ) -> None:
        self._lasts = not only_decides
        traffic = Traffic()
        self.cache = Cache(hub)
        self.fleet = Fleet()
        self.recorder = Recorder(hub, COMPONENT, clock=clock, traffic=traffic)
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
            traffic=traffic,
            conventions={convention.name: convention for convention in (KARMADA, KUBEFED)},
        )
        placer = Placer(
            self.cache,
            clock,
            settings.options.gates,
            plugins=settings.plugins or scheduler_plugins(),
            keeps_empty=settings.keeps_empty,
            arrives=not only_decides,
        )
        self._parts: list[Part] = [
            *(pipeline.deciding_controllers if only_decides else pipeline.controllers)(context, placer),
            *karmada.controllers(
                karmada.Hub(
                    hub, self.cache, self.recorder, clock, interpret, placer.at_birth, settings.karmada, traffic
                )
            ),
            *kubefed.controllers(kubefed.Hub(hub, self.cache, self.recorder, clock)),
        ]
        if not only_decides:
            native_names = settings.options.gates.enabled("MultiClusterService")
            of_services = service.Hub(hub, self.cache, self.fleet, self.recorder, clock)
            self._parts += services(
                of_services, native_names=native_names, stale_after_seconds=settings.services_stale_after_seconds
            )
            self._parts += signer.controllers(hub, self.cache, clock)
        if not settings.options.gates.enabled("ControllerPriorityQueue"):
            for controller in self.controllers:
                controller.queue.one_lane = True
        self._watchdog = Watchdog(self._parts)

    @property
    def controllers(self) -> list[Controller[Any]]:
        return [part for part in self._parts if isinstance(part, Controller)]

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
                if self._lasts:
                    tasks.append(group.create_task(spare_what_lasts(lambda: self.ready), name="collector"))
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
        finally:
            await self.recorder.close()
            await self.fleet.close()
            await self.cache.close()
