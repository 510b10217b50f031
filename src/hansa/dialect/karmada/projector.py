"""What members report, shown on the template: a Deployment's counters are the sum over its members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import GVK, Json, Key, Resource
from hansa.api.work import ResourceBinding
from hansa.base.clock import rfc3339
from hansa.base.patch import equal_json, merge_diff
from hansa.dialect.karmada.hub import Hub
from hansa.interpret.convention import dialect_of
from hansa.interpret.error import InterpretError
from hansa.interpret.question import Aggregate, MemberStatus
from hansa.kube.errors import NotFound
from hansa.runtime.controller import Requeue

SUCCEED = "AggregateStatusSucceed"
FAILED = "AggregateStatusFailed"


@dataclass(frozen=True, slots=True)
class Projector:
    hub: Hub

    async def reconcile(self, key: Key) -> Requeue | None:
        resource = scheme.RESOURCE_BINDINGS if key.namespace else scheme.CLUSTER_RESOURCE_BINDINGS
        item = self.hub.cache.informer(resource).store.get(key)
        if item is None or item.deleting or dialect_of(item.labels) != names.KARMADA:
            return None
        binding = item.as_(ResourceBinding)
        found = self._template(binding)
        if found is None or binding.status.aggregated_status is None:
            return None
        template_resource, template = found
        document = template.json()
        members = [
            MemberStatus(entry.cluster_name, _document(entry.status), entry.applied, entry.health or "Unknown")
            for entry in binding.status.aggregated_status
        ]
        try:
            answer = await self.hub.interpret(Aggregate(document, members))
        except InterpretError as error:
            self.hub.recorder.of(_source(key)).event(template, "Warning", FAILED, str(error))
            raise
        if answer is None or answer.value is None:
            return None
        old: Json = document.get("status") or {}
        status = _stamped(answer.value, old, rfc3339(self.hub.clock.now()))
        if equal_json(old, status):
            return None
        if await self._write(template_resource, template, merge_diff(old, status)):
            message = "Update Resource with AggregatedStatus successfully."
            self.hub.recorder.of(_source(key)).event(template, "Normal", SUCCEED, message)
        return None

    async def _write(self, resource: Resource, template: Item, change: Json) -> bool:
        """False when the template has gone."""
        try:
            await self.hub.client.patch_status(resource, template, change)
        except NotFound:
            return False
        return True

    def _template(self, binding: ResourceBinding) -> tuple[Resource, Item] | None:
        reference = binding.spec.resource
        known = self.hub.client.discovery.known(GVK.of(reference.api_version, reference.kind))
        informer = self.hub.cache.started(known.resource) if known is not None else None
        item = informer.store.get(Key(reference.namespace, reference.name)) if informer is not None else None
        if known is None or item is None or item.meta.uid != reference.uid:
            return None
        return known.resource, item


def _source(key: Key) -> str:
    return f"{'resource' if key.namespace else 'cluster-resource'}-binding-status-controller"


def _document(status: Any) -> Json | None:
    if status is None:
        return None
    document = msgspec.to_builtins(status)
    return document if isinstance(document, dict) else None


def _stamped(status: Json, old: Json, now: str) -> Json:
    """Conditions that are new, or whose status is, get the time."""
    conditions = status.get("conditions")
    if not isinstance(conditions, list):
        return status
    before = {entry.get("type"): entry for entry in old.get("conditions") or ()}
    stamped: list[Json] = []
    for entry in conditions:
        known = before.get(entry.get("type"))
        if known is not None and known.get("status") == entry.get("status"):
            stamped.append({**entry, **{name: known[name] for name in _TIMES if name in known}})
        else:
            stamped.append({"lastProbeTime": now, "lastTransitionTime": now, **entry})
    return {**status, "conditions": stamped}


_TIMES = ("lastProbeTime", "lastTransitionTime")
