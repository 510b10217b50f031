"""MultiClusterService `CrossCluster`: propagate the Service of its name, and attach providers' slices in consumers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from hansa.admit.networking import CROSS_CLUSTER
from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Condition, Json, Key
from hansa.api.networking import MultiClusterService, MultiClusterServiceSpec
from hansa.base.names import binding_name
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.runtime.controller import Requeue, Retry
from hansa.service.hub import Hub
from hansa.service.karmada.claim import binding_of, binding_patch, claim_patch, release_patch
from hansa.service.karmada.slices import Attacher
from hansa.service.places import Places
from hansa.service.silence import Silences
from hansa.service.views import View, Views
from hansa.service.write import create, report

SOURCE = "multiclusterservice-controller"
APPLIED, DISPATCHED = "ServiceApplied", "EndpointSliceDispatched"
CLUSTER_NOT_FOUND = "ClusterNotFound"
SYNC_SUCCEED, SYNC_FAILED = "SyncServiceSucceed", "SyncServiceFailed"
DISPATCH_SUCCEED, DISPATCH_FAILED = "DispatchEndpointSliceSucceed", "DispatchEndpointSliceFailed"


@dataclass(frozen=True, slots=True)
class CrossClusterServices:
    """Keys are those of MultiClusterServices. `edited`: Services that have changed since they were last bound."""

    hub: Hub
    places: Places
    views: Views
    silences: Silences
    edited: set[Key] = field(default_factory=set[Key])

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.hub.cache.informer(scheme.MULTI_CLUSTER_SERVICES).store.get(key)
        if item is None:
            return None
        spec = item.as_(MultiClusterService).spec
        if item.deleting or CROSS_CLUSTER not in spec.types:
            await self._undo(item)
            return None
        if names.SERVICE_FINALIZER not in (item.meta.finalizers or ()) or names.SERVICE_ID_LABEL not in item.labels:
            await self._mark(item)
            return None  # its own change brings it back
        providers, consumers = self._clusters(spec)
        applied = await self._apply(item, sorted({*providers, *consumers}))
        dispatched = await self._dispatch(item, providers, consumers)
        await self._report(item, applied, dispatched)
        if applied.status != "True" or dispatched.status != "True":
            raise Retry(f"{applied.message}; {dispatched.message}")
        return None

    def _clusters(self, spec: MultiClusterServiceSpec) -> tuple[list[str], list[str]]:
        """Providers and consumers; without a word all clusters. The deprecated fields count where the new do not."""
        ranged = (spec.range.cluster_names if spec.range is not None else None) or []
        providers = [entry.name for entry in spec.provider_clusters or ()] or spec.service_provision_clusters or ranged
        consumers = (
            [entry.name for entry in spec.consumer_clusters or ()] or spec.service_consumption_clusters or ranged
        )
        every = sorted(self.places.names())
        return list(providers or every), list(consumers or every)

    # -- the Service on the hub ---------------------------------------------------------------------------------------

    async def _apply(self, item: Item, clusters: list[str]) -> Condition:
        key = item.key
        service = self.hub.cache.informer(scheme.SERVICES).store.get(key)
        if service is None or service.deleting:
            message = f"there is no Service {key} on the hub"
            return Condition(type=APPLIED, status="False", reason="ServiceAppliedFailed", message=message)
        try:
            if (patch := claim_patch(service, item)) is not None:
                service = await self.hub.client.patch(scheme.SERVICES, key.name, key.namespace, patch)
            await self._bind(item, service, clusters)
        except ApiError as error:
            return Condition(type=APPLIED, status="False", reason="ServiceAppliedFailed", message=str(error))
        message = "Service is propagated to target clusters."
        return Condition(type=APPLIED, status="True", reason="ServiceAppliedSucceed", message=message)

    async def _bind(self, item: Item, service: Item, clusters: list[str]) -> None:
        name = binding_name(service.meta.name, "Service")
        live = self.hub.cache.informer(scheme.RESOURCE_BINDINGS).store.get(Key(item.meta.namespace, name))
        if live is None:
            binding = binding_of(service, item, clusters, str(uuid.uuid4()))
            await create(self.hub.client, scheme.RESOURCE_BINDINGS, binding)
        else:
            patch = binding_patch(live, service, item, clusters, edited=item.key in self.edited)
            if patch is not None:
                await self.hub.client.patch(scheme.RESOURCE_BINDINGS, name, item.meta.namespace, patch)
        self.edited.discard(item.key)

    # -- slices in members --------------------------------------------------------------------------------------------

    async def _dispatch(self, item: Item, providers: list[str], consumers: list[str]) -> Condition:
        self._complain(item, "Provider", providers)
        ready = self._complain(item, "Consumer", consumers)
        attacher = Attacher(self.views, self.silences)
        work = [attacher.attach(item.key, view, providers) for view in ready]
        work += [attacher.detach(item.key, view) for view in self._others(consumers)]
        faults = _faults(await asyncio.gather(*work, return_exceptions=True))
        if faults:
            message = "; ".join(faults)
            return Condition(type=DISPATCHED, status="False", reason="EndpointSliceDispatchedFailed", message=message)
        message = "EndpointSlice are dispatched successfully"
        return Condition(type=DISPATCHED, status="True", reason="EndpointSliceDispatchedSucceed", message=message)

    def _complain(self, item: Item, role: str, clusters: Iterable[str]) -> list[View]:
        """Those that can be worked with; the others are named in events."""
        found: list[View] = []
        recorder = self.hub.recorder.of(SOURCE)
        for name in clusters:
            cluster = self.places.clusters.store.get(Key("", name))
            view = self.views.known(name)
            if cluster is None:
                recorder.event(item, "Warning", CLUSTER_NOT_FOUND, f"{role} cluster {name} is not found")
            elif not cluster.as_(Cluster).ready or view is None:
                message = f"{role} cluster {name} is not ready, skip to propagate MultiClusterService"
                recorder.event(item, "Warning", SYNC_FAILED, message)
            else:
                found.append(view)
        return found

    def _others(self, consumers: Iterable[str]) -> list[View]:
        named = set(consumers)
        return [view for view in self.views if view.name not in named and view.known and self._is_ready(view.name)]

    def _is_ready(self, cluster: str) -> bool:
        member = self.hub.fleet.get(cluster)
        return member is not None and member.ready

    # -- status, and the end ------------------------------------------------------------------------------------------

    async def _report(self, item: Item, *wanted: Condition) -> None:
        now = self.hub.clock.now()
        if await report(self.hub.client, scheme.MULTI_CLUSTER_SERVICES, item, wanted, now) is None:
            return
        recorder = self.hub.recorder.of(SOURCE)
        for condition, succeed, failed in zip(
            wanted, (SYNC_SUCCEED, DISPATCH_SUCCEED), (SYNC_FAILED, DISPATCH_FAILED), strict=True
        ):
            good = condition.status == "True"
            recorder.event(item, "Normal" if good else "Warning", succeed if good else failed, condition.message)

    async def _undo(self, item: Item) -> None:
        """Service and binding are let go as they are; what was attached is taken away where members can be asked."""
        if names.SERVICE_FINALIZER not in (item.meta.finalizers or ()):
            return
        key = item.key
        binding = Key(key.namespace, binding_name(key.name, "Service"))
        for resource, name in ((scheme.SERVICES, key), (scheme.RESOURCE_BINDINGS, binding)):
            live = self.hub.cache.informer(resource).store.get(name)
            if live is not None and (patch := release_patch(live)) is not None:
                await self.hub.client.patch(resource, name.name, name.namespace, patch)
        for view in self.views:
            if self.places.is_member(view.name):
                if not view.known or not self._is_ready(view.name):
                    raise Retry(f"{view.name} cannot be asked what is attached there")
                await Attacher(self.views, self.silences).detach(key, view)
        others = [entry for entry in item.meta.finalizers or () if entry != names.SERVICE_FINALIZER]
        await self._change(item, {"finalizers": others})

    async def _mark(self, item: Item) -> None:
        """Admission gives it an id, unless it was out of order then."""
        others = [entry for entry in item.meta.finalizers or () if entry != names.SERVICE_FINALIZER]
        labels = {names.SERVICE_ID_LABEL: item.labels.get(names.SERVICE_ID_LABEL) or str(uuid.uuid4())}
        await self._change(item, {"finalizers": [*others, names.SERVICE_FINALIZER], "labels": labels})

    async def _change(self, item: Item, metadata: Json) -> None:
        patch: Json = {"metadata": {**metadata, "resourceVersion": item.meta.resource_version}}
        try:
            await self.hub.client.patch(scheme.MULTI_CLUSTER_SERVICES, item.meta.name, item.meta.namespace, patch)
        except NotFound:
            return


def _faults(results: Iterable[BaseException | None]) -> list[str]:
    found: list[str] = []
    for result in results:
        if isinstance(result, (ApiError, Unreachable, Retry)):
            found.append(str(result))
        elif result is not None:
            raise result
    return found
