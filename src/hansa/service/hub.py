"""What the controllers of services are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.fleet import Fleet
from hansa.runtime.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Hub:
    client: Client
    cache: Cache
    """Informers of the hub."""
    fleet: Fleet
    recorder: Recorder
    clock: Clock


class Part(Protocol):
    """Something that runs until it is cancelled: a controller or a loop."""

    name: str

    async def run(self) -> None: ...
