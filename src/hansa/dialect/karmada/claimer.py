"""Give each template to the policy that it belongs to, and keep its binding as policy and template say."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key, Resource
from hansa.api.work import BindingStatus, ResourceBinding
from hansa.base.names import binding_name
from hansa.base.patch import apply_merge_patch
from hansa.dialect.karmada.compile import Compiled, changes, compiled, controller_uid, only_version_differs
from hansa.dialect.karmada.hub import Hub
from hansa.dialect.karmada.placing import placed_at_birth, placed_on_change
from hansa.dialect.karmada.policies import Policies
from hansa.interpret.error import InterpretError
from hansa.interpret.question import Needs, Replicas
from hansa.kube.errors import AlreadyExists, ApiError, NotFound, Unreachable
from hansa.match.claim import claim_of, claim_patch, release_patch
from hansa.match.policy import Policy
from hansa.match.selector import Subject
from hansa.runtime.controller import Requeue, Retry

SOURCE = "resource-detector"
SUCCEED = "ApplyPolicySucceed"
FAILED = "ApplyPolicyFailed"
REPLICAS_SUCCEED = "GetReplicasSucceed"
REPLICAS_FAILED = "GetReplicasFailed"


class TemplateKey(NamedTuple):
    resource: Resource
    namespace: str
    name: str

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.resource.group_resource} {self.key}"


class Why(enum.IntEnum):
    """What a template is looked at for; a higher one includes the lower. Lazy policies act on USER only."""

    FOUND = 0
    """It was there when we started: nothing is known to have changed."""
    KARMADA = 1
    """A policy changed, or only our own labels and annotations did. By the time that a template has its turn, the
    policy may have become lazy: then it is held back, though it was not lazy when it changed."""
    USER = 2


@dataclass(frozen=True, slots=True)
class Claimer:
    """`why` holds the reasons of templates that wait."""

    hub: Hub
    policies: Policies
    why: dict[TemplateKey, Why] = field(default_factory=dict[TemplateKey, Why])

    def note(self, key: TemplateKey, why: Why) -> None:
        self.why[key] = max(why, self.why.get(key, why))

    async def reconcile(self, key: TemplateKey) -> Requeue | None:
        why = self.why.pop(key, Why.KARMADA)  # a retry may come after its reason was seen to
        try:
            await self._claim(key, why)
        except Exception:
            self.note(key, why)
            raise
        return None

    async def _claim(self, key: TemplateKey, why: Why) -> None:
        informer = self.hub.cache.started(key.resource)
        template = informer.store.get(key.key) if informer is not None else None
        if template is None or template.deleting or template.labels.get(names.CLAIMED_BY_LABEL):
            return
        subject = Subject.of(template)
        claim = claim_of(template.meta)
        if claim is None:
            policy = self.policies.best(subject)
            if policy is None:
                if why is Why.KARMADA:
                    await self._released(template)
                return
        else:
            policy = self.policies.get(claim.policy)
            if policy is None:
                await release(self.hub, key.resource, template, claim.id, cluster_wide=claim.cluster_wide)
                return
            if policy.deleting:
                raise Retry(f"policy {claim.policy} of {key} is being deleted")
            if not policy.matches(subject):
                return
        if not policy.id:
            raise Retry(f"policy {policy.key} has no permanent id yet")
        self._check_dependents(policy)
        try:
            await self._apply(key.resource, template, policy, why)
        except (ApiError, Unreachable, InterpretError) as error:
            self.hub.recorder.of(SOURCE).event(template, "Warning", FAILED, f"{_applied(policy)} failed: {error}")
            raise

    async def _released(self, template: Item) -> None:
        """Let the binding of a template that nobody claims say of which version it is, where the release made another
        generation: annotations of a Deployment count as a change, and members must have observed the last one."""
        namespace, name = template.meta.namespace, binding_name(template.meta.name, template.kind)
        resource = scheme.RESOURCE_BINDINGS if namespace else scheme.CLUSTER_RESOURCE_BINDINGS
        binding = self.hub.cache.informer(resource).store.get(Key(namespace, name))
        if not template.meta.generation or binding is None or controller_uid(binding) != template.meta.uid:
            return
        version = template.meta.resource_version
        if claim_of(binding.meta) is None and binding.as_(ResourceBinding).spec.resource.resource_version != version:
            patch: Json = {
                "metadata": {"resourceVersion": binding.meta.resource_version},
                "spec": {"resource": {"resourceVersion": version}},
            }
            await self.hub.client.patch(resource, name, namespace or None, patch)

    def _check_dependents(self, policy: Policy) -> None:
        """Overrides that the policy names must be there first, or the object would reach members without them."""
        resource = scheme.CLUSTER_OVERRIDE_POLICIES if policy.cluster_wide else scheme.OVERRIDE_POLICIES
        store = self.hub.cache.informer(resource).store
        for name in policy.spec.dependent_overrides or ():
            if store.get(Key(policy.meta.namespace, name)) is None:
                raise Retry("waiting for dependent overrides")

    async def _apply(self, resource: Resource, template: Item, policy: Policy, why: Why) -> None:
        was_claimed = claim_of(template.meta) is not None
        patch = claim_patch(template.meta, policy)
        if patch is not None:
            patch["metadata"]["resourceVersion"] = template.meta.resource_version
            template = await self.hub.client.patch(resource, template.meta.name, template.meta.namespace or None, patch)
        # of what we find when we start we only know who was there first
        older = was_claimed or (template.meta.creation_timestamp or "") < (policy.meta.creation_timestamp or "")
        held = why is Why.KARMADA or (why is Why.FOUND and older)
        if policy.lazy and held:
            return
        needs = await self._needs(template)
        priority = await self._priority(policy) if template.meta.namespace else None
        gates = self.hub.options.gates
        wanted = compiled(template, policy, self.policies.spec(policy.key), needs, priority, gates)
        if await self._ensure(wanted, why):
            source = self.hub.recorder.of(SOURCE)
            if needs is not None:
                message = f"Get Replicas({needs.replicas}) and replicaRequirements succeed"
                source.event(template, "Normal", REPLICAS_SUCCEED, message)
            source.event(template, "Normal", SUCCEED, f"{_applied(policy)} succeed")

    async def _needs(self, template: Item) -> Needs | None:
        try:
            answer = await self.hub.interpret(Replicas(template.json()))
        except InterpretError as error:
            self.hub.recorder.of(SOURCE).event(template, "Warning", REPLICAS_FAILED, str(error))
            raise
        return answer.value if answer is not None else None

    async def _priority(self, policy: Policy) -> int | None:
        """Raises NotFound when the PriorityClass is missing: without its value the binding would be wrong."""
        asked = policy.spec.schedule_priority
        if asked is None or not self.hub.options.gates.enabled("PriorityBasedScheduling"):
            return None
        found = await self.hub.client.get(scheme.PRIORITY_CLASSES, asked.priority_class_name)
        return int(found.json().get("value") or 0)

    async def _ensure(self, wanted: Compiled, why: Why) -> bool:
        """True when the binding was written."""
        metadata: Json = wanted.binding["metadata"]
        key = Key(metadata.get("namespace") or "", metadata["name"])
        existing = self.hub.cache.informer(wanted.resource).store.get(key)
        if existing is None:
            label = names.BINDING_ID_LABEL if key.namespace else names.CLUSTER_BINDING_ID_LABEL
            # only if it is born now: one that is there already keeps its id, by which its Works are found
            labels = {**metadata["labels"], label: str(uuid.uuid4())}
            born = {**wanted.binding, "metadata": {**metadata, "labels": labels}}
            binding = placed_at_birth(self.hub, born)
            try:
                await self.hub.client.create(wanted.resource, binding, key.namespace or None)
                return True
            except AlreadyExists:
                # the cache was behind
                existing = await self.hub.client.get(wanted.resource, key.name, key.namespace or None)
        if controller_uid(existing) not in ("", wanted.owner_uid) or existing.deleting:
            raise Retry(f"waiting for garbage collection of the former binding {key}")
        patch = changes(wanted.binding, existing)
        if patch is None or (why is Why.FOUND and only_version_differs(patch)):
            return False
        document = apply_merge_patch(existing.json(), patch)
        patch = placed_on_change(self.hub, patch, document, _status(existing))
        patch.setdefault("metadata", {})["resourceVersion"] = existing.meta.resource_version
        await self.hub.client.patch(wanted.resource, key.name, key.namespace or None, patch)
        return True


async def release(hub: Hub, resource: Resource, template: Item, claim_id: str, *, cluster_wide: bool) -> None:
    """Take the claim off the binding, then off the template. What runs keeps running.

    The binding goes first: nobody must take the template while its binding still says otherwise.
    """
    namespaced = bool(template.meta.namespace)
    bindings = scheme.RESOURCE_BINDINGS if namespaced else scheme.CLUSTER_RESOURCE_BINDINGS
    store = hub.cache.informer(bindings).store
    for binding in store.list(template.meta.namespace or None):
        if controller_uid(binding) == template.meta.uid:
            await release_one(hub, bindings, binding, claim_id, cluster_wide=cluster_wide)
    await release_one(hub, resource, template, claim_id, cluster_wide=cluster_wide)


async def release_one(hub: Hub, resource: Resource, item: Item, claim_id: str, *, cluster_wide: bool) -> None:
    patch = release_patch(item.meta, claim_id, cluster_wide=cluster_wide)
    if patch is None:
        return
    patch["metadata"]["resourceVersion"] = item.meta.resource_version
    try:
        await hub.client.patch(resource, item.meta.name, item.meta.namespace or None, patch)
    except NotFound:
        return


def _applied(policy: Policy) -> str:
    return f"Apply cluster policy({policy.meta.name})" if policy.cluster_wide else f"Apply policy({policy.key})"


def _status(existing: Item) -> BindingStatus:
    try:
        return existing.as_(ResourceBinding).status
    except msgspec.ValidationError:
        return BindingStatus()
