"""Deployments: one ReplicaSet for each template, rolled from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import DEPLOYMENTS, PODS, REPLICA_SETS
from hansa.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.awaited import OwnWrites
from hansa.sim.controllers import rollout
from hansa.sim.controllers.progress import deployment_status, failed_create, noted
from hansa.sim.controllers.rollout import DESIRED_REPLICAS, MAX_REPLICAS, REVISION, REVISION_HISTORY, Revision, Wanted
from hansa.sim.controllers.templates import (
    copied_annotations,
    replica_set_for,
    same_template,
    split_revisions,
    template_hash,
)
from hansa.sim.ownership import (
    BY_CONTROLLER,
    candidates,
    claim,
    controller_of,
    index_by_controller,
    owner_key,
    owners,
    selector_of,
)
from hansa.sim.pod import Pod
from hansa.sim.site import Events, Site
from hansa.sim.status import write_status

COMPONENT = "deployment-controller"


@dataclass(slots=True)
class _Turn:
    """One Deployment while it is worked on. `conditions` collects what the turn has to say."""

    item: Item
    spec: Json
    wanted: Wanted
    new: Revision | None
    old: list[Revision]
    conditions: list[Json]
    revision: str = ""
    """What the Deployment's revision annotation should say; empty when that is open."""
    rolling: bool = False
    """A rollout goes on or may, so its progress is judged; not while paused, scaled or deleted."""

    @property
    def every(self) -> list[Revision]:
        return [*self.old, self.new] if self.new is not None else list(self.old)

    def resized(self, sizes: Mapping[str, Revision]) -> None:
        self.old = [sizes.get(revision.name, revision) for revision in self.old]
        if self.new is not None:
            self.new = sizes.get(self.new.name, self.new)


@dataclass(frozen=True, slots=True)
class DeploymentReconciler:
    site: Site
    events: Events
    own: OwnWrites = field(default_factory=OwnWrites)

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.site.store(DEPLOYMENTS).get(key)
        if item is None or self.own.ahead_of(item):
            return None
        body = item.json()
        spec = body["spec"]
        selector = selector_of(spec.get("selector"))
        if not selector:
            self.events.event(item, "Warning", "SelectingAll", "This deployment is selecting all pods.")
            return None
        store = self.site.store(REPLICA_SETS)
        owned = await claim(self.site.client, REPLICA_SETS, item, selector, candidates(store, item))
        if any(self.own.ahead_of(entry) for entry in owned):
            return None
        new, old = split_revisions([Revision.of(entry) for entry in owned], spec.get("template") or {})
        turn = _Turn(item, spec, Wanted.of(spec), new, old, list((body.get("status") or {}).get("conditions") or []))
        if not item.deleting:
            await self._act(turn)
        return await self._write_status(turn)

    async def _act(self, turn: _Turn) -> None:
        turn.conditions = noted(turn.conditions, turn.spec, self.site.now())
        if turn.spec.get("paused"):
            await self._take_revision(turn)
            await self._resize(turn, rollout.scale(turn.wanted, turn.new, turn.old))
            await self._forget_history(turn)
        elif rollout.is_scaling(turn.wanted, turn.every):
            await self._take_revision(turn)
            await self._resize(turn, rollout.scale(turn.wanted, turn.new, turn.old))
        else:
            turn.rolling = True
            await (self._recreate(turn) if turn.wanted.recreate else self._roll(turn))

    async def _roll(self, turn: _Turn) -> None:
        new = await self._newest(turn)
        size = rollout.new_replicas(turn.wanted, turn.every, new.replicas)
        if size != new.replicas:
            await self._resize(turn, {new.name: size})
            return
        sizes = rollout.shrink_old(turn.wanted, new, turn.old)
        if sizes:
            await self._resize(turn, sizes)
            return
        await self._forget_history(turn)

    async def _recreate(self, turn: _Turn) -> None:
        sizes = {revision.name: 0 for revision in turn.old if revision.replicas > 0}
        if sizes:
            await self._take_revision(turn)
            await self._resize(turn, sizes)
            return
        if self._old_pods_run(turn):
            await self._take_revision(turn)
            return
        new = await self._newest(turn)
        await self._resize(turn, {new.name: turn.wanted.replicas})
        await self._forget_history(turn)

    def _old_pods_run(self, turn: _Turn) -> bool:
        store = self.site.store(PODS)
        return any(
            not Pod(pod).finished for revision in turn.old for pod in store.by(BY_CONTROLLER, revision.item.meta.uid)
        )

    # -- the new ReplicaSet ------------------------------------------------------------------------------------------

    async def _newest(self, turn: _Turn) -> Revision:
        """The ReplicaSet of the present template, created if there is none."""
        if turn.new is None:
            await self._create(turn)
        else:
            turn.conditions = noted(turn.conditions, turn.spec, self.site.now(), found=turn.new.name)
        await self._take_revision(turn)
        assert turn.new is not None
        return turn.new

    async def _create(self, turn: _Turn) -> None:
        item, wanted = turn.item, turn.wanted
        status = item.json().get("status") or {}
        template = turn.spec.get("template") or {}
        hash_ = template_hash(template, int(status.get("collisionCount") or 0))
        number = max((revision.number for revision in turn.old), default=0) + 1
        replicas = rollout.new_replicas(wanted, turn.old, 0)
        obj = replica_set_for(item, turn.spec, hash_, wanted, number, replicas)
        try:
            made = await self.site.client.create(REPLICA_SETS, obj)
        except AlreadyExists:
            made = await self._meet(item, obj, template)
        except ApiError as error:
            now = self.site.now()
            turn.conditions = failed_create(turn.conditions, turn.spec, error.message, now)
            self.events.event(
                item, "Warning", "ReplicaSetCreateError", f"Failed to create new replica set: {error.message}"
            )
            await self._write_status(turn)
            raise
        turn.new = Revision.of(made)
        turn.conditions = noted(turn.conditions, turn.spec, self.site.now(), created=made.meta.name)
        if turn.new.replicas > 0:
            self.events.event(
                item, "Normal", "ScalingReplicaSet", f"Scaled up replica set {made.meta.name} from 0 to {replicas}"
            )

    async def _meet(self, item: Item, obj: Json, template: Json) -> Item:
        """The name is taken: by our own ReplicaSet that the cache does not show yet, or by another template's."""
        namespace, name = item.meta.namespace, obj["metadata"]["name"]
        found = await self.site.client.get(REPLICA_SETS, name, namespace)
        ref = controller_of(found)
        if ref is not None and ref.uid == item.meta.uid and same_template(found, template):
            return found
        status = item.json().get("status") or {}
        collisions = int(status.get("collisionCount") or 0) + 1
        await self.site.client.patch(
            DEPLOYMENTS, item.meta.name, namespace, {"status": {"collisionCount": collisions}}, subresource="status"
        )
        raise Conflict(f"ReplicaSet {name} belongs to another template")

    async def _take_revision(self, turn: _Turn) -> None:
        """Give the new ReplicaSet the highest revision, and the Deployment its number."""
        new = turn.new
        if new is None:
            return
        number = max((revision.number for revision in turn.old), default=0) + 1
        wanted = copied_annotations(turn.item)
        if new.number < number:
            wanted[REVISION] = str(number)
            if new.number:
                earlier = new.item.annotations.get(REVISION_HISTORY)
                wanted[REVISION_HISTORY] = f"{earlier},{new.number}" if earlier else str(new.number)
        else:
            number = new.number
        changes = {name: value for name, value in wanted.items() if new.item.annotations.get(name) != value}
        patch: Json = {"metadata": {"annotations": changes}} if changes else {}
        least = int(turn.spec.get("minReadySeconds") or 0)
        if int(new.item.json()["spec"].get("minReadySeconds") or 0) != least:
            patch["spec"] = {"minReadySeconds": least}
        if patch:
            turn.new = Revision.of(await self._patch(new.item, patch))
        turn.revision = str(number)

    # -- sizes -------------------------------------------------------------------------------------------------------

    async def _resize(self, turn: _Turn, sizes: Mapping[str, int]) -> None:
        """Write sizes, and with each the annotations that say for which Deployment size it was meant."""
        annotations = {DESIRED_REPLICAS: str(turn.wanted.replicas), MAX_REPLICAS: str(turn.wanted.maximum)}
        changed: dict[str, Revision] = {}
        for revision in turn.every:
            size = sizes.get(revision.name, revision.replicas)
            sized = all(revision.item.annotations.get(name) == value for name, value in annotations.items())
            if size == revision.replicas and (sized or revision.replicas == 0):
                continue
            patch: Json = {"metadata": {"annotations": annotations}}
            if size != revision.replicas:
                patch["spec"] = {"replicas": size}
            changed[revision.name] = Revision.of(await self._patch(revision.item, patch))
            if size != revision.replicas:
                way = "up" if size > revision.replicas else "down"
                self.events.event(
                    turn.item,
                    "Normal",
                    "ScalingReplicaSet",
                    f"Scaled {way} replica set {revision.name} from {revision.replicas} to {size}",
                )
        turn.resized(changed)

    async def _patch(self, item: Item, patch: Json) -> Item:
        """Refused (Conflict) when the ReplicaSet has changed since it was read."""
        patch.setdefault("metadata", {})["resourceVersion"] = item.meta.resource_version
        written = await self.site.client.patch(REPLICA_SETS, item.meta.name, item.meta.namespace, patch)
        self.own.note(written)
        return written

    async def _forget_history(self, turn: _Turn) -> None:
        """Delete old, empty ReplicaSets beyond revisionHistoryLimit, once the rollout is through."""
        limit = turn.spec.get("revisionHistoryLimit")
        new = turn.new
        through = new is not None and new.available == turn.wanted.replicas == new.actual
        if limit is None or not (through or turn.spec.get("paused")):
            return
        alive = [revision for revision in turn.old if not revision.item.deleting]
        surplus = len(alive) - int(limit)
        if surplus <= 0:
            return
        for revision in sorted(alive, key=lambda entry: (entry.number, entry.age_key))[:surplus]:
            if revision.actual or revision.replicas or not revision.observed:
                continue
            meta = revision.item.meta
            try:
                await self.site.client.delete(REPLICA_SETS, meta.name, meta.namespace, uid=meta.uid)
            except (NotFound, Conflict):
                continue

    async def _write_status(self, turn: _Turn) -> Requeue | None:
        old = turn.item.json().get("status") or {}
        status, wait = deployment_status(
            turn.item,
            turn.spec,
            turn.wanted,
            turn.new,
            turn.every,
            old,
            turn.conditions,
            self.site.clock.now(),
            rolling=turn.rolling,
        )
        annotations = {REVISION: turn.revision} if turn.revision else {}
        written = await write_status(
            self.site.client, DEPLOYMENTS, turn.item, status, fresh=True, annotations=annotations
        )
        if written is not None:
            self.own.note(written)
        return Requeue(wait) if wait is not None else None


def deployment_controller(site: Site) -> Controller[Key]:
    deployments, sets, pods = site.informer(DEPLOYMENTS), site.informer(REPLICA_SETS), site.informer(PODS)
    sets.store.add_index(BY_CONTROLLER, index_by_controller)
    pods.store.add_index(BY_CONTROLLER, index_by_controller)
    reconciler = DeploymentReconciler(site, site.events(COMPONENT))
    controller = Controller("sim-deployment", reconciler, workers=4, needs=(deployments, sets, pods))
    queue = controller.queue

    def deployment_changed(change: Change) -> None:
        queue.add(change.item.key)

    def set_changed(change: Change) -> None:
        for key in owners(change, "Deployment", deployments.store):
            queue.add(key)

    def pod_changed(change: Change) -> None:
        # only Recreate waits for pods to be gone
        ref = controller_of(change.item)
        if ref is None or ref.kind != "ReplicaSet" or not (change.new is None or change.item.deleting):
            return
        owner = sets.store.get(Key(change.item.meta.namespace, ref.name))
        key = owner_key(owner, "Deployment") if owner is not None else None
        if key is not None:
            queue.add(key)

    deployments.subscribe(deployment_changed)
    sets.subscribe(set_changed)
    pods.subscribe(pod_changed)
    return controller
