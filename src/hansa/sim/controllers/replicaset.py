"""ReplicaSets: as many pods as `spec.replicas` says."""

from __future__ import annotations

from dataclasses import dataclass, field

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import PODS, REPLICA_SETS
from hansa.base.selector import Labels
from hansa.kube.errors import ApiError
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.awaited import Awaited, OwnWrites
from hansa.sim.controllers.podset import BURST, PodSet, to_delete_first
from hansa.sim.ownership import (
    BY_CONTROLLER,
    candidates,
    claim,
    index_by_controller,
    owners,
    selector_of,
)
from hansa.sim.pod import Pod, pod_from_template
from hansa.sim.site import Site
from hansa.sim.status import counts, with_condition, without_condition, write_status

COMPONENT = "replicaset-controller"


@dataclass(frozen=True, slots=True)
class ReplicaSetReconciler:
    site: Site
    pods: PodSet
    own: OwnWrites = field(default_factory=OwnWrites)

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.site.store(REPLICA_SETS).get(key)
        if item is None or self.own.ahead_of(item):
            return None
        pending = self.pods.awaited.pending_seconds(key)
        if pending is not None:
            return Requeue(pending)
        spec = item.json()["spec"]
        selector = selector_of(spec.get("selector"))
        found = candidates(self.site.store(PODS), item)
        pods = [Pod(pod) for pod in await claim(self.site.client, PODS, item, selector, found)]
        failure: tuple[str, ApiError] | None = None
        if not item.deleting:
            failure = await self._scale(item, spec, [pod for pod in pods if pod.active])
        wait = await self._write_status(item, spec, pods, failure)
        if failure is not None:
            raise failure[1]
        return wait

    async def _scale(self, item: Item, spec: Json, active: list[Pod]) -> tuple[str, ApiError] | None:
        missing = int(spec.get("replicas", 1)) - len(active)
        try:
            if missing > 0:
                template = spec.get("template") or {}
                await self.pods.create(item, [pod_from_template(template, item)] * min(missing, BURST))
            elif missing < 0:
                await self.pods.delete(item, to_delete_first(active)[: min(-missing, BURST)])
        except ApiError as error:
            return ("FailedCreate" if missing > 0 else "FailedDelete", error)
        return None

    async def _write_status(
        self, item: Item, spec: Json, pods: list[Pod], failure: tuple[str, ApiError] | None
    ) -> Requeue | None:
        now = self.site.now()
        active = [pod for pod in pods if pod.active]
        ready = [pod for pod in active if pod.ready]
        least = int(spec.get("minReadySeconds") or 0)
        ages = [self.site.age_seconds(pod.ready_since) for pod in ready if pod.ready_since]
        labels = (spec.get("template") or {}).get("metadata", {}).get("labels") or {}
        full = Labels(()) if not labels else selector_of({"matchLabels": labels})
        old = item.json().get("status") or {}
        conditions = list(old.get("conditions") or [])
        if failure is None:
            conditions = without_condition(conditions, "ReplicaFailure")
        else:
            conditions = with_condition(conditions, "ReplicaFailure", "True", failure[0], failure[1].message, now)
        status: Json = {"replicas": len(active), "observedGeneration": item.meta.generation}
        status |= counts(
            fullyLabeledReplicas=sum(full.matches(pod.item.labels) for pod in active),
            readyReplicas=len(ready),
            availableReplicas=sum(age >= least for age in ages),
        )
        status["terminatingReplicas"] = sum(pod.terminating for pod in pods)
        if conditions:
            status["conditions"] = conditions
        written = await write_status(self.site.client, REPLICA_SETS, item, status, fresh=True)
        if written is not None:
            self.own.note(written)
        waiting = [least - age for age in ages if age < least]
        return Requeue(max(0.05, min(waiting))) if waiting else None


def replicaset_controller(site: Site) -> Controller[Key]:
    sets, pods = site.informer(REPLICA_SETS), site.informer(PODS)
    pods.store.add_index(BY_CONTROLLER, index_by_controller)
    awaited = Awaited(pods)  # must see changes before they are queued
    reconciler = ReplicaSetReconciler(site, PodSet(site, site.events(COMPONENT), awaited))
    controller = Controller("sim-replicaset", reconciler, workers=4, needs=(sets, pods))
    queue = controller.queue

    def set_changed(change: Change) -> None:
        queue.add(change.item.key)

    def pod_changed(change: Change) -> None:
        for key in owners(change, "ReplicaSet", sets.store):
            queue.add(key)

    sets.subscribe(set_changed)
    pods.subscribe(pod_changed)
    return controller
