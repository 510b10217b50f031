"""Keep the binding of every federated object as the object says, and end it with the object."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import BindingSpec, ResourceBinding, Work, WorkSpec
from hansa.dialect.kubefed.compile import (
    belongs,
    binding_for,
    binding_resource,
    is_ignored,
    is_misplaced,
    name_of_binding,
    patch_for,
)
from hansa.dialect.kubefed.federation import Federation
from hansa.dialect.kubefed.placement import InvalidPlacement
from hansa.dialect.kubefed.registry import FederatedKey
from hansa.dialect.kubefed.status import COMPUTE_PLACEMENT_FAILED
from hansa.dialect.kubefed.types import FederatedType
from hansa.interpret.convention.federated import delete_option, dropped, is_orphaning
from hansa.interpret.convention.kubefed import read_delete_option, rules_of
from hansa.interpret.error import InterpretError
from hansa.kube.errors import NotFound
from hansa.runtime.controller import Requeue, Retry

INVALID_NAME = "InvalidName"
NAME_TAKEN = "BindingNameTaken"
WAIT_FOR_REMOVAL = "WaitForRemovalInCluster"
INVALID_DELETE_OPTION = "InvalidDeleteOption"
RECHECK_SECONDS = 10.0
"""How long removal is waited for before it is looked at again; changes of Works are noticed at once."""


@dataclass(frozen=True, slots=True)
class Compiler:
    federation: Federation

    async def reconcile(self, key: FederatedKey) -> Requeue | None:
        found = self.federation.registry.find(key)
        if found is None:
            return None
        type_, item = found
        if item.deleting:
            return await self._end(type_, item)
        if is_ignored(type_, item):
            if is_misplaced(type_, item):
                self._warn(item, INVALID_NAME, "the name of a FederatedNamespace must be that of its namespace")
            return None
        if names.KUBEFED_SYNC_FINALIZER not in (item.meta.finalizers or ()):
            item = await self._set_finalizers(
                type_, item, [*(item.meta.finalizers or ()), names.KUBEFED_SYNC_FINALIZER]
            )
        return await self._bind(type_, item)

    async def _bind(self, type_: FederatedType, item: Item) -> None:
        federated = item.json()
        try:
            clusters, _ = self.federation.placed(type_, federated)
        except InvalidPlacement as error:
            # what runs keeps running until somebody says where it belongs
            self._warn(item, COMPUTE_PLACEMENT_FAILED, str(error))
            return
        for reason in dropped(federated):
            what = "annotations" if reason.startswith("Annotations") else "finalizers"
            self._warn(item, reason, f"metadata.{what} of the template is not propagated; use overrides to set it")
        existing = self.federation.binding(type_, item.key)
        if existing is not None and not belongs(existing, item):
            self._refuse(item, existing)
        wanted = binding_for(
            type_,
            item,
            clusters | self._unregistered_targets(existing),
            adopts=self.federation.adopts,
            host_uid=self._host_uid(type_, item),
            existing=existing,
        )
        resource = binding_resource(type_)
        if existing is None:
            await self.federation.hub.create(resource, wanted, item.meta.namespace or None)
        elif (patch := patch_for(wanted, existing)) is not None:
            await self.federation.hub.patch(resource, existing.meta.name, existing.meta.namespace or None, patch)

    def _refuse(self, item: Item, existing: Item) -> None:
        if existing.labels.get(names.DIALECT_LABEL) != names.KUBEFED:
            self._warn(
                item, NAME_TAKEN, f"binding {existing.key} belongs to a policy: a policy must not claim this object"
            )
        raise Retry(f"binding {existing.key} is that of another object")

    def _unregistered_targets(self, existing: Item | None) -> frozenset[str]:
        """Targets whose KubeFedCluster has gone while the Cluster stays: leaving KubeFed deletes nothing there."""
        if existing is None:
            return frozenset()
        targets = {target.name for target in _spec(existing).clusters or ()}
        present = {name for name in targets if self.federation.known(scheme.CLUSTERS).store.get(Key("", name))}
        return frozenset(present - self.federation.members().keys())

    def _host_uid(self, type_: FederatedType, item: Item) -> str:
        if not type_.federates_namespaces:
            return ""
        namespace = self.federation.known(scheme.NAMESPACES).store.get(Key("", item.meta.name))
        return namespace.meta.uid if namespace is not None else ""

    # -- the end -----------------------------------------------------------------------------------------------------

    async def _end(self, type_: FederatedType, item: Item) -> Requeue | None:
        """Binding, Works and members' objects first, the federated object last."""
        finalizers = item.meta.finalizers or []
        if names.KUBEFED_SYNC_FINALIZER not in finalizers:
            return None
        federated = item.json()
        self._check_delete_option(item, federated)
        resource = binding_resource(type_)
        binding = await self._live_binding(type_, item)
        works = await self._live_works(item)
        if binding is not None and not binding.deleting:
            if not await self._told(type_, item, binding, works):
                return Requeue(RECHECK_SECONDS)
            await self.federation.hub.delete(
                resource, binding.meta.name, binding.meta.namespace or None, uid=binding.meta.uid
            )
        if works or binding is not None:
            self.federation.recorder.event(
                item, "Normal", WAIT_FOR_REMOVAL, f"waiting for removal in {len(works)} clusters"
            )
            return Requeue(RECHECK_SECONDS if works else 1.0)
        await self._set_finalizers(type_, item, [f for f in finalizers if f != names.KUBEFED_SYNC_FINALIZER])
        return None

    def _check_delete_option(self, item: Item, federated: Json) -> None:
        option = delete_option(federated)
        if not option:
            return
        try:
            read_delete_option(option)
        except InterpretError as error:
            self._warn(item, INVALID_DELETE_OPTION, str(error))
            raise Retry(str(error)) from error

    async def _told(self, type_: FederatedType, item: Item, binding: Item, works: list[Item]) -> bool:
        """Whether every Work knows how its object is to end: left behind or not, with which options."""
        federated = item.json()
        orphan, option = is_orphaning(federated), delete_option(federated)
        if not orphan and not option:
            return True
        spec = _spec(binding)
        if (spec.preserve_resources_on_deletion or False) is not orphan or (
            binding.annotations.get(names.TEMPLATE_GENERATION_ANNOTATION) != str(item.meta.generation)
        ):
            await self.federation.hub.patch(
                binding_resource(type_),
                binding.meta.name,
                binding.meta.namespace or None,
                {
                    "metadata": {
                        "resourceVersion": binding.meta.resource_version,
                        "annotations": {names.TEMPLATE_GENERATION_ANNOTATION: str(item.meta.generation)},
                    },
                    "spec": {
                        "preserveResourcesOnDeletion": orphan,
                        "resource": {"resourceVersion": item.meta.resource_version},
                    },
                },
            )
            return not works
        return all(
            (_work_spec(work).preserve_resources_on_deletion or False) is orphan
            and rules_of(work.meta).delete_option == option
            for work in works
        )

    async def _live_binding(self, type_: FederatedType, item: Item) -> Item | None:
        """From the server: that the cache knows none yet is no proof that there is none."""
        try:
            found = await self.federation.hub.get(
                binding_resource(type_), name_of_binding(type_, item.meta.name), item.meta.namespace or None
            )
        except NotFound:
            return None
        return found if belongs(found, item) else None

    async def _live_works(self, item: Item) -> list[Item]:
        keys = (names.BINDING_ID_LABEL, names.CLUSTER_BINDING_ID_LABEL)
        pages = [await self.federation.hub.list(scheme.WORKS, labels=f"{key}={item.meta.uid}") for key in keys]
        return [work for page in pages for work in page.items]

    # -- within ------------------------------------------------------------------------------------------------------

    async def _set_finalizers(self, type_: FederatedType, item: Item, finalizers: list[str]) -> Item:
        patch: Json = {"metadata": {"finalizers": finalizers, "resourceVersion": item.meta.resource_version}}
        return await self.federation.hub.patch(type_.federated, item.meta.name, item.meta.namespace or None, patch)

    def _warn(self, item: Item, reason: str, message: str) -> None:
        self.federation.recorder.event(item, "Warning", reason, message)


def _spec(binding: Item) -> BindingSpec:
    return binding.as_(ResourceBinding).spec


def _work_spec(work: Item) -> WorkSpec:
    return work.as_(Work).spec
