"""Drop the eviction tasks of bindings that are over; the Work in the cluster that was left is then an orphan."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hansa.api.meta import Json, Key
from hansa.api.work import ResourceBinding
from hansa.control import sources
from hansa.control.bindings import binding_resource, template_reference
from hansa.control.context import Context
from hansa.control.evict.tasks import assess
from hansa.kube.errors import ApiError, Conflict, NotFound, Unreachable
from hansa.runtime.controller import Requeue

SUCCEED = "EvictWorkloadFromClusterSucceed"
FAILED = "EvictWorkloadFromClusterFailed"


@dataclass(frozen=True, slots=True)
class Evictor:
    context: Context

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(binding_resource(key)).store.get(key)
        if item is None or item.deleting:
            return None
        binding = item.as_(ResourceBinding)
        tasks = binding.spec.graceful_eviction_tasks or []
        if not tasks:
            return None
        limit = self.context.options.eviction_limit_seconds
        found = assess(binding.spec, binding.status, item.meta.generation, self.context.clock.now(), limit)
        if list(found.kept) != tasks:
            patch: Json = {
                "metadata": {"resourceVersion": item.meta.resource_version},
                "spec": {"gracefulEvictionTasks": msgspec.to_builtins(found.kept) or None},
            }
            source = self.context.recorder.of(sources.eviction(item.kind))
            about = (item, template_reference(binding.spec))
            try:
                await self.context.hub.patch(binding_resource(key), key.name, key.namespace or None, patch)
            except (Conflict, NotFound):
                raise
            except (ApiError, Unreachable) as error:
                for cluster in found.left:
                    for obj in about:
                        source.event(obj, "Warning", FAILED, f"Evict from cluster {cluster} failed: {error}")
                raise
            for cluster in found.left:
                for obj in about:
                    source.event(obj, "Normal", SUCCEED, f"Evict from cluster {cluster} succeed.")
        return Requeue(found.look_again_seconds) if found.look_again_seconds is not None else None
