"""One Work for each namespace and cluster, owned by the namespace, so that it ends with it.

A namespace that holds a FederatedNamespace belongs to KubeFed: what we had in members is let go, not deleted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key, OwnerReference
from hansa.api.work import Work, new_work
from hansa.control.context import Context
from hansa.control.namespace.eligible import is_propagated
from hansa.control.render.manifest import work_id, work_key
from hansa.control.render.overrides import OverridePolicies
from hansa.control.render.works import delete_works, ensure_work
from hansa.interpret.convention import Origin
from hansa.interpret.convention.karmada import KARMADA
from hansa.kube.discovery import NoMatch
from hansa.match.selector import Subject
from hansa.override.apply import apply_orders, record
from hansa.override.error import OverrideError
from hansa.runtime.controller import Requeue, Retry


@dataclass(frozen=True, slots=True)
class NamespacePropagator:
    context: Context
    policies: OverridePolicies

    async def reconcile(self, key: Key) -> Requeue | None:
        namespace = self.context.cache.informer(scheme.NAMESPACES).store.get(key)
        if namespace is None or not is_propagated(namespace, self.context.options.skipped_namespaces):
            # Works end with their owner; a label that comes later takes nothing back
            return None
        if await self._is_federated(key.name):
            await self._let_go(namespace)
            return None
        clusters = [item for item in self.context.cache.informer(scheme.CLUSTERS).store if not item.deleting]
        results = await asyncio.gather(*(self._ensure(namespace, each) for each in clusters), return_exceptions=True)
        faults = [result for result in results if isinstance(result, Exception)]
        if faults:
            raise faults[0]
        return None

    async def _is_federated(self, name: str) -> bool:
        """Raises Retry while nobody knows."""
        try:
            await self.context.hub.discovery.resource_for(scheme.FEDERATED_NAMESPACES.gvk)
        except NoMatch:
            return False
        informer = self.context.cache.informer(scheme.FEDERATED_NAMESPACES)
        if not informer.synced:
            raise Retry("FederatedNamespaces are not known yet")
        return informer.store.get(Key(name, name)) is not None

    async def _ensure(self, namespace: Item, cluster: Item) -> bool:
        document = namespace.json()
        cluster_name = cluster.meta.name
        orders, _ = self.policies.orders(Subject.of(namespace), cluster_wide_only=True)
        try:
            overridden = apply_orders(document, orders, cluster.as_(Cluster))
        except OverrideError as error:
            raise Retry(f"namespace {namespace.meta.name} for {cluster_name}: {error}") from error
        key = work_key(KARMADA, overridden.manifest, cluster_name)
        existing = self.context.cache.informer(scheme.WORKS).store.get(key)
        known = existing.labels.get(names.WORK_ID_LABEL) if existing is not None else None
        origin = Origin(namespace.meta, None, key, known or work_id(key, namespace.meta.uid), "overwrite")
        annotations = KARMADA.work_annotations(document, origin)
        if (applied := record(overridden.applied)) is not None:
            annotations[names.APPLIED_CLUSTER_OVERRIDES_ANNOTATION] = applied
        work = new_work(
            namespace=key.namespace,
            name=key.name,
            labels={names.WORK_ID_LABEL: origin.work_id},
            annotations=annotations,
            manifest=KARMADA.mark(overridden.manifest, origin),
            suspend=False,
            preserve=False,
            owner=_owner(namespace),
        )
        return await ensure_work(self.context.hub, work, existing)

    async def _let_go(self, namespace: Item) -> None:
        hub = self.context.hub
        works = self.context.cache.informer(scheme.WORKS).store
        for cluster in self.context.cache.informer(scheme.CLUSTERS).store:
            item = works.get(work_key(KARMADA, namespace.json(), cluster.meta.name))
            if item is None or item.deleting or names.DIALECT_LABEL in item.labels:
                continue
            if not item.as_(Work).spec.preserve_resources_on_deletion:
                patch: Json = {
                    "metadata": {"resourceVersion": item.meta.resource_version},
                    "spec": {"preserveResourcesOnDeletion": True},
                }
                item = await hub.patch(scheme.WORKS, item.meta.name, item.meta.namespace, patch)
            await delete_works(hub, [item])


def _owner(namespace: Item) -> OwnerReference:
    return OwnerReference(
        api_version="v1",
        kind="Namespace",
        name=namespace.meta.name,
        uid=namespace.meta.uid,
        controller=True,
        block_owner_deletion=True,
    )
