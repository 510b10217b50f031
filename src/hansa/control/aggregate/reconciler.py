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
from hansa.control.indexes import WORKS_BY_BINDING, binding_id
from hansa.runtime.controller import Requeue

SUCCEED = "AggregateStatusSucceed"
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Aggregator:
    """`since` says from when on a binding has had Works that nobody has reported on."""

    context: Context
    since: dict[Key, float] = field(default_factory=dict[Key, float])

    async def reconcile(self, key: Key) -> Requeue | None:
        resource = binding_resource(key)
        item = self.context.cache.informer(resource).store.get(key)
        if item is None or item.deleting or not binding_id(item):
            self.since.pop(key, None)
            return None
        works = self.context.cache.informer(scheme.WORKS).store.by(WORKS_BY_BINDING, binding_id(item))
        binding = item.as_(ResourceBinding)
        if not works and not binding.status.aggregated_status and not binding.spec.expected_clusters:
            return None
        waiting = self._waiting_seconds(key, works, len(binding.spec.expected_clusters))
        if waiting > 0:
            return Requeue(waiting)
        entries = aggregated(works)
        now = self.context.clock.now()
        conditions = with_condition(binding.status.conditions, fully_applied(binding.spec, entries), now)
        change: Json = {}
        if conditions != (binding.status.conditions or []):
            change["conditions"] = documents(conditions)
        if not equal_json(msgspec.to_builtins(binding.status.aggregated_status or []), _comparable(entries)):
            change["aggregatedStatus"] = entries
        if not change:
            return None
        patch: Json = {"metadata": {"resourceVersion": item.meta.resource_version}, "status": change}
        await self.context.hub.patch(resource, key.name, key.namespace or None, patch, subresource="status")
        if "aggregatedStatus" in change:
            message = f"Update {item.kind}({key}) with AggregatedStatus successfully."
            self.context.recorder.of(sources.binding_status(item.kind)).event(item, "Normal", SUCCEED, message)
        return None

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
