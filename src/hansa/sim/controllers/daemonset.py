"""DaemonSets: one pod on every node that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from hansa.api.core import Taint, Toleration
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.awaited import Awaited, OwnWrites
from hansa.sim.controllers.podset import PodSet
from hansa.sim.controllers.revisions import REVISION_LABEL, Revision, forget_revisions, sync_revisions
from hansa.sim.controllers.rollout import resolve
from hansa.sim.ownership import BY_CONTROLLER, candidates, claim, index_by_controller, owners, selector_of
from hansa.sim.placement import selects
from hansa.sim.pod import Pod, pod_from_template
from hansa.sim.site import Site
from hansa.sim.status import counts, write_status

COMPONENT = "daemonset-controller"
GENERATION = "deprecated.daemonset.template.generation"
# What every daemon pod tolerates, so that it also runs on nodes in trouble.
TOLERATIONS: tuple[Json, ...] = (
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
)


@dataclass(frozen=True, slots=True)
class DaemonSetReconciler:
    site: Site
    pods: PodSet
    own: OwnWrites = field(default_factory=OwnWrites)

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.site.store(DAEMON_SETS).get(key)
        if item is None or self.own.ahead_of(item):
            return None
        pending = self.pods.awaited.pending_seconds(key)
        if pending is not None:
            return Requeue(pending)
        spec = item.json()["spec"]
        selector = selector_of(spec.get("selector"))
        found = await claim(self.site.client, PODS, item, selector, candidates(self.site.store(PODS), item))
        pods: dict[str, list[Pod]] = {}
        for entry in found:
            pods.setdefault(_node_of(entry), []).append(Pod(entry))
        revisions = await sync_revisions(self.site, item, selector, spec.get("template") or {})
        nodes = [node.meta.name for node in self.site.store(NODES).list() if _fits(node, spec)]
        if not item.deleting:
            await self._act(item, spec, pods, nodes, revisions[-1])
        wait = await self._write_status(item, spec, pods, nodes, revisions[-1])
        used = {entry.name for entry in revisions for pod in found if pod.labels.get(REVISION_LABEL) == entry.hash}
        limit = spec.get("revisionHistoryLimit")
        await forget_revisions(self.site, revisions, 10 if limit is None else int(limit), used)
        return wait

    async def _act(
        self, item: Item, spec: Json, pods: dict[str, list[Pod]], nodes: Sequence[str], revision: Revision
    ) -> None:
        surplus = [pod for node, there in pods.items() if node not in nodes for pod in there if not pod.item.deleting]
        surplus += [pod for there in pods.values() for pod in there if pod.finished and not pod.item.deleting]
        for node in nodes:
            active = sorted((pod for pod in pods.get(node, ()) if pod.active), key=lambda pod: pod.name)
            surplus += active[1:]
        missing = [node for node in nodes if not any(not pod.finished for pod in pods.get(node, ()))]
        if surplus:
            await self.pods.delete(item, surplus)
        if missing:
            await self.pods.create(item, [_pod(item, spec, node, revision) for node in missing])
            return
        if (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate":
            await self._update(item, spec, pods, nodes, revision)

    async def _update(
        self, item: Item, spec: Json, pods: dict[str, list[Pod]], nodes: Sequence[str], revision: Revision
    ) -> None:
        rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
        allowed = max(1, resolve(rolling.get("maxUnavailable", 1), len(nodes), up=True))
        outdated: list[Pod] = []
        for node in nodes:
            pod = next((pod for pod in pods.get(node, ()) if pod.active), None)
            if pod is None or not pod.ready:
                allowed -= 1
                if pod is not None and pod.item.labels.get(REVISION_LABEL) != revision.hash:
                    await self.pods.delete(item, [pod])  # it serves nobody: replacing it costs nothing
            elif pod.item.labels.get(REVISION_LABEL) != revision.hash:
                outdated.append(pod)
        if allowed > 0 and outdated:
            await self.pods.delete(item, outdated[:allowed])

    async def _write_status(
        self, item: Item, spec: Json, pods: dict[str, list[Pod]], nodes: Sequence[str], revision: Revision
    ) -> Requeue | None:
        least = int(spec.get("minReadySeconds") or 0)
        placed = [next((pod for pod in pods.get(node, ()) if pod.active), None) for node in nodes]
        there = [pod for pod in placed if pod is not None]
        ages = [self.site.age_seconds(pod.ready_since) for pod in there if pod.ready_since]
        available = sum(age >= least for age in ages)
        status: Json = {
            "currentNumberScheduled": len(there),
            "desiredNumberScheduled": len(nodes),
            "numberMisscheduled": sum(
                any(not pod.finished for pod in entries) for node, entries in pods.items() if node not in nodes
            ),
            "numberReady": len(ages),
            "observedGeneration": item.meta.generation,
        }
        status |= counts(
            numberAvailable=available,
            numberUnavailable=len(nodes) - available,
            updatedNumberScheduled=sum(pod.item.labels.get(REVISION_LABEL) == revision.hash for pod in there),
        )
        written = await write_status(self.site.client, DAEMON_SETS, item, status, fresh=True)
        if written is not None:
            self.own.note(written)
        waiting = [least - age for age in ages if age < least]
        return Requeue(max(0.05, min(waiting))) if waiting else None


def _node_of(item: Item) -> str:
    """The node of a daemon pod, also before it is bound: its affinity names it."""
    pod = Pod(item)
    if pod.node:
        return pod.node
    affinity = (item.json()["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    for term in terms:
        for requirement in term.get("matchFields") or []:
            if requirement["key"] == "metadata.name":
                return str(requirement["values"][0])
    return ""


def _fits(node: Item, spec: Json) -> bool:
    pod_spec = (spec.get("template") or {}).get("spec") or {}
    if not selects(pod_spec, node):
        return False
    tolerations = msgspec.convert([*(pod_spec.get("tolerations") or []), *TOLERATIONS], list[Toleration])
    taints = msgspec.convert((node.json().get("spec") or {}).get("taints") or [], list[Taint])
    hard = [taint for taint in taints if taint.effect != "PreferNoSchedule"]
    return all(any(entry.tolerates(taint) for entry in tolerations) for taint in hard)


def _pod(item: Item, spec: Json, node: str, revision: Revision) -> Json:
    pod = pod_from_template(spec.get("template") or {}, item)
    labels = dict(pod["metadata"].get("labels") or {})
    generation = item.annotations.get(GENERATION)
    labels[REVISION_LABEL] = revision.hash
    if generation:
        labels["pod-template-generation"] = generation
    pod["metadata"]["labels"] = labels
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(pod["spec"].get("affinity") or {})
    affinity["nodeAffinity"] = {
        **(affinity.get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
    }
    pod["spec"]["affinity"] = affinity
    known = {(entry.get("key"), entry.get("effect")) for entry in pod["spec"].get("tolerations") or []}
    pod["spec"]["tolerations"] = [
        *(pod["spec"].get("tolerations") or []),
        *(entry for entry in TOLERATIONS if (entry["key"], entry["effect"]) not in known),
    ]
    return pod


def daemonset_controller(site: Site) -> Controller[Key]:
    sets, pods, nodes = site.informer(DAEMON_SETS), site.informer(PODS), site.informer(NODES)
    revisions = site.informer(CONTROLLER_REVISIONS)
    pods.store.add_index(BY_CONTROLLER, index_by_controller)
    revisions.store.add_index(BY_CONTROLLER, index_by_controller)
    awaited = Awaited(pods)
    reconciler = DaemonSetReconciler(site, PodSet(site, site.events(COMPONENT), awaited))
    controller = Controller("sim-daemonset", reconciler, workers=2, needs=(sets, pods, nodes, revisions))

    def set_changed(change: Change) -> None:
        controller.queue.add(change.item.key)

    def pod_changed(change: Change) -> None:
        for key in owners(change, "DaemonSet"):
            controller.queue.add(key)

    def node_changed(change: Change) -> None:
        for item in sets.store:
            controller.queue.add(item.key)

    sets.subscribe(set_changed)
    pods.subscribe(pod_changed)
    nodes.subscribe(node_changed)
    return controller
