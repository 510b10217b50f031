"""Wait until a control plane has done all that it is going to do.

On a loop of virtual time this is certain: queues are empty, every key that had failed has been tried once more since
the last write, every poll has had its turn, and nothing was written. Only what waits for minutes on purpose (a binding
for which no room was found) is not waited for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hansa.apiserver.storage import Event, Storage
from hansa.kube.errors import ConfigError
from hansa.runtime.controller import Controller

QUIET_SECONDS = 12.0
"""Longer than every poll of a controller but that for room, and every delay of a report."""
LIMIT_SECONDS = 240.0
"""Shorter than the poll for room."""
_NOT_COUNTED = frozenset({"events", "events.events.k8s.io"})


class Restless(ConfigError):
    """The control plane does not come to rest; the message names what is written again and again."""


@dataclass(slots=True)
class Rest:
    storage: Storage
    controllers: Sequence[Controller[Any]]
    _writes: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self.storage.subscribe(self._heard)

    async def settle(self) -> None:
        """Raises Restless."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LIMIT_SECONDS
        self._writes.clear()
        while True:
            before = self._writes.total()
            retried = max(controller.queue.last_retry for controller in self.controllers) - loop.time()
            await asyncio.sleep(max(QUIET_SECONDS, retried))
            idle = all(controller.queue.idle for controller in self.controllers)
            if idle and before == self._writes.total():
                return
            if loop.time() > end:
                busy = ", ".join(f"{what} ({count} times)" for what, count in self._writes.most_common(3))
                waiting = ", ".join(each.name for each in self.controllers if not each.queue.idle)
                raise Restless(f"the control plane does not come to rest: {busy or waiting}")

    def _heard(self, bucket: str, event: Event) -> None:
        if bucket not in _NOT_COUNTED:
            self._writes[f"{bucket} {event.new.key}"] += 1
