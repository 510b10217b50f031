"""A Cluster's finalizer, execution namespace and taints by condition; and its end."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.core import Taint
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.base.clock import rfc3339
from hansa.base.names import execution_namespace
from hansa.control import sources
from hansa.control.context import Context
from hansa.control.indexes import BINDINGS_BY_CLUSTER
from hansa.kube.errors import AlreadyExists, NotFound
from hansa.runtime.controller import Requeue

WAIT_SECONDS = 10.0
SPACE_CREATED = "CreateExecutionSpaceSucceed"
SPACE_REMOVED = "RemoveExecutionSpaceSucceed"
TAINTED = "TaintClusterSucceed"


@dataclass(frozen=True, slots=True)
class ClusterKeeper:
    """`held` are the clusters whose end waits for bindings alone."""

    context: Context
    held: set[str] = field(default_factory=set[str])

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(scheme.CLUSTERS).store.get(key)
        if item is None:
            self.held.discard(key.name)
            return None
        if item.deleting:
            return await self._finish(item)
        await self._ensure_space(item)
        await self._keep(item)
        return None

    async def _ensure_space(self, item: Item) -> None:
        space = execution_namespace(item.meta.name)
        known = self.context.cache.informer(scheme.NAMESPACES)
        if known.store.get(Key("", space)) is not None:
            return
        namespace: Json = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": space, "labels": {names.SYSTEM_LABEL: "true"}},
        }
        try:
            await self.context.hub.create(scheme.NAMESPACES, namespace)
        except AlreadyExists:
            return
        message = f"Created execution space({space}) for cluster({item.meta.name})."
        self.context.recorder.of(sources.CLUSTER).event(item, "Normal", SPACE_CREATED, message)

    async def _keep(self, item: Item) -> None:
        """Finalizer and taints, in one write."""
        patch: Json = {}
        finalizers = item.meta.finalizers or []
        if names.CLUSTER_FINALIZER not in finalizers:
            patch["metadata"] = {"finalizers": [*finalizers, names.CLUSTER_FINALIZER]}
        cluster = item.as_(Cluster)
        taints = taints_by_condition(cluster, rfc3339(self.context.clock.now()))
        if taints != list(cluster.spec.taints or ()):
            patch["spec"] = {"taints": [msgspec.to_builtins(taint) for taint in taints] or None}
        if not patch:
            return
        patch.setdefault("metadata", {})["resourceVersion"] = item.meta.resource_version
        await self.context.hub.patch(scheme.CLUSTERS, item.meta.name, None, patch)
        if "spec" in patch:
            shown = ", ".join(f"{taint.key}:{taint.effect}" for taint in taints) or "none"
            self.context.recorder.of(sources.CLUSTER).event(
                item, "Normal", TAINTED, f"Taints of cluster({item.meta.name}) are now: {shown}"
            )

    async def _finish(self, item: Item) -> Requeue | None:
        """The namespace with its Works first; they end when the member is clean, or cannot be reached any more."""
        if names.CLUSTER_FINALIZER not in (item.meta.finalizers or ()):
            return None
        space = execution_namespace(item.meta.name)
        try:
            namespace = await self.context.hub.get(scheme.NAMESPACES, space)
        except NotFound:
            namespace = None
        if namespace is not None:
            if not namespace.deleting:
                await self.context.hub.delete(scheme.NAMESPACES, space, uid=namespace.meta.uid)
                message = f"Removing execution space({space}) of cluster({item.meta.name})."
                self.context.recorder.of(sources.CLUSTER).event(item, "Normal", SPACE_REMOVED, message)
            return Requeue(WAIT_SECONDS)
        if self.is_targeted(item.meta.name):
            self.held.add(item.meta.name)
            return Requeue(WAIT_SECONDS)
        await self.context.hub.drop_finalizer(scheme.CLUSTERS, item, names.CLUSTER_FINALIZER)
        return None

    def is_targeted(self, cluster: str) -> bool:
        """Whether a binding still means the cluster."""
        return any(
            self.context.cache.informer(resource).store.by(BINDINGS_BY_CLUSTER, cluster)
            for resource in (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS)
        )


def taints_by_condition(cluster: Cluster, now: str) -> list[Taint]:
    """The cluster's taints with those that its Ready condition asks for, and without those that it does not.

    Their effect is NoSchedule: nothing is ever evicted by them.
    """
    ready = cluster.condition("Ready")
    wanted: str | None = names.NOT_READY_TAINT
    if ready is not None:
        wanted = {"True": None, "Unknown": names.UNREACHABLE_TAINT}.get(ready.status, names.NOT_READY_TAINT)
    ours = (names.NOT_READY_TAINT, names.UNREACHABLE_TAINT)
    kept = [
        taint
        for taint in cluster.spec.taints or ()
        if taint.effect != "NoSchedule" or taint.key not in ours or taint.key == wanted
    ]
    if wanted is not None and not any(taint.key == wanted and taint.effect == "NoSchedule" for taint in kept):
        kept.append(Taint(key=wanted, effect="NoSchedule", time_added=now))
    return kept
