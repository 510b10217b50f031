"""Keep a member as one Work says, and clean up when the Work ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import Work
from hansa.base.names import cluster_of
from hansa.control import sources
from hansa.control.context import Context
from hansa.control.execute.apply import Applier, Refused
from hansa.control.execute.remove import Remover
from hansa.control.outcomes import Outcome, Outcomes
from hansa.interpret.convention import Convention
from hansa.interpret.error import InterpretError
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.runtime.controller import Requeue, Retry, Terminal

SYNC_SUCCEED = "SyncSucceed"
SYNC_FAILED = "SyncFailed"
REFUSED_SECONDS = 30.0
"""How long until an object that is not ours is looked at again: nothing tells us when it goes."""


@dataclass(frozen=True, slots=True)
class Executor:
    context: Context
    applier: Applier
    remover: Remover
    outcomes: Outcomes

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(scheme.WORKS).store.get(key)
        cluster = cluster_of(key.namespace)
        if item is None or cluster is None:
            self.outcomes.forget(key)
            return None
        convention = self.context.convention(item.labels)
        if convention is None:
            raise Terminal(f"work {key} follows a dialect that is not known here")
        work = item.as_(Work)
        manifests = work.spec.workload.manifests or []
        if item.deleting:
            await self._finish(item, convention, cluster, manifests, bool(work.spec.preserve_resources_on_deletion))
            return None
        if work.spec.suspend_dispatching:
            self.outcomes.record(key, Outcome(dispatching=False))
            return None
        return await self._apply(item, convention, cluster, manifests)

    async def _apply(self, item: Item, convention: Convention, cluster: str, manifests: list[Json]) -> Requeue | None:
        member = self.context.fleet.get(cluster)
        if member is None or not member.ready:
            # its Works are looked at again when it comes back
            return None
        results = await asyncio.gather(
            *(self.applier.apply(member, convention, item.meta, manifest) for manifest in manifests),
            return_exceptions=True,
        )
        faults: list[Exception] = []
        for manifest, result in zip(manifests, results, strict=True):
            if isinstance(result, (Refused, Retry, ApiError, Unreachable, InterpretError)):
                faults.append(result)
            elif isinstance(result, BaseException):
                raise result
            elif result:
                self._tell(item, manifest, "Normal", SYNC_SUCCEED, f"Successfully applied to cluster {cluster}")
        fault = "; ".join(str(error) for error in faults)
        before = self.outcomes.get(item.key)
        self.outcomes.record(item.key, Outcome(True, len(manifests) - len(faults), len(manifests), fault))
        if not faults:
            return None
        if before is None or before.fault != fault:
            for manifest in manifests:
                self._tell(item, manifest, "Warning", SYNC_FAILED, f"Failed to sync to cluster {cluster}: {fault}")
        if all(isinstance(error, Refused) for error in faults):
            return Requeue(REFUSED_SECONDS)
        raise Retry(fault)

    async def _finish(
        self, item: Item, convention: Convention, cluster: str, manifests: list[Json], preserve: bool
    ) -> None:
        if names.EXECUTION_FINALIZER not in (item.meta.finalizers or ()):
            return
        if not await self._is_lost(cluster):
            member = self.context.fleet.get(cluster)
            if member is None or not member.ready:
                # no proof that anything is gone: wait until the member is back
                return
            for manifest in manifests:
                await self.remover.remove(member, convention, item.meta, manifest, preserve=preserve)
        self.outcomes.forget(item.key)
        await self.context.hub.drop_finalizer(scheme.WORKS, item, names.EXECUTION_FINALIZER)

    async def _is_lost(self, cluster: str) -> bool:
        """Whether nobody can clean up any more: the Cluster has left, or leaves while its member is not ready."""
        found = self.context.cache.informer(scheme.CLUSTERS).store.get(Key("", cluster))
        if found is None:
            try:
                found = await self.context.hub.get(scheme.CLUSTERS, cluster)
            except NotFound:
                return True
        return found.deleting and not found.as_(Cluster).ready

    def _tell(self, item: Item, manifest: Json, type_: str, reason: str, message: str) -> None:
        level = "Normal" if type_ == "Normal" else "Warning"
        source = self.context.recorder.of(sources.EXECUTION)
        source.event(item, level, reason, message)
        metadata: Json = manifest.get("metadata") or {}
        annotations: Json = metadata.get("annotations") or {}
        uid = annotations.get(names.TEMPLATE_UID_ANNOTATION)
        if uid:
            template = {**manifest, "metadata": {**metadata, "uid": uid}}
            source.event(template, level, reason, message)
