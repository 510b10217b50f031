"""Take pods off nodes that they do not tolerate any more, after the time that they do."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hansa.api.core import Taint, Toleration
from hansa.api.meta import Key
from hansa.api.scheme import NODES, PODS
from hansa.kube.errors import Conflict, NotFound
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.kubelet import BY_NODE, index_by_node
from hansa.sim.pod import Pod
from hansa.sim.site import Events, Site

COMPONENT = "taint-eviction-controller"


@dataclass(frozen=True, slots=True)
class Evictor:
    """Works on nodes: looks at the pods of each that bears a NoExecute taint."""

    site: Site
    events: Events

    async def reconcile(self, key: Key) -> Requeue | None:
        node = self.site.store(NODES).get(key)
        if node is None:
            return None
        taints = msgspec.convert((node.json().get("spec") or {}).get("taints") or [], list[Taint])
        hard = [taint for taint in taints if taint.effect == "NoExecute"]
        if not hard:
            return None
        waits: list[float] = []
        for item in self.site.store(PODS).by(BY_NODE, key.name):
            if item.deleting or Pod(item).finished:
                continue
            left = self._left(msgspec.convert(item.json()["spec"].get("tolerations") or [], list[Toleration]), hard)
            if left is None:
                continue
            if left > 0:
                waits.append(left)
                continue
            self.events.event(item, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {item.key}")
            try:
                await self.site.client.delete(PODS, item.meta.name, item.meta.namespace, uid=item.meta.uid)
            except (NotFound, Conflict):
                continue
        return Requeue(max(0.05, min(waits))) if waits else None

    def _left(self, tolerations: list[Toleration], taints: list[Taint]) -> float | None:
        """Seconds for which the pod may stay; None: for ever."""
        shortest: float | None = None
        for taint in taints:
            fitting = [entry for entry in tolerations if entry.tolerates(taint)]
            if not fitting:
                return 0.0
            limits = [entry.toleration_seconds for entry in fitting if entry.toleration_seconds is not None]
            if limits:
                age = self.site.age_seconds(taint.time_added) if taint.time_added else 0.0
                left = max(0.0, min(limits) - age)
                shortest = left if shortest is None else min(shortest, left)
        return shortest


def eviction_controller(site: Site) -> Controller[Key]:
    nodes, pods = site.informer(NODES), site.informer(PODS)
    pods.store.add_index(BY_NODE, index_by_node)
    controller = Controller("sim-eviction", Evictor(site, site.events(COMPONENT)), workers=1, needs=(nodes, pods))

    def node_changed(change: Change) -> None:
        if change.new is not None:
            controller.queue.add(change.item.key)

    def pod_changed(change: Change) -> None:
        pod = Pod(change.item)
        if change.new is not None and pod.node and (change.old is None or Pod(change.old).node != pod.node):
            controller.queue.add(Key("", pod.node))

    nodes.subscribe(node_changed)
    pods.subscribe(pod_changed)
    return controller
