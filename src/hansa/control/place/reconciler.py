"""Schedule bindings that nobody has scheduled yet, or whose ground has changed, and say so in their status."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec

from hansa.api import names
from hansa.api.conditions import condition, documents, with_condition
from hansa.api.item import Item
from hansa.api.meta import Condition, Json, Key
from hansa.api.work import BindingSpec, ResourceBinding, TargetCluster
from hansa.control.bindings import binding_resource
from hansa.control.context import Context
from hansa.control.decisions import FAILED, SCHEDULED, Decisions, success, tell, tell_success
from hansa.control.place.backlog import Backlog
from hansa.control.place.metrics import attempted
from hansa.control.place.placer import Estimates, Placer
from hansa.control.place.triggers import is_ours, is_placed_here
from hansa.kube.errors import ApiError, Forbidden, Invalid
from hansa.runtime import queue
from hansa.runtime.controller import Requeue, Retry, Terminal
from hansa.schedule import Fit, Unfit
from hansa.schedule.needed import applied_placement, due
from hansa.schedule.outcome import Reason
from hansa.schedule.request import reschedule_asked

UNSCHEDULABLE_SECONDS = 300.0
FIRST_BACKOFF_SECONDS = 1.0
LAST_BACKOFF_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Scheduler:
    """`loud` holds bindings for which a change of clusters asks for a new time in status even if nothing moves."""

    context: Context
    placer: Placer
    decisions: Decisions
    loud: set[Key] = field(default_factory=set[Key])
    failures: dict[Key, int] = field(default_factory=dict[Key, int])
    """How often in a row a binding could not be scheduled for an error."""
    backlog: Backlog = field(default_factory=Backlog)
    one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)
    """For decisions that look at where others are, or ask first: no other such decision comes between."""

    def forget(self, key: Key) -> None:
        """The binding is gone."""
        self.decisions.forget(key)
        self.failures.pop(key, None)
        self.backlog.settled(key)

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(binding_resource(key)).store.get(key)
        if item is None:
            self.forget(key)
            return None
        self.backlog.settled(key)
        loud = key in self.loud
        self.loud.discard(key)
        try:
            return await self._look(key, item, loud=loud)
        except Exception:
            if loud:
                self.loud.add(key)
            raise

    async def _look(self, key: Key, item: Item, *, loud: bool) -> Requeue | None:
        binding = self.placer.seen(item.as_(ResourceBinding))
        name = self.context.options.scheduler_name
        mine = is_ours(binding.spec, name) if loud else is_placed_here(item.labels, binding.spec, name)
        if item.deleting or not mine:
            return None
        reason = due(binding.spec, binding.status, item.annotations, self.placer.snapshot)
        if reason is None:
            await self._confirm(key, item, binding)
            return None
        kind = "ScaleSchedule" if reason == "ReplicasChanged" else "ReconcileSchedule"
        begun, scheduled = self.context.clock.monotonic(), False
        try:
            unfit = await self._attempt(key, item, binding, loud=loud)
            scheduled = unfit is None
        finally:
            attempted(kind, self.context.clock.monotonic() - begun, scheduled=scheduled)
        if unfit is None or unfit.reason == "NoClusterFit":
            return None
        self.backlog.refused(key, unfit.reason)
        return Requeue(self._pause_seconds(key, unfit.reason))

    async def _attempt(self, key: Key, item: Item, binding: ResourceBinding, *, loud: bool) -> Unfit | None:
        """Decide and write. What it cannot be, None when it is placed."""
        asks = self.placer.asks(binding.spec)
        if not asks and binding.spec.workload_affinity_groups is None:
            return await self._decide(key, item, binding, (), loud=loud)
        async with self.one_by_one:
            estimates = await self.placer.estimates(binding.spec, binding.status) if asks else ()
            return await self._decide(key, item, binding, estimates, loud=loud)

    async def _decide(
        self, key: Key, item: Item, binding: ResourceBinding, estimates: Estimates, *, loud: bool
    ) -> Unfit | None:
        outcome = self.placer.place(binding.spec, binding.status, estimates)
        if outcome is None:
            raise Retry("clusters are not known yet")
        for attempt in outcome.attempts:
            tell(self.context, item, binding.spec, "Warning", FAILED, f"failed to schedule {_shown(item)} {attempt}")
        if isinstance(outcome, Unfit):
            await self._refuse(item, binding, outcome)
            return outcome
        try:
            await self._place(key, item, binding, outcome, loud=loud)
        except (Forbidden, Invalid) as error:
            # the hub's own word on this placement: quota, or an admission policy
            if _namespace_ends(error):
                raise Terminal(str(error)) from error
            reason = "QuotaExceeded" if error.status_reason == "QuotaExceeded" else "SchedulerError"
            unfit = Unfit(reason, str(error))
            await self._refuse(item, binding, unfit)
            return unfit
        self.failures.pop(key, None)
        return None

    async def _place(self, key: Key, item: Item, binding: ResourceBinding, fit: Fit, *, loud: bool) -> None:
        written = await self._write_spec(item, binding.spec, list(fit.targets))
        status = binding.status
        generation = written.meta.generation
        if self.decisions.untold_of(key) == generation:
            return
        said = condition(status.conditions, SCHEDULED)
        current = (
            (said is None or said.status == "True")
            and max(status.scheduler_observed_generation, self.decisions.told_of(key)) >= generation
            and status.scheduler_observed_affinity_name
            == (fit.affinity_name or status.scheduler_observed_affinity_name)
        )
        if current and not loud:
            return
        # what the next decision reads in status is written at once
        read = bool(fit.affinity_name) or reschedule_asked(binding.spec, status)
        if not read and self.decisions.postpone(key, generation):
            return
        now = self.context.clock.now()
        conditions, change = success(status.conditions, generation, now)
        change["conditions"] = documents(conditions)
        if fit.affinity_name:
            change["schedulerObservingAffinityName"] = fit.affinity_name
        await self._write_status(written, change)
        self.decisions.told(key, generation)
        spec = msgspec.structs.replace(binding.spec, clusters=list(fit.targets))
        tell_success(self.context, item, spec)

    async def _refuse(self, item: Item, binding: ResourceBinding, unfit: Unfit) -> None:
        written = item
        if unfit.reason == "NoClusterFit" and (unfit.clears or self.context.options.no_fit_clears):
            # what somebody wants is carried out; what is broken does not cost the last placement
            written = await self._write_spec(item, binding.spec, [])
        said = Condition(type=SCHEDULED, status="False", reason=unfit.reason, message=unfit.told)
        before = condition(binding.status.conditions, SCHEDULED)
        overtaken = self.decisions.told_of(item.key) > binding.status.scheduler_observed_generation
        self.decisions.forget(item.key)
        same = before is not None and (before.status, before.reason, before.message) == (
            said.status,
            said.reason,
            said.message,
        )
        if overtaken or not same:
            now = self.context.clock.now()
            conditions = documents(with_condition(binding.status.conditions, said, now))
            await self._write_status(written, {"conditions": conditions})
            tell(self.context, item, binding.spec, "Warning", FAILED, unfit.told)

    def _pause_seconds(self, key: Key, reason: Reason) -> float:
        """Until the next attempt: with priorities what finds no room waits for long, without all wait alike."""
        priorities = self.context.options.gates.enabled("PriorityBasedScheduling")
        if priorities and reason == "Unschedulable":
            return UNSCHEDULABLE_SECONDS
        failures = self.failures.get(key, 0)
        self.failures[key] = failures + 1
        first, last = (
            (FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS)
            if priorities
            else (queue.FIRST_BACKOFF_SECONDS, queue.LAST_BACKOFF_SECONDS)
        )
        return min(first * 2 ** min(failures, 60), last)

    async def _confirm(self, key: Key, item: Item, binding: ResourceBinding) -> None:
        """Nothing to decide: what was decided holds for this generation too. It may have been decided when the binding
        was written; then nobody has said so yet."""
        status, generation = binding.status, item.meta.generation
        said = condition(status.conditions, SCHEDULED)
        known = max(status.scheduler_observed_generation, self.decisions.told_of(key))
        untold = self.decisions.untold_of(key) is not None or said is None or said.status != "True"
        if untold and known < generation:
            await self._place(key, item, binding, Fit(tuple(binding.spec.clusters or ())), loud=False)
        elif known < generation:
            await self._write_status(item, {"schedulerObservedGeneration": generation})
            self.decisions.told(key, generation)

    async def _write_spec(self, item: Item, spec: BindingSpec, targets: list[TargetCluster]) -> Item:
        assert spec.placement is not None
        applied = applied_placement(spec.placement)
        patch: Json = {}
        if list(spec.clusters or ()) != targets:
            patch["spec"] = {"clusters": msgspec.to_builtins(targets) or None}
        if item.annotations.get(names.APPLIED_PLACEMENT_ANNOTATION) != applied:
            patch["metadata"] = {"annotations": {names.APPLIED_PLACEMENT_ANNOTATION: applied}}
        if not patch:
            return item
        patch.setdefault("metadata", {})["resourceVersion"] = item.meta.resource_version
        written = await self.context.hub.patch(
            binding_resource(item.key), item.meta.name, item.meta.namespace or None, patch
        )
        self.placer.groups.wrote(written)
        return written

    async def _write_status(self, item: Item, change: Json) -> None:
        await self.context.hub.patch_status(binding_resource(item.key), item, change)


def _shown(item: Item) -> str:
    return f"{item.kind}({item.key})"


def _namespace_ends(error: ApiError) -> bool:
    causes = error.details.get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
