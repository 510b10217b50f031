"""Keep attached bindings as the bindings want them that need them. Works on bindings of namespaces alone.

Nothing is taken away on hearsay: an attached binding is let go when its dependent ends or switches propagateDeps off,
or when its template, read from a complete cache, refers to the dependency no longer.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import GVK, Json, Key, Resource
from hansa.api.work import BindingSpec, ResourceBinding
from hansa.dialect.karmada.compile import controller_uid
from hansa.dialect.karmada.dependencies import attached
from hansa.dialect.karmada.dependencies.attached import Shared
from hansa.dialect.karmada.dependencies.reference import (
    BY_DEPENDENT,
    Reference,
    dependent_label,
    read,
    recorded,
)
from hansa.dialect.karmada.hub import Hub
from hansa.interpret.convention import dialect_of
from hansa.interpret.error import InterpretError
from hansa.interpret.question import Dependencies
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import AlreadyExists, ApiError, Unreachable
from hansa.runtime.controller import Requeue, Retry
from hansa.runtime.informer import Informer
from hansa.runtime.store import Store

SOURCE = "dependencies-distributor"
FOUND, NOT_FOUND = "GetDependenciesSucceed", "GetDependenciesFailed"
SYNCED, NOT_SYNCED = "SyncScheduleResultToDependenciesSucceed", "SyncScheduleResultToDependenciesFailed"
CONFLICT = "DependencyPolicyConflict"


@dataclass(frozen=True, slots=True)
class Distributor:
    """`changed` are dependents whose dependencies have changed since they were last looked at; without a change, that a
    dependency has another version is no reason to write. `told` is the conflict that users know of, by binding."""

    hub: Hub
    changed: set[Key] = field(default_factory=set[Key])
    told: dict[Key, str] = field(default_factory=dict[Key, str])

    async def reconcile(self, key: Key) -> Requeue | None:
        fresh = key in self.changed
        self.changed.discard(key)
        try:
            await self._reconcile(key, fresh=fresh)
        except Exception:
            if fresh:
                self.changed.add(key)
            raise
        return None

    async def _reconcile(self, key: Key, *, fresh: bool) -> None:
        item = self._store.get(key)
        if item is None or dialect_of(item.labels) != names.KARMADA:
            return
        spec = item.as_(ResourceBinding).spec
        finalizers = item.meta.finalizers or []
        if item.deleting or not spec.propagate_deps:
            if names.DEPENDENCIES_FINALIZER in finalizers:
                for one in self._attached(item):
                    await self._detach(item, one)
                kept = [entry for entry in finalizers if entry != names.DEPENDENCIES_FINALIZER]
                await self._patch(item, {"metadata": {"finalizers": kept}})
            return
        template = await self._template(spec)
        if template is None:
            return  # the binding ends with its template
        documents = await self._ask(template)
        if documents is None:
            return
        item = await self._record(item, template, documents)
        await self._sync(item, spec, documents, fresh=fresh)

    async def _template(self, spec: BindingSpec) -> Item | None:
        reference = spec.resource
        informer = await self._informer(GVK.of(reference.api_version, reference.kind))
        found = informer.store.get(Key(reference.namespace, reference.name))
        return found if found is not None and found.meta.uid == reference.uid else None

    async def _ask(self, template: Item) -> list[Json] | None:
        """What the template depends on; None where nothing is known of its kind."""
        try:
            answer = await self.hub.interpret(Dependencies(template.json()))
            found = list(answer.value) if answer is not None else None
            for document in found or ():
                read(document)
        except InterpretError as error:
            self.hub.recorder.of(SOURCE).event(template, "Warning", NOT_FOUND, str(error))
            raise
        return found

    async def _record(self, item: Item, template: Item, documents: list[Json]) -> Item:
        """Finalizer and annotation, in one write or none."""
        text = recorded(documents)
        patch: Json = {}
        finalizers = item.meta.finalizers or []
        if names.DEPENDENCIES_FINALIZER not in finalizers:
            patch["finalizers"] = [*finalizers, names.DEPENDENCIES_FINALIZER]
        if item.annotations.get(names.DEPENDENCIES_ANNOTATION) != text:
            patch["annotations"] = {names.DEPENDENCIES_ANNOTATION: text}
        if not patch:
            return item
        written = await self._patch(item, {"metadata": patch})
        message = f"Get dependencies({text}) succeed."
        self.hub.recorder.of(SOURCE).event(template, "Normal", FOUND, message)
        return written

    async def _sync(self, item: Item, spec: BindingSpec, documents: Sequence[Json], *, fresh: bool) -> None:
        source = self.hub.recorder.of(SOURCE)
        references = [read(document) for document in documents]
        try:
            written = await self._let_go(item, references)
            faults: list[str] = []
            for reference in references:
                try:
                    for dependency in await self._find(reference):
                        written |= await self._attach(item, spec, dependency, fresh=fresh)
                except (NoMatch, Retry, ApiError) as error:
                    faults.append(str(error))  # of this one: the others still go along
            if faults:
                raise Retry("; ".join(faults))
        except (Retry, ApiError, Unreachable) as error:
            source.event(item, "Warning", NOT_SYNCED, str(error))
            raise
        if written:
            message = "Sync schedule results to dependencies succeed."
            source.event(item, "Normal", SYNCED, message)

    async def _let_go(self, item: Item, references: Sequence[Reference]) -> bool:
        """Detach what the template no longer refers to."""
        written = False
        for one in self._attached(item):
            resource = one.as_(ResourceBinding).spec.resource
            gvk = GVK.of(resource.api_version, resource.kind)
            near = [
                reference
                for reference in references
                if (reference.gvk, reference.namespace) == (gvk, resource.namespace)
            ]
            if any(reference.name == resource.name for reference in near):
                continue
            if any(not reference.name for reference in near):
                live = (await self._informer(gvk)).store.get(Key(resource.namespace, resource.name))
                if live is not None and any(reference.matches(live) for reference in near if not reference.name):
                    continue
            await self._detach(item, one)
            written = True
        return written

    async def _find(self, reference: Reference) -> list[Item]:
        store = (await self._informer(reference.gvk)).store
        if reference.name:
            found = store.get(Key(reference.namespace, reference.name))
            return [found] if found is not None and not found.deleting else []
        return [item for item in store.list(reference.namespace) if reference.matches(item) and not item.deleting]

    async def _informer(self, gvk: GVK) -> Informer:
        """A complete one. Raises NoMatch for a kind that the hub does not serve, Retry while nothing is known yet."""
        resource: Resource = await self.hub.client.discovery.resource_for(gvk)
        informer = self.hub.cache.started(resource)
        if informer is None or not informer.synced:
            raise Retry(f"{resource.group_resource} are not known yet")
        return informer

    # -- attached bindings --------------------------------------------------------------------------------------------

    @property
    def _store(self) -> Store:
        return self.hub.cache.informer(scheme.RESOURCE_BINDINGS).store

    def _attached(self, dependent: Item) -> list[Item]:
        identity = dependent.labels.get(names.BINDING_ID_LABEL, "")
        return self._store.by(BY_DEPENDENT, f"{dependent_label(dependent)}={identity}")

    async def _attach(self, item: Item, spec: BindingSpec, dependency: Item, *, fresh: bool) -> bool:
        """True when something was written."""
        labels = {dependent_label(item): item.labels.get(names.BINDING_ID_LABEL, "")}
        entry = attached.snapshot(item, spec)
        key = attached.key_of(dependency)
        existing = self._store.get(key)
        if existing is None:
            wants = attached.shared([spec])
            identity = {names.BINDING_ID_LABEL: str(uuid.uuid4())}
            try:
                await self.hub.client.create(
                    scheme.RESOURCE_BINDINGS,
                    attached.born(dependency, labels | identity, [entry], wants),
                    key.namespace,
                )
            except AlreadyExists:
                existing = await self.hub.client.get(scheme.RESOURCE_BINDINGS, key.name, key.namespace)
            else:
                return True
        if controller_uid(existing) not in ("", dependency.meta.uid) or existing.deleting:
            raise Retry(f"waiting for garbage collection of the former binding {key}")
        old = existing.json()["spec"]
        required_by = attached.merged(old.get("requiredBy"), entry)
        wants = self._wants(existing, required_by, {item.key: spec})
        patch = attached.changes(
            existing,
            labels=labels,
            required_by=required_by,
            resource=dependency.as_resource(),
            wants=wants,
        )
        if patch is not None and attached.only_version_differs(patch) and not fresh:
            patch = None
        if patch is not None:
            await self._patch(existing, patch)
        self._tell(existing, wants, written=patch is not None)
        return patch is not None

    async def _detach(self, dependent: Item, existing: Item) -> None:
        old = existing.json()["spec"]
        required_by = attached.without(old.get("requiredBy"), dependent.key)
        wants = self._wants(existing, required_by, {})
        patch = attached.changes(
            existing, labels={dependent_label(dependent): None}, required_by=required_by, resource=None, wants=wants
        )
        if patch is not None:
            await self._patch(existing, patch)
        self._tell(existing, wants, written=patch is not None)

    def _wants(self, existing: Item, required_by: Sequence[Json], known: Mapping[Key, BindingSpec]) -> Shared | None:
        """None where a policy of its own rules. Raises Retry while a dependent is not known: it may want otherwise."""
        if existing.as_(ResourceBinding).spec.placement is not None:
            return None
        specs: list[BindingSpec] = []
        for entry in required_by:
            key = Key(entry.get("namespace", ""), entry["name"])
            found = self._store.get(key)
            if key not in known and found is None:
                raise Retry(f"{existing.key} is needed by binding {key}, which is not known")
            specs.append(known[key] if key in known else found.as_(ResourceBinding).spec)  # type: ignore[union-attr]
        return attached.shared(specs)

    def _tell(self, existing: Item, wants: Shared | None, *, written: bool) -> None:
        """A conflict is news once."""
        message = wants.message if wants is not None and wants.conflicts else ""
        before = self.told.get(existing.key)
        self.told[existing.key] = message
        if message and message != before and (written or before is not None):
            self.hub.recorder.of(SOURCE).event(existing, "Warning", CONFLICT, message)

    async def _patch(self, item: Item, patch: Json) -> Item:
        patch.setdefault("metadata", {})["resourceVersion"] = item.meta.resource_version
        return await self.hub.client.patch(scheme.RESOURCE_BINDINGS, item.meta.name, item.meta.namespace, patch)
