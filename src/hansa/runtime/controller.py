"""Work through a queue of keys: the one place that decides on retries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from hansa.kube.errors import ApiError, Conflict, Unreachable
from hansa.runtime import metrics
from hansa.runtime.informer import Informer
from hansa.runtime.queue import Queue

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)

# a lost lease plus this must end before the lease does: 10 + 4 < 15 s
DRAIN_SECONDS = 4.0


class Requeue(NamedTuple):
    """Done for now; look again after so many seconds."""

    after_seconds: float


class Terminal(Exception):
    """Trying again is no use until something changes. The reconciler has said why in a condition or an event."""


class Retry(Exception):
    """An expected wait, retried with back-off and logged quietly."""


class Reconciler(Protocol[K_contra]):
    """Reads what is true now and applies the difference.

    Returning None: done. `Requeue`: again after a time. Raising: again with back-off, but for `Terminal`.
    """

    async def reconcile(self, key: K_contra) -> Requeue | None: ...


class Controller(Generic[K]):
    """A queue, its workers, and the caches that must be complete before the first key is worked on."""

    def __init__(
        self,
        name: str,
        reconciler: Reconciler[K],
        *,
        workers: int = 4,
        queue: Queue[K] | None = None,
        needs: Sequence[Informer] = (),
    ) -> None:
        self.name = name
        self.queue: Queue[K] = Queue(name) if queue is None else queue  # an empty queue is false
        self._reconciler = reconciler
        self._workers = workers
        self._needs = needs
        self._observe = metrics.ReconcileMetrics(name)
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; keys that are being worked on are then finished, within DRAIN_SECONDS.

        Returns at once when one of the caches it needs can never be complete, because its kind is gone.
        """
        for informer in self._needs:
            if not await informer.wait_synced():
                log.error(
                    "not started: %s are not served",
                    informer.resource.group_resource,
                    extra={"controller": self.name, "reason": "CacheNotSynced"},
                )
                return
        self.ready.set()
        stopping = asyncio.Event()
        workers = [
            asyncio.create_task(self._work(stopping), name=f"{self.name} worker {number}")
            for number in range(self._workers)
        ]
        try:
            await asyncio.wait(workers)  # unlike gather, leaves them running when this is cancelled
        finally:
            stopping.set()
            await _drain(workers, self.queue)
            self.queue.close()

    async def _work(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            key = await self.queue.get()
            try:
                await self._one(key)
            finally:
                self.queue.done(key)

    async def _one(self, key: K) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        outcome = "success"
        try:
            result = await self._reconciler.reconcile(key)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self.queue.add(key)
                raise
            # something within was cancelled, not this worker
            outcome = "panic"
            self.queue.add_rate_limited(key)
            log.warning("cancelled from within", extra=self._about(key, started))
        except Terminal as error:
            outcome = "terminal"
            self.queue.forget(key)
            log.info("given up until something changes: %s", error, extra=self._about(key, started))
        except Retry as error:
            outcome = "retry"
            self.queue.add_rate_limited(key)
            log.debug("waiting: %s", error, extra=self._about(key, started))
        except (Conflict, Unreachable) as error:
            outcome = "retry"
            self.queue.add_rate_limited(key)
            log.debug("again: %s", error, extra=self._about(key, started))
        except ApiError as error:
            outcome = "error"
            self.queue.add_rate_limited(key)
            log.warning("failed: %s", error, extra=self._about(key, started))
        except Exception:
            outcome = "panic"
            self.queue.add_rate_limited(key)
            log.exception("failed unexpectedly", extra=self._about(key, started))
        else:
            self.queue.forget(key)
            if result is not None:
                self.queue.add_after(key, result.after_seconds)
        self._observe(outcome, loop.time() - started)

    def _about(self, key: K, started: float) -> dict[str, object]:
        elapsed = asyncio.get_running_loop().time() - started
        return {"controller": self.name, "key": str(key), "elapsed": round(elapsed, 6)}


async def _drain(workers: list[asyncio.Task[None]], queue: Queue[K]) -> None:
    """Let what is being worked on finish, then end the workers that wait for keys."""
    await queue.wait_processed(DRAIN_SECONDS)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
