"""Keep the Works of a binding as the binding, its template and the override policies say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.work import BindingSpec, ResourceBinding, TargetCluster
from hansa.control import sources
from hansa.control.bindings import binding_resource, template_reference
from hansa.control.clusters import Clusters
from hansa.control.context import Context
from hansa.control.indexes import WORKS_BY_BINDING, binding_id
from hansa.control.render.manifest import Rendering, render
from hansa.control.render.overrides import OverridePolicies
from hansa.control.render.targets import blocking, orphans, targets_of
from hansa.control.render.works import delete_works, ensure_work
from hansa.control.templates import Templates
from hansa.interpret.convention import Convention
from hansa.interpret.error import InterpretError
from hansa.kube.errors import ApiError, Unreachable
from hansa.match.selector import Subject
from hansa.override.apply import Applied, RuleFailed
from hansa.override.error import OverrideError
from hansa.runtime.controller import Requeue, Retry, Terminal

SYNC_SUCCEED = "SyncWorkSucceed"
SYNC_FAILED = "SyncWorkFailed"
OVERRIDE_SUCCEED = "ApplyOverridePolicySucceed"
OVERRIDE_FAILED = "ApplyOverridePolicyFailed"
BLOCKED_SECONDS = 5.0
_SYNCED = "Sync work of {kind}({key}) successful."


@dataclass(frozen=True, slots=True)
class Renderer:
    context: Context
    templates: Templates
    policies: OverridePolicies
    clusters: Clusters

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(binding_resource(key)).store.get(key)
        if item is None:
            return None
        convention = self.context.convention(item.labels)
        if convention is None:
            raise Terminal(f"binding {key} follows a dialect that is not known here")
        identity = binding_id(item)
        if not identity:
            raise Retry(f"binding {key} has no permanent id yet")
        if item.deleting:
            await self._finish(item)
            return None
        works = self._works(identity)
        spec = item.as_(ResourceBinding).spec
        leaving = orphans(spec, works)
        await delete_works(self.context.hub, leaving)
        if blocking(spec, works):
            return Requeue(BLOCKED_SECONDS)
        template = await self.templates.get(spec.resource)
        if template is None or (spec.resource.uid and template.meta.uid != spec.resource.uid):
            # the binding ends with its template, by garbage collection
            return None
        await self._sync(convention, item, spec, template, works)
        return None

    def _works(self, identity: str) -> list[Item]:
        return self.context.cache.informer(scheme.WORKS).store.by(WORKS_BY_BINDING, identity)

    async def _finish(self, item: Item) -> None:
        """Works first. What the cache may not have seen yet is asked for, because it would be left behind."""
        finalizer = names.BINDING_FINALIZER if item.meta.namespace else names.CLUSTER_BINDING_FINALIZER
        if finalizer not in (item.meta.finalizers or ()):
            return
        label = names.BINDING_ID_LABEL if item.meta.namespace else names.CLUSTER_BINDING_ID_LABEL
        live = await self.context.hub.list(scheme.WORKS, labels=f"{label}={binding_id(item)}")
        await delete_works(self.context.hub, live.items)
        await self.context.hub.drop_finalizer(binding_resource(item.key), item, finalizer)

    async def _sync(
        self, convention: Convention, item: Item, spec: BindingSpec, template: Item, works: Sequence[Item]
    ) -> None:
        subject = Subject.of(template)
        orders = self.policies.orders(subject) if convention.override_policies else ([], [])
        rendering = Rendering(convention, item, spec, template, orders, self.context.interpret)
        existing = {work.key: work for work in works}
        results = await asyncio.gather(
            *(self._one(rendering, target, existing) for target in targets_of(spec)), return_exceptions=True
        )
        faults: list[str] = []
        for result in results:
            if isinstance(result, (OverrideError, InterpretError, ApiError, Unreachable, Retry)):
                faults.append(str(result))
            elif isinstance(result, BaseException):
                raise result
        if faults:
            self._tell(item, spec, "Warning", SYNC_FAILED, "; ".join(faults))
            raise Retry("; ".join(faults))
        if any(result is True for result in results):
            self._tell(item, spec, "Normal", SYNC_SUCCEED, _SYNCED.format(kind=item.kind, key=item.key))

    async def _one(self, rendering: Rendering, target: TargetCluster, existing: dict[Key, Item]) -> bool:
        """True when the Work was written."""
        cluster = self.clusters.get(target.name)
        if cluster is None:
            raise Retry(f"cluster {target.name} is not known")
        known = self._known(target.name, existing)
        identity = known.labels.get(names.WORK_ID_LABEL) if known is not None else None
        try:
            rendered = await render(rendering, target, cluster, identity)
        except RuleFailed as error:
            self._tell_override(rendering, error.policy.namespace, error.policy.name, target.name, "Warning")
            raise
        metadata = rendered.work["metadata"]
        work = existing.get(Key(metadata["namespace"], metadata["name"]))
        written = await ensure_work(self.context.hub, rendered.work, work)
        if written:
            for applied in _distinct(rendered.applied):
                self._tell_override(rendering, applied.policy.namespace, applied.policy.name, target.name, "Normal")
        return written

    def _known(self, cluster: str, existing: dict[Key, Item]) -> Item | None:
        namespace = names.EXECUTION_NAMESPACE_PREFIX + cluster
        return next((work for key, work in existing.items() if key.namespace == namespace), None)

    def _tell(self, item: Item, spec: BindingSpec, type_: str, reason: str, message: str) -> None:
        level = "Normal" if type_ == "Normal" else "Warning"
        source = self.context.recorder.of(sources.binding(item.kind))
        source.event(item, level, reason, message)
        source.event(template_reference(spec), level, reason, message)

    def _tell_override(self, rendering: Rendering, namespace: str, name: str, cluster: str, type_: str) -> None:
        policy = f"override policy({namespace}/{name})" if namespace else f"cluster override policy({name})"
        source = self.context.recorder.of(sources.OVERRIDES)
        if type_ == "Normal":
            message = f"Apply {policy} for cluster({cluster}) succeed."
            source.event(rendering.template, "Normal", OVERRIDE_SUCCEED, message)
        else:
            message = f"Apply {policy} for cluster({cluster}) failed."
            source.event(rendering.template, "Warning", OVERRIDE_FAILED, message)


def _distinct(applied: Sequence[Applied]) -> list[Applied]:
    return list({entry.policy.key: entry for entry in applied}.values())
