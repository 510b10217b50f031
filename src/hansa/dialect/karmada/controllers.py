"""The dialect's controllers, and what they listen to."""

from __future__ import annotations

from typing import Protocol

from hansa.api import scheme
from hansa.api.meta import Key
from hansa.dialect.karmada.claimer import Claimer, TemplateKey, Why
from hansa.dialect.karmada.dependencies.controller import dependencies
from hansa.dialect.karmada.detector import Detector
from hansa.dialect.karmada.hub import Hub
from hansa.dialect.karmada.keeper import BINDINGS, BINDINGS_BY_POLICY, PolicyKeeper, policy_ids
from hansa.dialect.karmada.policies import Policies
from hansa.dialect.karmada.projector import Projector
from hansa.match.preempt import roused
from hansa.runtime.controller import Controller
from hansa.runtime.informer import Change
from hansa.runtime.patience import Patience


class Part(Protocol):
    """Something that runs until it is cancelled: a controller or a loop."""

    name: str

    async def run(self) -> None: ...


def controllers(hub: Hub) -> list[Part]:
    """Everything before the binding, and the way back. Must be called within the event loop."""
    cache = hub.cache
    for resource in BINDINGS:
        cache.informer(resource).store.add_index(BINDINGS_BY_POLICY, policy_ids)
    policies = Policies(cache)
    claimer = Claimer(hub, policies)
    needs = (
        *policies.informers,
        *(cache.informer(resource) for resource in BINDINGS),
        cache.informer(scheme.CLUSTERS),
        cache.informer(scheme.OVERRIDE_POLICIES),
        cache.informer(scheme.CLUSTER_OVERRIDE_POLICIES),
    )
    claims = Controller("claim", claimer, workers=hub.options.workers, needs=needs)
    hub.traffic.add(claims.queue)

    def look_at(key: TemplateKey, why: Why, initial: bool = False) -> None:
        claimer.note(key, why)
        claims.queue.add(key, low=initial)

    reconciler = PolicyKeeper(hub, policies, look_at)
    keeper = Controller("policy", reconciler, workers=2, needs=needs)

    def policy_changed(change: Change) -> None:
        old, new = change.old, change.new
        if new is None:
            return
        if old is None or old.meta.generation != new.meta.generation or old.labels != new.labels:
            if change.initial:
                reconciler.found.add(new.key)
            else:
                reconciler.found.discard(new.key)
            keeper.queue.add(new.key, low=change.initial)
        if old is not None:
            lowered = policies.get(new.key)
            before = (old.json().get("spec") or {}).get("priority") or 0
            for policy in roused(policies, lowered, before) if lowered is not None else ():
                keeper.queue.add(policy.key)

    for informer in policies.informers:
        informer.subscribe(policy_changed)
    parts: list[Part] = [claims, keeper, _projector(hub)]
    noticed = look_at
    if hub.options.gates.enabled("PropagateDeps"):
        controller, dependency_changed = dependencies(hub)
        parts.append(controller)

        def noticed(key: TemplateKey, why: Why, initial: bool) -> None:
            look_at(key, why, initial)
            dependency_changed(key, initial)

    return [Detector(hub, noticed), *parts]


def _projector(hub: Hub) -> Part:
    bindings = [hub.cache.informer(resource) for resource in BINDINGS]
    controller: Controller[Key] = Controller("project", Projector(hub), workers=4, needs=bindings)
    patience = Patience(controller.queue, hub.traffic, hub.options.report_delay_seconds)

    def binding_changed(change: Change) -> None:
        old, new = change.old, change.new
        if new is not None and (old is None or old.meta.resource_version != new.meta.resource_version):
            patience.add(new.key)

    for informer in bindings:
        informer.subscribe(binding_changed)
    return controller
