"""Run the federated types that FederatedTypeConfigs enable, and say in their status what runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.dialect.kubefed.federation import Federation
from hansa.dialect.kubefed.types import NAMESPACES_TYPE, FederatedType, federated_type
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import NotFound
from hansa.runtime.controller import Requeue, Retry
from hansa.runtime.store import Store

RUNNING, NOT_RUNNING = "Running", "NotRunning"
NOT_SERVED = "FederatedTypeNotServed"


@dataclass(frozen=True, slots=True)
class TypeKeeper:
    federation: Federation

    async def reconcile(self, key: Key) -> Requeue | None:
        registry = self.federation.registry
        item = self._configs().get(key)
        if item is None or key.namespace != names.KUBEFED_NAMESPACE:
            if key.namespace == names.KUBEFED_NAMESPACE:
                registry.stop(key.name)
            return None
        if item.deleting:
            # what was propagated stays as it is: nobody asked for it to go
            registry.stop(key.name)
            await self._set_finalizer(item, present=False)
            return None
        if names.KUBEFED_TYPE_FINALIZER not in (item.meta.finalizers or ()):
            item = await self._set_finalizer(item, present=True)
        type_ = federated_type(item.json())
        if type_.enabled:
            await self._start(item, type_)
        else:
            registry.stop(type_.name)
        await self._report(item, running=type_.enabled)
        return None

    def _configs(self) -> Store:
        return self.federation.informer(scheme.FEDERATED_TYPE_CONFIGS).store

    async def _start(self, item: Item, type_: FederatedType) -> None:
        """Raises Retry while what the type needs is not there."""
        try:
            await self.federation.hub.discovery.resource_for(type_.federated.gvk)
        except NoMatch as error:
            await self._report(item, running=False)
            self.federation.recorder.event(
                item, "Warning", NOT_SERVED, f"{error}: create its CustomResourceDefinition, or delete this config"
            )
            raise Retry(str(error)) from error
        if type_.within_namespace and self.federation.registry.get(NAMESPACES_TYPE) is None:
            namespaces = self._configs().get(Key(names.KUBEFED_NAMESPACE, NAMESPACES_TYPE))
            if namespaces is None:
                self.federation.registry.stop(type_.name)
                await self._report(item, running=False)
                raise Retry(f"unable to start {type_.name} due to missing FederatedTypeConfig for namespaces")
            raise Retry("the type of namespaces starts first")
        self.federation.registry.start(type_)

    async def _report(self, item: Item, *, running: bool) -> None:
        known: Json = item.json().get("status") or {}
        wanted = {
            "observedGeneration": item.meta.generation,
            "propagationController": RUNNING if running else NOT_RUNNING,
            "statusController": NOT_RUNNING,
        }
        if all(known.get(name) == value for name, value in wanted.items()):
            return
        with suppress(NotFound):
            await self.federation.hub.patch_status(scheme.FEDERATED_TYPE_CONFIGS, item, wanted)

    async def _set_finalizer(self, item: Item, *, present: bool) -> Item:
        finalizers = [f for f in item.meta.finalizers or [] if f != names.KUBEFED_TYPE_FINALIZER]
        if present:
            finalizers.append(names.KUBEFED_TYPE_FINALIZER)
        elif len(finalizers) == len(item.meta.finalizers or ()):
            return item
        patch: Json = {"metadata": {"resourceVersion": item.meta.resource_version, "finalizers": finalizers or None}}
        try:
            return await self.federation.hub.patch(
                scheme.FEDERATED_TYPE_CONFIGS, item.meta.name, item.meta.namespace, patch
            )
        except NotFound:
            return item
