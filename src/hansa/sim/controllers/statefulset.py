"""StatefulSets: pods with ordinals and identities of their own, one after the other or all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from hansa.kube.errors import AlreadyExists
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.awaited import Awaited, OwnWrites
from hansa.sim.controllers.podset import PodSet
from hansa.sim.controllers.revisions import REVISION_LABEL, Revision, forget_revisions, sync_revisions
from hansa.sim.controllers.rollout import resolve
from hansa.sim.ownership import BY_CONTROLLER, candidates, claim, index_by_controller, owners, selector_of
from hansa.sim.pod import Pod, pod_from_template
from hansa.sim.site import Site
from hansa.sim.status import counts, write_status

COMPONENT = "statefulset-controller"
POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


@dataclass(slots=True)
class _Turn:
    """One StatefulSet while it is worked on."""

    item: Item
    spec: Json
    pods: dict[int, Pod]
    """By ordinal."""
    current: Revision
    update: Revision
    minimum: int
    """minReadySeconds"""
    wait: float | None = None

    @property
    def parallel(self) -> bool:
        return self.spec.get("podManagementPolicy") == "Parallel"

    @property
    def start(self) -> int:
        return int((self.spec.get("ordinals") or {}).get("start") or 0)

    @property
    def wanted(self) -> range:
        return range(self.start, self.start + int(self.spec.get("replicas", 1)))

    @property
    def strategy(self) -> Json:
        return self.spec.get("updateStrategy") or {}

    @property
    def partition(self) -> int:
        return int((self.strategy.get("rollingUpdate") or {}).get("partition") or 0)

    def revision_for(self, ordinal: int) -> Revision:
        """Which template a pod that is made now gets."""
        if self.strategy.get("type", "RollingUpdate") == "RollingUpdate":
            return self.current if ordinal < self.start + self.partition else self.update
        return self.current if self.pods_of(self.current) else self.update

    def pods_of(self, revision: Revision) -> int:
        return sum(pod.item.labels.get(REVISION_LABEL) == revision.name for pod in self.pods.values())


@dataclass(frozen=True, slots=True)
class StatefulSetReconciler:
    site: Site
    pods: PodSet
    own: OwnWrites = field(default_factory=OwnWrites)

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.site.store(STATEFUL_SETS).get(key)
        if item is None or self.own.ahead_of(item):
            return None
        pending = self.pods.awaited.pending_seconds(key)
        if pending is not None:
            return Requeue(pending)
        body = item.json()
        spec, status = body["spec"], body.get("status") or {}
        selector = selector_of(spec.get("selector"))
        found = await claim(self.site.client, PODS, item, selector, candidates(self.site.store(PODS), item))
        revisions = await sync_revisions(self.site, item, selector, spec.get("template") or {})
        update = revisions[-1]
        current = next((entry for entry in revisions if entry.name == status.get("currentRevision")), update)
        turn = _Turn(item, spec, dict(_by_ordinal(item, found)), current, update, int(spec.get("minReadySeconds") or 0))
        if not item.deleting:
            await self._act(turn)
        await self._write_status(turn, status)
        used = {current.name, update.name} | {pod.item.labels.get(REVISION_LABEL, "") for pod in turn.pods.values()}
        limit = spec.get("revisionHistoryLimit")
        await forget_revisions(self.site, revisions, 10 if limit is None else int(limit), used)
        return Requeue(max(0.05, turn.wait)) if turn.wait is not None else None

    async def _act(self, turn: _Turn) -> None:
        if not await self._fill(turn):
            return
        if not await self._shrink(turn):
            return
        await self._update(turn)

    async def _fill(self, turn: _Turn) -> bool:
        """Make the missing pods, in order; False when something has to be waited for."""
        for ordinal in turn.wanted:
            pod = turn.pods.get(ordinal)
            if pod is not None and pod.finished and not pod.item.deleting:
                await self.pods.delete(turn.item, [pod])
                return False
            if pod is None:
                await self._create(turn, ordinal)
                if not turn.parallel:
                    return False
            elif not turn.parallel and (pod.item.deleting or not self._available(turn, pod)):
                return False
        return True

    async def _shrink(self, turn: _Turn) -> bool:
        """Take away what is too many, the highest ordinal first; False when something has to be waited for."""
        surplus = sorted((ordinal for ordinal in turn.pods if ordinal not in turn.wanted), reverse=True)
        for ordinal in surplus:
            pod = turn.pods[ordinal]
            if not pod.item.deleting:
                await self.pods.delete(turn.item, [pod])
            if not turn.parallel:
                return False
        return True

    async def _update(self, turn: _Turn) -> None:
        """Replace pods of other templates from the highest ordinal down, at most maxUnavailable at a time."""
        if turn.strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        rolling = turn.strategy.get("rollingUpdate") or {}
        allowed = max(1, resolve(rolling.get("maxUnavailable") or 1, len(turn.wanted), up=False))
        for ordinal in reversed(turn.wanted):
            if ordinal < turn.start + turn.partition:
                return
            pod = turn.pods.get(ordinal)
            if pod is None:
                allowed -= 1
            elif pod.item.labels.get(REVISION_LABEL) != turn.update.name and not pod.item.deleting:
                await self.pods.delete(turn.item, [pod])
                allowed -= 1
            elif pod.item.deleting or not self._available(turn, pod):
                allowed -= 1
            if allowed <= 0:
                return

    async def _create(self, turn: _Turn, ordinal: int) -> None:
        revision = turn.revision_for(ordinal)
        name = f"{turn.item.meta.name}-{ordinal}"
        pod = pod_from_template(revision.template, turn.item, name=name)
        labels = dict(pod["metadata"].get("labels") or {})
        pod["metadata"]["labels"] = labels | {
            REVISION_LABEL: revision.name,
            POD_NAME: name,
            POD_INDEX: str(ordinal),
        }
        spec = pod["spec"]
        spec["hostname"] = name
        spec["subdomain"] = turn.spec.get("serviceName", "")
        for template in turn.spec.get("volumeClaimTemplates") or []:
            await self._claim_volume(turn, template, name, spec)
        if ordinal not in turn.pods:
            try:
                await self.pods.create(turn.item, [pod])
            except AlreadyExists:
                turn.wait = 1.0  # the former pod of that name is not gone yet, or belongs to somebody else

    async def _claim_volume(self, turn: _Turn, template: Json, pod_name: str, spec: Json) -> None:
        volume = template["metadata"]["name"]
        name = f"{volume}-{pod_name}"
        labels = (turn.spec.get("selector") or {}).get("matchLabels") or {}
        volumes = [entry for entry in spec.get("volumes") or [] if entry["name"] != volume]
        spec["volumes"] = [*volumes, {"name": volume, "persistentVolumeClaim": {"claimName": name}}]
        obj: Json = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                **{part: template["metadata"][part] for part in ("annotations",) if part in template["metadata"]},
                "name": name,
                "namespace": turn.item.meta.namespace,
                "labels": {**(template["metadata"].get("labels") or {}), **labels},
            },
            "spec": template.get("spec") or {},
        }
        try:
            await self.site.client.create(PERSISTENT_VOLUME_CLAIMS, obj)
        except AlreadyExists:
            return

    def _available(self, turn: _Turn, pod: Pod) -> bool:
        if pod.ready_since is None or pod.item.deleting:
            return False
        left = turn.minimum - self.site.age_seconds(pod.ready_since)
        if left <= 0 or turn.minimum == 0:
            return True
        turn.wait = min(turn.wait or left, left)
        return False

    async def _write_status(self, turn: _Turn, old: Json) -> None:
        pods = list(turn.pods.values())
        updated = turn.pods_of(turn.update)
        status: Json = {"observedGeneration": turn.item.meta.generation, "replicas": len(pods)}
        ready = sum(pod.ready and not pod.item.deleting for pod in pods)
        available = sum(self._available(turn, pod) for pod in pods)
        wanted = len(turn.wanted)
        current = turn.current
        through = updated == len(pods) == wanted == ready and turn.strategy.get("type", "RollingUpdate") != "OnDelete"
        if through and turn.partition == 0:
            current = turn.update
        status |= counts(
            readyReplicas=ready,
            currentReplicas=turn.pods_of(current),
            updatedReplicas=updated,
            collisionCount=old.get("collisionCount"),
        )
        status["availableReplicas"] = available
        status["collisionCount"] = int(old.get("collisionCount") or 0)
        status["currentRevision"] = current.name
        status["updateRevision"] = turn.update.name
        if old.get("conditions"):
            status["conditions"] = old["conditions"]
        written = await write_status(self.site.client, STATEFUL_SETS, turn.item, status, fresh=True)
        if written is not None:
            self.own.note(written)


def _by_ordinal(owner: Item, found: list[Item]) -> Iterator[tuple[int, Pod]]:
    prefix = f"{owner.meta.name}-"
    for item in found:
        text = item.meta.name.removeprefix(prefix)
        if item.meta.name.startswith(prefix) and text.isdigit():
            yield int(text), Pod(item)


def statefulset_controller(site: Site) -> Controller[Key]:
    sets, pods, revisions = (
        site.informer(STATEFUL_SETS),
        site.informer(PODS),
        site.informer(CONTROLLER_REVISIONS),
    )
    pods.store.add_index(BY_CONTROLLER, index_by_controller)
    revisions.store.add_index(BY_CONTROLLER, index_by_controller)
    awaited = Awaited(pods)
    reconciler = StatefulSetReconciler(site, PodSet(site, site.events(COMPONENT), awaited))
    controller = Controller("sim-statefulset", reconciler, workers=2, needs=(sets, pods, revisions))

    def set_changed(change: Change) -> None:
        controller.queue.add(change.item.key)

    def pod_changed(change: Change) -> None:
        for key in owners(change, "StatefulSet"):
            controller.queue.add(key)

    sets.subscribe(set_changed)
    pods.subscribe(pod_changed)
    return controller
