"""Policies themselves: their identity, what follows from a change of one, and the end of one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import GVK, Json, Key, Resource
from hansa.api.work import ResourceBinding
from hansa.dialect.karmada.claimer import SOURCE, TemplateKey, Why, release, release_one
from hansa.dialect.karmada.hub import Hub
from hansa.dialect.karmada.policies import Policies, policy_resource
from hansa.dialect.karmada.scope import is_template
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import ApiError, Unreachable
from hansa.match.claim import claim_of, claim_patch
from hansa.match.policy import Policy
from hansa.match.preempt import may_preempt
from hansa.match.selector import BY_NAME, Selector, Subject
from hansa.runtime.controller import Requeue, Retry

PREEMPT_SUCCEED = "PreemptPolicySucceed"
PREEMPT_FAILED = "PreemptPolicyFailed"
UNKNOWN_KIND = "UnknownKind"
BINDINGS_BY_POLICY = "policy"
BINDINGS = (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS)


def policy_ids(item: Item) -> tuple[str, ...]:
    """Index function: the ids of the policies that an object says it belongs to."""
    labels = item.labels
    found = (labels.get(names.POLICY_ID_LABEL), labels.get(names.CLUSTER_POLICY_ID_LABEL))
    return tuple(entry for entry in found if entry)


@dataclass(frozen=True, slots=True)
class PolicyKeeper:
    """`look_at` has a template looked at by the claimer; `found` are policies that were there when we started, and of
    which nobody knows that they have changed."""

    hub: Hub
    policies: Policies
    look_at: Callable[[TemplateKey, Why], None]
    found: set[Key] = field(default_factory=set[Key])

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.hub.cache.informer(policy_resource(key)).store.get(key)
        policy = self.policies.get(key)
        if item is None or policy is None:
            return None
        if item.deleting:
            await self._end(item, policy)
            return None
        if not policy.id or _finalizer(policy) not in (item.meta.finalizers or ()):
            await self._identify(item, policy)
            return None  # the write brings it back here
        await self._drop_unmatched(policy)
        why = Why.KARMADA
        if key in self.found:
            self.found.discard(key)
            why = Why.FOUND
        else:
            await self._tell_unknown(item, policy)
        for resource, template in self._claimed(policy):
            self.look_at(TemplateKey(resource, template.meta.namespace, template.meta.name), why)
        for resource, template in self._selected(policy):
            claim = claim_of(template.meta)
            # claimed while the policy was lazy, and without a binding so far: no binding leads to it
            if claim is None or claim.policy == policy.key:
                self.look_at(TemplateKey(resource, template.meta.namespace, template.meta.name), why)
        if policy.spec.preemption == "Always" and self.hub.options.gates.enabled("PropagationPolicyPreemption"):
            await self._preempt(policy)
        return None

    async def _preempt(self, policy: Policy) -> None:
        """Take over the templates that the policy names and others hold, as far as `may_preempt` allows."""
        for resource, template in list(self._selected(policy)):
            claim = claim_of(template.meta)
            holder = self.policies.get(claim.policy) if claim is not None else None
            named = policy.closeness(Subject.of(template)) == BY_NAME
            if not named or template.deleting or holder is None or not may_preempt(policy, holder):
                continue
            patch = claim_patch(template.meta, policy)
            if patch is None:
                continue
            patch["metadata"]["resourceVersion"] = template.meta.resource_version
            source = self.hub.recorder.of(SOURCE)
            message = f"{_shown(policy)} preempted {_shown(holder)}"
            try:
                await self.hub.client.patch(resource, template.meta.name, template.meta.namespace or None, patch)
            except (ApiError, Unreachable) as error:
                source.event(template, "Warning", PREEMPT_FAILED, f"{message} failed: {error}")
                raise
            source.event(template, "Normal", PREEMPT_SUCCEED, f"{message} succeed")

    async def _tell_unknown(self, item: Item, policy: Policy) -> None:
        """A policy for a kind that the hub does not serve waits in silence otherwise."""
        for position, selector in enumerate(policy.selectors):
            try:
                await self.hub.client.discovery.resource_for(GVK.of(selector.api_version, selector.kind))
            except NoMatch:
                message = (
                    f"spec.resourceSelectors[{position}]: the control plane does not serve kind {selector.kind} of"
                    f" {selector.api_version}: install its CustomResourceDefinition, or correct apiVersion and kind"
                )
                self.hub.recorder.of(SOURCE).event(item, "Warning", UNKNOWN_KIND, message)

    async def _identify(self, item: Item, policy: Policy) -> None:
        """Admission does this; a policy that came past it (no webhook, or an older one) gets it here."""
        finalizers = item.meta.finalizers or []
        label = names.CLUSTER_POLICY_ID_LABEL if policy.cluster_wide else names.POLICY_ID_LABEL
        metadata: Json = {"resourceVersion": item.meta.resource_version}
        if not policy.id:
            metadata["labels"] = {label: str(uuid.uuid4())}
        if _finalizer(policy) not in finalizers:
            metadata["finalizers"] = [*finalizers, _finalizer(policy)]
        await self.hub.client.patch(
            policy_resource(policy.key), policy.meta.name, policy.meta.namespace or None, {"metadata": metadata}
        )

    async def _drop_unmatched(self, policy: Policy) -> None:
        """Templates that the selectors no longer mean: the template is released first, then its binding."""
        for resource, binding in self._bindings(policy):
            template = self._template(binding)
            if template is None or policy.matches(Subject.of(template[1])):
                continue
            await release_one(self.hub, *template, policy.id, cluster_wide=policy.cluster_wide)
            await release_one(self.hub, resource, binding, policy.id, cluster_wide=policy.cluster_wide)

    async def _end(self, item: Item, policy: Policy) -> None:
        """Take the policy's claims away; what they led to stays as it is."""
        finalizer = _finalizer(policy)
        if finalizer not in (item.meta.finalizers or ()):
            return
        if policy.id:
            await self._check_known(policy)
            for resource, template in list(self._selected(policy, claimed=True)):
                await release(self.hub, resource, template, policy.id, cluster_wide=policy.cluster_wide)
            for resource, binding in self._bindings(policy):
                template = self._template(binding)
                if template is not None:
                    await release(self.hub, *template, policy.id, cluster_wide=policy.cluster_wide)
                else:
                    await release_one(self.hub, resource, binding, policy.id, cluster_wide=policy.cluster_wide)
        await self.hub.client.drop_finalizer(policy_resource(policy.key), item, finalizer)

    async def _check_known(self, policy: Policy) -> None:
        """Raises Retry while claimed templates of a kind that the hub serves may be unseen."""
        for api_version, kind in {(selector.api_version, selector.kind) for selector in policy.selectors}:
            try:
                resource = await self.hub.client.discovery.resource_for(GVK.of(api_version, kind))
            except NoMatch:
                continue
            informer = self.hub.cache.started(resource)
            if informer is None or not informer.synced:
                raise Retry(f"{resource.group_resource} are not known yet")

    def _bindings(self, policy: Policy) -> list[tuple[Resource, Item]]:
        return [
            (resource, item)
            for resource in BINDINGS
            for item in self.hub.cache.informer(resource).store.by(BINDINGS_BY_POLICY, policy.id)
        ]

    def _claimed(self, policy: Policy) -> list[tuple[Resource, Item]]:
        found = (self._template(binding) for _, binding in self._bindings(policy))
        return [entry for entry in found if entry is not None]

    def _template(self, binding: Item) -> tuple[Resource, Item] | None:
        reference = binding.as_(ResourceBinding).spec.resource
        known = self.hub.client.discovery.known(GVK.of(reference.api_version, reference.kind))
        informer = self.hub.cache.started(known.resource) if known is not None else None
        item = informer.store.get(Key(reference.namespace, reference.name)) if informer is not None else None
        return (known.resource, item) if known is not None and item is not None else None

    def _selected(self, policy: Policy, *, claimed: bool = False) -> Iterator[tuple[Resource, Item]]:
        """Templates that the policy's selectors mean; with `claimed`, those of their kinds that bear its id."""
        kinds = dict.fromkeys((selector.api_version, selector.kind) for selector in policy.selectors)
        for api_version, kind in kinds:
            known = self.hub.client.discovery.known(GVK.of(api_version, kind))
            informer = self.hub.cache.started(known.resource) if known is not None else None
            if known is None or informer is None:
                continue
            store, namespace = informer.store, policy.meta.namespace
            if claimed:
                found = (item for item in store.list(namespace or None) if policy.id in policy_ids(item))
            else:
                selectors = [each for each in policy.selectors if (each.api_version, each.kind) == (api_version, kind)]
                named = _named(selectors, namespace, known.resource)
                items = store.list(namespace or None) if named is None else filter(None, map(store.get, named))
                found = (item for item in items if self._is_selected(policy, item))
            for item in found:
                yield known.resource, item

    def _is_selected(self, policy: Policy, item: Item) -> bool:
        return policy.matches(Subject.of(item)) and is_template(item, self.hub.options.skipped_namespaces)


def _named(selectors: Sequence[Selector], namespace: str, resource: Resource) -> Iterable[Key] | None:
    """What selectors of one kind can mean, where each of them names one object; None where one means more."""
    if not all(each.name and (namespace or each.namespace or not resource.namespaced) for each in selectors):
        return None
    if not resource.namespaced:
        return dict.fromkeys(Key("", each.name) for each in selectors)
    return dict.fromkeys(Key(namespace or each.namespace, each.name) for each in selectors)


def _shown(policy: Policy) -> str:
    if policy.cluster_wide:
        return f"ClusterPropagationPolicy({policy.meta.name})"
    return f"PropagationPolicy({policy.key})"


def _finalizer(policy: Policy) -> str:
    return names.CLUSTER_POLICY_FINALIZER if policy.cluster_wide else names.POLICY_FINALIZER
