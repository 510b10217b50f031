"""Leader election on a coordination.k8s.io Lease: who holds it works, the others wait.

Times within a Lease are other machines' clocks, so they are never compared with ours: a candidate counts the seconds
since it last saw the Lease change. A leader that cannot renew stops before a candidate may begin.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.clock import Clock, rfc3339_micro
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.runtime.clock import SystemClock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """Seconds. A leader stops after `renew_deadline` without success, which must be shorter than `duration`."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if not self.retry < self.renew_deadline < self.duration:
            raise ValueError("a lease needs retry < renew_deadline < duration")


@dataclass(slots=True)
class _Seen:
    """The Lease as it was last read, and when (monotonic) it was first seen like this."""

    version: str = ""
    spec: Json = field(default_factory=dict)
    at: float = 0.0


class Election:
    """One candidate, `identity`, for the Lease `namespace`/`name`."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Clock | None = None,
        timing: LeaseTiming | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._clock = clock or SystemClock()
        self._timing = timing or LeaseTiming()
        self._rng = rng or random.Random()
        self._seen = _Seen()
        self.identity = identity
        self.leading = False

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last read."""
        return str(self._seen.spec.get("holderIdentity") or "")

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `work` whenever we lead: begun when the Lease is ours, cancelled when it is lost.

        Ends when `work` ends by itself (its exception is raised), or when cancelled; then the Lease is given up.
        """
        while True:
            await self._acquire()
            log.info("leading", extra=self._about())
            working = asyncio.create_task(work(), name=f"leader of {self._name}")
            renewing = asyncio.create_task(self._renew_until_lost(), name=f"lease {self._name}")
            self.leading = True
            try:
                await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.leading = False
                lost = renewing.done()
                await _end(renewing)
                ended = working.done()
                await _end(working)
                if not lost:
                    await self._release()
            if ended:
                working.result()
                return
            log.warning("lease lost", extra=self._about())

    # -- within ------------------------------------------------------------------------------------------------------

    def _about(self) -> dict[str, str]:
        return {"key": f"{self._namespace}/{self._name}", "identity": self.identity}

    async def _acquire(self) -> None:
        while not await self._try():  # noqa: ASYNC110 (the Lease is on a server; nobody here can set an event)
            await asyncio.sleep(self._jittered(self._timing.retry))

    async def _renew_until_lost(self) -> None:
        renewed = self._clock.monotonic()
        while True:
            await asyncio.sleep(self._jittered(self._timing.retry))
            left = renewed + self._timing.renew_deadline - self._clock.monotonic()
            if left <= 0:
                return
            begun = self._clock.monotonic()
            try:
                # an answer that comes after the deadline is too late to count on
                async with asyncio.timeout(left):
                    if await self._try():
                        renewed = begun
                    elif self.holder != self.identity:
                        return
            except TimeoutError:
                return

    async def _try(self) -> bool:
        """Take or renew the Lease; whether it is ours now."""
        try:
            return await self._take()
        except (ApiError, Unreachable) as error:
            log.debug("lease: %s", error, extra=self._about())
            return False

    async def _take(self) -> bool:
        try:
            lease = await self._client.get(scheme.LEASES, self._name, self._namespace)
        except NotFound:
            spec = self._spec({}, transitions=0)
            metadata = {"name": self._name, "namespace": self._namespace}
            self._note(
                await self._client.create(
                    scheme.LEASES,
                    {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec},
                )
            )
            return True
        if lease.meta.resource_version != self._seen.version:
            self._note(lease)
        spec = self._seen.spec
        ours = self.holder == self.identity
        if not ours and self.holder and not self._is_over():
            return False
        transitions = int(spec.get("leaseTransitions") or 0) + (0 if ours else 1)
        document = lease.json()
        document["spec"] = self._spec(spec if ours else {}, transitions=transitions)
        self._note(await self._client.update(scheme.LEASES, document))  # Conflict: somebody else was first
        return True

    def _is_over(self) -> bool:
        duration = float(self._seen.spec.get("leaseDurationSeconds") or self._timing.duration)
        return self._clock.monotonic() >= self._seen.at + duration

    def _spec(self, before: Json, *, transitions: int) -> Json:
        now = rfc3339_micro(self._clock.now())
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": round(self._timing.duration),
            "acquireTime": before.get("acquireTime") or now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _note(self, lease: Item) -> None:
        spec: Json = lease.json().get("spec") or {}
        self._seen = _Seen(lease.meta.resource_version, spec, self._clock.monotonic())

    async def _release(self) -> None:
        """Give the Lease up, so that the next one need not wait for its end."""
        if self.holder != self.identity:
            return
        spec = {**self._seen.spec, "holderIdentity": "", "leaseDurationSeconds": 1}
        spec["renewTime"] = rfc3339_micro(self._clock.now())
        patch: Json = {"metadata": {"resourceVersion": self._seen.version}, "spec": spec}
        await _shielded(self._client.patch(scheme.LEASES, self._name, self._namespace, patch))

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + self._rng.random() * self._timing.jitter)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _shielded(release: Awaitable[Item]) -> None:
    """Best effort, within a second: who leaves must not hang."""
    try:
        async with asyncio.timeout(1.0):
            await release
    except (ApiError, Unreachable, TimeoutError) as error:
        log.debug("lease not given up: %s", error)
