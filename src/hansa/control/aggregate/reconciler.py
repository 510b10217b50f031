"""Keep a binding's status equal to what its Works report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from hansa.api import scheme
from hansa.api.conditions import documents, with_condition
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import ResourceBinding
from hansa.base.patch import equal_json
from hansa.control import sources
from hansa.control.aggregate.items import aggregated, fully_applied, is_reported
from hansa.control.bindings import binding_resource
from hansa.control.context import Context
from hansa.control.decisions import Decisions, success, tell_success
from hansa.control.indexes import WORKS_BY_BINDING, binding_id
from hansa.runtime.controller import Requeue

SUCCEED = "AggregateStatusSucceed"
PATIENCE_SECONDS = 5.0
TOLD_ALONE_SECONDS = 1.0
"""A decision waits so long for what its Works report, then it is told without."""


@dataclass(frozen=True, slots=True)
class Aggregator:
    """`since` says from when on a binding has had Works that nobody has reported on."""

    context: Context
    decisions: Decisions
    since: dict[Key, float] = field(default_factory=dict[Key, float])

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(binding_resource(key)).store.get(key)
        if item is None or item.deleting:
            self.since.pop(key, None)
            return None
        binding, now = item.as_(ResourceBinding), self.context.clock.now()
        before = binding.status.conditions or []
        conditions, change = before, Json()
        works = self._works(item)
        entries, waiting = self._entries(item, binding, works)
        decided = self.decisions.untold_of(key) == item.meta.generation
        alone = waiting - (PATIENCE_SECONDS - TOLD_ALONE_SECONDS)
        if decided and works and alone > 0:
            return Requeue(alone)
        if decided:
            conditions, change = success(conditions, item.meta.generation, now)
        if entries is not None:
            conditions = with_condition(conditions, fully_applied(binding.spec, entries), now)
            if not equal_json(msgspec.to_builtins(binding.status.aggregated_status or []), _comparable(entries)):
                change["aggregatedStatus"] = entries
        if conditions != before:
            change["conditions"] = documents(conditions)
        if change:
            await self.context.hub.patch_status(binding_resource(key), item, change)
        if decided:
            self.decisions.told(key, item.meta.generation)
            tell_success(self.context, item, binding.spec)
        if "aggregatedStatus" in change:
            message = f"Update {item.kind}({key}) with AggregatedStatus successfully."
            self.context.recorder.of(sources.binding_status(item.kind)).event(item, "Normal", SUCCEED, message)
        return Requeue(waiting) if waiting > 0 else None

    def _works(self, item: Item) -> Sequence[Item]:
        if not binding_id(item):
            return ()
        return self.context.cache.informer(scheme.WORKS).store.by(WORKS_BY_BINDING, binding_id(item))

    def _entries(self, item: Item, binding: ResourceBinding, works: Sequence[Item]) -> tuple[list[Json] | None, float]:
        """What the Works report; None when there is nothing to say, or nothing yet: then how long to wait."""
        expected = len(binding.spec.expected_clusters)
        if not binding_id(item) or not (works or binding.status.aggregated_status or expected):
            return None, 0.0
        waiting = self._waiting_seconds(item.key, works, expected)
        return (None, waiting) if waiting > 0 else (aggregated(works), 0.0)

    def _waiting_seconds(self, key: Key, works: Sequence[Item], expected: int) -> float:
        """How long to wait for the rest: Works on their way report soon, and one write then does for all."""
        if len(works) >= expected and all(is_reported(work) for work in works):
            self.since.pop(key, None)
            return 0.0
        now = self.context.clock.monotonic()
        return self.since.setdefault(key, now) + PATIENCE_SECONDS - now


def _comparable(entries: list[Json]) -> list[Json]:
    """As the struct gives them back: false and empty are left out."""
    return [{name: value for name, value in entry.items() if value not in (False, "")} for entry in entries]
