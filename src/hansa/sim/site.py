"""What everybody who acts in one member shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from hansa.api.item import Item
from hansa.api.meta import Resource
from hansa.base.clock import Clock, parse_rfc3339, rfc3339
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.informer import Informer
from hansa.runtime.store import Store


class Events(Protocol):
    """Tells what happened to an object; never blocks, never raises."""

    def event(self, obj: Item, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take in a simulated member, in seconds."""

    start_seconds: float = 0.2
    """From assignment to a node until all containers run."""
    ready_seconds: float = 0.1
    """From running to ready."""
    run_seconds: float = 0.5
    """How long a container runs that is meant to end (restartPolicy other than Always)."""
    stop_seconds: float = 0.2
    """How long a pod takes to end, when its grace period is not shorter."""
    heartbeat_seconds: float = 20.0
    """Between renewals of a node's Lease."""
    node_grace_seconds: float = 40.0
    """Silence after which a node is not ready."""
    restart_seconds: float = 10.0
    """First pause before a crashed container is started again; doubles up to five minutes."""

    def at(self, speed: float) -> Timing:
        """The same, with pods that are `speed` times as fast. Heartbeats keep their pace."""
        return replace(
            self,
            start_seconds=self.start_seconds / speed,
            ready_seconds=self.ready_seconds / speed,
            run_seconds=self.run_seconds / speed,
            stop_seconds=self.stop_seconds / speed,
            restart_seconds=self.restart_seconds / speed,
        )


@dataclass(frozen=True, slots=True)
class Site:
    """One member, as those who act in it see it."""

    name: str
    client: Client
    cache: Cache
    clock: Clock
    random: Callable[[], float]
    """Between 0 and 1, for names and for choices among equals."""
    events: Callable[[str], Events]
    """Recorder for a component."""
    timing: Timing

    def informer(self, resource: Resource) -> Informer:
        return self.cache.informer(resource)

    def store(self, resource: Resource) -> Store:
        return self.cache.informer(resource).store

    def now(self) -> str:
        return rfc3339(self.clock.now())

    def age_seconds(self, since: str) -> float:
        """How long ago an API time was."""
        return (self.clock.now() - parse_rfc3339(since)).total_seconds()
