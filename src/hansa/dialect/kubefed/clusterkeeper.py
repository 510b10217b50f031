"""One member, two objects: KubeFedCluster and Cluster for each other, and the health of one told in the other."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key, Resource
from hansa.base.clock import rfc3339
from hansa.dialect.kubefed.clusters import (
    JOINED,
    ORIGIN,
    ORIGIN_ANNOTATION,
    cluster_from,
    credentials_from,
    kubefed_cluster_from,
    status_of,
)
from hansa.dialect.kubefed.federation import Federation
from hansa.kube.errors import AlreadyExists, NotFound
from hansa.runtime.controller import Requeue, Retry


@dataclass(frozen=True, slots=True)
class ClusterKeeper:
    federation: Federation

    async def reconcile(self, key: Key) -> Requeue | None:
        """`key` is that of the Cluster."""
        cluster = self.federation.known(scheme.CLUSTERS).store.get(key)
        kubefed = self.federation.known(scheme.KUBEFED_CLUSTERS).store.get(Key(names.KUBEFED_NAMESPACE, key.name))
        if cluster is None:
            if kubefed is not None and not kubefed.deleting:
                await self._make_cluster(kubefed)
            return None
        if cluster.deleting:
            return None
        if kubefed is None:
            await self._without_kubefed(cluster)
            return None
        if cluster.annotations.get(ORIGIN_ANNOTATION) not in (ORIGIN, JOINED):
            await self._mark(cluster)
        await self._report(kubefed, cluster)
        return None

    async def _report(self, kubefed: Item, cluster: Item) -> None:
        old = kubefed.json().get("status")
        status = status_of(old, cluster.as_(Cluster), rfc3339(self.federation.clock.now()))
        if status is None:
            return
        try:
            await self.federation.hub.patch_status(scheme.KUBEFED_CLUSTERS, kubefed, status)
        except NotFound:
            return

    async def _without_kubefed(self, cluster: Item) -> None:
        """A Cluster whose KubeFedCluster is gone: it ends with it, or was told to leave KubeFed, or is new."""
        match cluster.annotations.get(ORIGIN_ANNOTATION):
            case "origin":
                # the user took the member out where it was joined
                await self._delete(cluster)
            case "joined":
                return
            case _:
                await self._make_kubefed(cluster)

    async def _delete(self, cluster: Item) -> None:
        try:
            await self.federation.hub.delete(scheme.CLUSTERS, cluster.meta.name, uid=cluster.meta.uid)
        except NotFound:
            return

    async def _make_kubefed(self, cluster: Item) -> None:
        reference = cluster.as_(Cluster).spec.secret_ref
        if reference is None:
            return
        secret = self.federation.known(scheme.SECRETS).store.get(Key(reference.namespace, reference.name))
        if secret is None:
            raise Retry(f"the credentials of {cluster.meta.name} are not there yet")
        for resource, obj in zip(
            (scheme.SECRETS, scheme.KUBEFED_CLUSTERS),
            reversed(kubefed_cluster_from(cluster, secret.json())),
            strict=True,
        ):
            await self._create(resource, obj)
        await self._mark(cluster)

    async def _make_cluster(self, kubefed: Item) -> None:
        document = kubefed.json()
        reference = (document.get("spec") or {}).get("secretRef") or {}
        secret = self.federation.known(scheme.SECRETS).store.get(
            Key(names.KUBEFED_NAMESPACE, str(reference.get("name") or ""))
        )
        if secret is None:
            raise Retry(f"the token of KubeFedCluster {kubefed.meta.name} is not there yet")
        await self._create(scheme.SECRETS, credentials_from(document, secret.json()))
        await self._create(scheme.CLUSTERS, cluster_from(document))

    async def _create(self, resource: Resource, obj: Json) -> None:
        try:
            await self.federation.hub.create(resource, obj, obj["metadata"].get("namespace"))
        except AlreadyExists:
            return

    async def _mark(self, cluster: Item) -> None:
        patch: Json = {"metadata": {"annotations": {ORIGIN_ANNOTATION: JOINED}}}
        try:
            await self.federation.hub.patch(scheme.CLUSTERS, cluster.meta.name, None, patch)
        except NotFound:
            return
