"""Keep a set of pods at a number: making them, choosing which end, and saying so in Events."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.scheme import PODS
from hansa.kube.errors import ApiError, Conflict, NotFound
from hansa.sim.awaited import Awaited
from hansa.sim.pod import Pod
from hansa.sim.site import Events, Site

AT_ONCE = 16
BURST = 500


@dataclass(frozen=True, slots=True)
class PodSet:
    """Creates and deletes pods for owners of one kind."""

    site: Site
    events: Events
    awaited: Awaited

    async def create(self, owner: Item, pods: Sequence[Json]) -> None:
        """Create pods, a few first, then more at a time. Raises the first ApiError; the rest is then not tried."""
        batch, start = 1, 0
        while start < len(pods):
            outcomes = await asyncio.gather(
                *(self._create_one(owner, pod) for pod in pods[start : start + batch]), return_exceptions=True
            )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            start += batch
            batch = min(batch * 2, AT_ONCE)

    async def delete(self, owner: Item, pods: Sequence[Pod]) -> None:
        """Raises ApiError; pods that are gone already are fine."""
        for start in range(0, len(pods), AT_ONCE):
            await asyncio.gather(*(self._delete_one(owner, pod) for pod in pods[start : start + AT_ONCE]))

    async def _create_one(self, owner: Item, pod: Json) -> None:
        try:
            made = await self.site.client.create(PODS, pod)
        except ApiError as error:
            self.events.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self.awaited.created(owner.key, made)
        self.events.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {made.meta.name}")

    async def _delete_one(self, owner: Item, pod: Pod) -> None:
        meta = pod.item.meta
        try:
            await self.site.client.delete(PODS, meta.name, meta.namespace, uid=meta.uid)
        except (NotFound, Conflict):
            return
        except ApiError as error:
            self.events.event(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            raise
        self.awaited.deleted(owner.key, pod.item)
        self.events.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name}")


def to_delete_first(pods: Sequence[Pod]) -> list[Pod]:
    """The order in which a ReplicaSet gives pods up: the least useful first."""
    per_node = Counter(pod.node for pod in pods if pod.node)
    phases = {"Pending": 0, "Unknown": 1, "Running": 2}

    def rank(pod: Pod) -> tuple[object, ...]:
        return (
            bool(pod.node),
            phases.get(pod.phase, 2),
            pod.ready,
            pod.deletion_cost,
            -per_node.get(pod.node, 0),
            _later_first(pod.ready_since),
            -pod.restarts,
            _later_first(pod.item.meta.creation_timestamp),
            pod.name,
        )

    return sorted(pods, key=rank)


def _later_first(moment: str | None) -> tuple[int, ...]:
    """Sorts later times before earlier ones, and none last. API times have one width, so letters compare as times."""
    return tuple(-ord(letter) for letter in moment) if moment else (0,)
