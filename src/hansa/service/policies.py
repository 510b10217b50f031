"""Say of each ServiceRoutingPolicy whether it holds, and read those that do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from hansa.admit import routing
from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Condition, Key
from hansa.api.routing import ServiceRoutingPolicy, ServiceRoutingPolicySpec
from hansa.combine.wording import some
from hansa.runtime.controller import Requeue
from hansa.service.hub import Hub
from hansa.service.places import Places
from hansa.service.records import NO_POLICY
from hansa.service.write import report

ACCEPTED = "Accepted"


@dataclass(frozen=True, slots=True)
class PolicyKeeper:
    """Condition `Accepted`."""

    hub: Hub
    places: Places

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.hub.cache.informer(scheme.SERVICE_ROUTING_POLICIES).store.get(key)
        if item is None or item.deleting:
            return None
        policy = item.as_(ServiceRoutingPolicy)
        await report(
            self.hub.client,
            scheme.SERVICE_ROUTING_POLICIES,
            item,
            [self._verdict(item, policy.spec)],
            self.hub.clock.now(),
            observedGeneration=item.meta.generation,
        )
        return None

    def _verdict(self, item: Item, spec: ServiceRoutingPolicySpec) -> Condition:
        faults = routing.check(item.json())
        if faults:
            message = "; ".join(fault.detail for fault in faults)
            return _condition("False", "Invalid", message, item.meta.generation)
        strangers = sorted({name for name in _named(spec) if not self.places.is_member(name)})
        message = f"not joined at present: {some(strangers)}" if strangers else ""
        return _condition("True", "Accepted", message, item.meta.generation)


def read_policy(item: Item | None) -> ServiceRoutingPolicySpec:
    """What holds of a policy. One that contradicts itself routes nothing, but whom it keeps out stays out."""
    if item is None or item.deleting:
        return NO_POLICY
    try:
        spec = item.as_(ServiceRoutingPolicy).spec
    except msgspec.ValidationError:
        return NO_POLICY
    return ServiceRoutingPolicySpec(consumer_clusters=spec.consumer_clusters) if routing.check(item.json()) else spec


def _named(spec: ServiceRoutingPolicySpec) -> Iterator[str]:
    yield from (entry.cluster for entry in spec.weights or ())
    for listed in (spec.exclude, spec.failover_only, spec.consumer_clusters):
        yield from listed or ()


def _condition(status: str, reason: str, message: str, generation: int) -> Condition:
    return Condition(type=ACCEPTED, status=status, reason=reason, message=message, observed_generation=generation)
