"""Write a Work's status: what execution did and what the member's objects report, in one write or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hansa.api import scheme
from hansa.api.conditions import condition, documents, with_condition
from hansa.api.item import Item
from hansa.api.meta import GVK, Condition, Json, Key
from hansa.api.work import Work
from hansa.base.names import cluster_of
from hansa.base.patch import equal_json
from hansa.control import sources
from hansa.control.context import Context
from hansa.control.observe.reflection import HEALTH_FAILED, REFLECT_FAILED, Reflection, identifier, reflect
from hansa.control.outcomes import Outcome, Outcomes
from hansa.control.watches import Watches
from hansa.runtime.controller import Requeue

APPLIED = "Applied"
DISPATCHING = "Dispatching"
WORK_DISPATCHING = "WorkDispatching"
_SUCCEEDED = {REFLECT_FAILED: "ReflectStatusSucceed", HEALTH_FAILED: "InterpretHealthSucceed"}


@dataclass(frozen=True, slots=True)
class Observer:
    context: Context
    watches: Watches
    outcomes: Outcomes

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(scheme.WORKS).store.get(key)
        outcome = self.outcomes.get(key)
        if item is None or item.deleting or outcome is None:
            return None
        work = item.as_(Work)
        now = self.context.clock.now()
        conditions = with_condition(work.status.conditions, dispatching_condition(outcome), now)
        if outcome.dispatching:
            conditions = with_condition(conditions, applied_condition(outcome), now)
        change: Json = {}
        if conditions != (work.status.conditions or []):
            change["conditions"] = documents(conditions)
        reflections = await self._reflections(item, work, conditions)
        old = [msgspec.to_builtins(entry) for entry in work.status.manifest_statuses or ()]
        entries = _kept(old, reflections)
        if not _same(old, entries):
            change["manifestStatuses"] = entries
        if not change:
            return None
        await self.context.hub.patch_status(scheme.WORKS, item, change)
        self._tell(item, work.status.conditions or (), conditions, reflections if "manifestStatuses" in change else ())
        return None

    async def _reflections(self, item: Item, work: Work, conditions: Sequence[Condition]) -> list[Reflection]:
        """Of those objects that the member is known to have; a member that is not known right now keeps its last."""
        cluster = cluster_of(item.meta.namespace)
        convention = self.context.convention(item.labels)
        member = self.context.fleet.get(cluster or "")
        said = condition(conditions, APPLIED)
        if member is None or not member.ready or convention is None or said is None or said.status != "True":
            return []
        reflections: list[Reflection] = []
        for ordinal, manifest in enumerate(work.spec.workload.manifests or ()):
            wanted = identifier(ordinal, manifest)
            known = member.discovery.known(GVK(wanted["group"], wanted["version"], wanted["kind"]))
            informer = self.watches.find(member.name, known.resource) if known is not None else None
            live = informer.store.get(Key(wanted["namespace"], wanted["name"])) if informer is not None else None
            if live is not None and convention.owns(live.meta):
                reflections.append(await reflect(self.context.interpret, ordinal, live))
        return reflections

    def _tell(
        self, item: Item, old: Sequence[Condition], new: Sequence[Condition], reflections: Sequence[Reflection]
    ) -> None:
        """Events on transitions only."""
        before, after = condition(old, DISPATCHING), condition(new, DISPATCHING)
        if after is not None and (before is None or before.status != after.status):
            self.context.recorder.of(sources.EXECUTION).event(item, "Normal", WORK_DISPATCHING, after.message)
        source = self.context.recorder.of(sources.WORK_STATUS)
        for reflection in reflections:
            name = reflection.entry["identifier"]["name"]
            for failed, succeeded in _SUCCEEDED.items():
                if failed in reflection.faults:
                    source.event(item, "Warning", failed, reflection.faults[failed])
                else:
                    source.event(item, "Normal", succeeded, f"{succeeded} for {name}")


def dispatching_condition(outcome: Outcome) -> Condition:
    if outcome.dispatching:
        message = "Work is being dispatched to member clusters."
        return Condition(type=DISPATCHING, status="True", reason="Dispatching", message=message)
    message = "Work dispatching is in a suspended state."
    return Condition(type=DISPATCHING, status="False", reason="SuspendDispatching", message=message)


def applied_condition(outcome: Outcome) -> Condition:
    if not outcome.fault:
        message = "Manifest has been successfully applied"
        return Condition(type=APPLIED, status="True", reason="AppliedSuccessful", message=message)
    message = f"Failed to apply all manifests ({outcome.applied}/{outcome.total}): {outcome.fault}"
    return Condition(type=APPLIED, status="False", reason="AppliedFailed", message=message)


def _kept(old: Sequence[Json], reflections: Sequence[Reflection]) -> list[Json]:
    """New entries, and old ones of manifests that there is nothing new about."""
    fresh = {reflection.entry["identifier"]["ordinal"]: reflection.entry for reflection in reflections}
    merged = {entry["identifier"]["ordinal"]: entry for entry in old} | fresh
    return [merged[ordinal] for ordinal in sorted(merged)]


def _same(old: Sequence[Json], new: Sequence[Json]) -> bool:
    return equal_json(list(old), list(new))
