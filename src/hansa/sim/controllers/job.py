"""Jobs: pods until enough have succeeded, or too many have failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import JOBS, PODS
from hansa.kube.errors import Conflict, NotFound
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.awaited import Awaited, OwnWrites
from hansa.sim.controllers.podset import PodSet
from hansa.sim.ownership import BY_CONTROLLER, candidates, claim, index_by_controller, owners, selector_of
from hansa.sim.pod import Pod, pod_from_template
from hansa.sim.site import Events, Site
from hansa.sim.status import condition, counts, with_condition, write_status

COMPONENT = "job-controller"
TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FIRST_BACKOFF_SECONDS = 10.0
LAST_BACKOFF_SECONDS = 600.0


@dataclass(slots=True)
class _Turn:
    """One Job while it is worked on. `succeeded`, `failed`: what has been counted, with what is counted now."""

    item: Item
    spec: Json
    old: Json
    pods: list[Pod]
    conditions: list[Json]
    succeeded: int = 0
    failed: int = 0
    indexes: set[int] = field(default_factory=set[int])
    """Completed indexes of an Indexed job."""
    counted: list[Pod] = field(default_factory=list[Pod])
    wait: float | None = None

    @property
    def active(self) -> list[Pod]:
        return [pod for pod in self.pods if pod.active]

    @property
    def completions(self) -> int | None:
        value = self.spec.get("completions")
        return None if value is None else int(value)

    @property
    def parallelism(self) -> int:
        value = self.spec.get("parallelism")
        return 1 if value is None else int(value)

    @property
    def indexed(self) -> bool:
        return self.spec.get("completionMode") == "Indexed"

    def holds(self, type_: str) -> bool:
        return (condition(self.conditions, type_) or {}).get("status") == "True"

    @property
    def finished(self) -> bool:
        return self.holds("Complete") or self.holds("Failed")


@dataclass(frozen=True, slots=True)
class JobReconciler:
    site: Site
    pods: PodSet
    events: Events
    counted: set[str] = field(default_factory=set[str])
    """Uids of pods that the status has, but that the cache still shows as not counted."""
    own: OwnWrites = field(default_factory=OwnWrites)

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.site.store(JOBS).get(key)
        if item is None or self.own.ahead_of(item):
            return None
        pending = self.pods.awaited.pending_seconds(key)
        if pending is not None:
            return Requeue(pending)
        body = item.json()
        spec, old = body["spec"], body.get("status") or {}
        if spec.get("managedBy", "kubernetes.io/job-controller") != "kubernetes.io/job-controller":
            return None
        selector = selector_of(spec.get("selector"))
        found = candidates(self.site.store(PODS), item)
        pods = [Pod(pod) for pod in await claim(self.site.client, PODS, item, selector, found)]
        turn = _Turn(item, spec, old, pods, list(old.get("conditions") or []))
        self._count(turn)
        if not turn.finished and not item.deleting:
            await self._act(turn)
        elif turn.active:
            await self.pods.delete(item, turn.active)
        await self._write_status(turn)
        self.counted.update(pod.item.meta.uid for pod in turn.counted)
        await self._release(turn)
        return Requeue(max(0.05, turn.wait)) if turn.wait is not None else None

    def _count(self, turn: _Turn) -> None:
        """A finished pod is counted once: its finalizer says that it has not been yet."""
        turn.succeeded = int(turn.old.get("succeeded") or 0)
        turn.failed = int(turn.old.get("failed") or 0)
        turn.indexes = set(_parse_indexes(turn.old.get("completedIndexes", "")))
        for pod in turn.pods:
            lost = pod.item.deleting and not pod.finished and pod.item.meta.deletion_grace_period_seconds == 0
            if TRACKING not in (pod.item.meta.finalizers or ()):
                self.counted.discard(pod.item.meta.uid)
                continue
            if pod.item.meta.uid in self.counted or not (pod.finished or lost):
                continue
            turn.counted.append(pod)
            if pod.phase != "Succeeded":
                turn.failed += 1
            elif turn.indexed:
                turn.indexes.add(int(pod.item.annotations.get(INDEX, "-1")))
            else:
                turn.succeeded += 1
        if turn.indexed:
            turn.succeeded = len(turn.indexes)

    async def _act(self, turn: _Turn) -> None:
        now = self.site.now()
        if await self._failed(turn, now) or await self._complete(turn, now):
            return
        if turn.spec.get("suspend"):
            if not turn.holds("Suspended"):
                turn.conditions = with_condition(
                    turn.conditions, "Suspended", "True", "JobSuspended", "Job suspended", now
                )
                self.events.event(turn.item, "Normal", "Suspended", "Job suspended")
            if turn.active:
                await self.pods.delete(turn.item, turn.active)
            return
        if turn.holds("Suspended"):
            turn.conditions = with_condition(turn.conditions, "Suspended", "False", "JobResumed", "Job resumed", now)
            self.events.event(turn.item, "Normal", "Resumed", "Job resumed")
        await self._fill(turn)

    async def _failed(self, turn: _Turn, now: str) -> bool:
        limit = turn.spec.get("backoffLimit")
        reason = message = ""
        # pods that restart in place count their restarts as failures
        restarts = sum(pod.restarts for pod in turn.active) if _restarts_in_place(turn.spec) else 0
        if turn.failed + restarts > (6 if limit is None else int(limit)):
            reason, message = "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = turn.spec.get("activeDeadlineSeconds")
        if deadline is not None and not turn.spec.get("suspend"):
            start = turn.old.get("startTime")
            left = int(deadline) - (self.site.age_seconds(start) if start else 0.0)
            if left <= 0:
                reason, message = "DeadlineExceeded", "Job was active longer than specified deadline"
            else:
                turn.wait = left
        if not reason:
            return False
        turn.conditions = with_condition(turn.conditions, "FailureTarget", "True", reason, message, now)
        turn.conditions = with_condition(turn.conditions, "Failed", "True", reason, message, now)
        turn.wait = None
        self.events.event(turn.item, "Warning", reason, message)
        turn.failed += len(turn.active)
        if turn.active:
            await self.pods.delete(turn.item, turn.active)
        return True

    async def _complete(self, turn: _Turn, now: str) -> bool:
        if turn.completions is not None:
            done = turn.succeeded >= turn.completions
        else:
            done = turn.succeeded > 0 and not turn.active
        if not done:
            return False
        reason, message = "CompletionsReached", "Reached expected number of succeeded pods"
        turn.conditions = with_condition(turn.conditions, "SuccessCriteriaMet", "True", reason, message, now)
        turn.conditions = with_condition(turn.conditions, "Complete", "True", reason, message, now)
        turn.wait = None
        self.events.event(turn.item, "Normal", "Completed", "Job completed")
        if turn.active:
            await self.pods.delete(turn.item, turn.active)
        return True

    async def _fill(self, turn: _Turn) -> None:
        active = turn.active
        if turn.completions is not None:
            wanted = min(turn.parallelism, turn.completions - turn.succeeded)
        elif turn.succeeded:
            wanted = len(active)  # one success ends a work queue: nothing new is started
        else:
            wanted = turn.parallelism
        if len(active) > wanted:
            await self.pods.delete(
                turn.item, sorted(active, key=lambda pod: (pod.ready, pod.name))[: len(active) - wanted]
            )
        elif len(active) < wanted:
            pause = self._pause(turn)
            if pause > 0:
                turn.wait = min(turn.wait or pause, pause)
                return
            await self.pods.create(turn.item, list(_new_pods(turn, wanted - len(active))))

    def _pause(self, turn: _Turn) -> float:
        """Seconds until a failed pod may be replaced; the pause doubles with each failure."""
        failed = [pod for pod in turn.pods if pod.phase == "Failed"]
        if not turn.failed or not failed:
            return 0.0
        seconds = min(FIRST_BACKOFF_SECONDS * 2 ** min(turn.failed - 1, 10), LAST_BACKOFF_SECONDS)
        since = max(_finished_at(pod.item) for pod in failed)
        return seconds - self.site.age_seconds(since) if since else 0.0

    async def _write_status(self, turn: _Turn) -> None:
        active = [] if turn.finished or turn.spec.get("suspend") else turn.active
        status: Json = {**turn.old}
        for name in ("active", "ready", "succeeded", "failed", "completedIndexes"):
            status.pop(name, None)
        status |= counts(active=self._active_now(turn, active), succeeded=turn.succeeded, failed=turn.failed)
        status["ready"] = sum(pod.ready for pod in active)
        status["terminating"] = sum(pod.terminating for pod in turn.pods)
        status["uncountedTerminatedPods"] = {}
        if turn.indexes:
            status["completedIndexes"] = _format_indexes(turn.indexes)
        if turn.conditions:
            status["conditions"] = turn.conditions
        if turn.spec.get("suspend"):
            status.pop("startTime", None)
        elif "startTime" not in status:
            status["startTime"] = self.site.now()
            deadline = turn.spec.get("activeDeadlineSeconds")
            if deadline is not None and not turn.finished:
                turn.wait = min(turn.wait or float(deadline), float(deadline))
        if turn.holds("Complete"):
            status.setdefault("completionTime", self.site.now())
        written = await write_status(self.site.client, JOBS, turn.item, status, fresh=True)
        if written is not None:
            self.own.note(written)

    def _active_now(self, turn: _Turn, active: Sequence[Pod]) -> int:
        """With the pods that this turn made, which the cache does not show yet."""
        created = self.pods.awaited.count(turn.item.key)
        return len(active) + (created if not turn.finished else 0)

    async def _release(self, turn: _Turn) -> None:
        """Let counted pods go, now that the status has them."""
        for pod in turn.pods:
            meta = pod.item.meta
            held = TRACKING in (meta.finalizers or ())
            if not held or not (meta.uid in self.counted or turn.item.deleting):
                continue
            kept = [name for name in meta.finalizers or () if name != TRACKING]
            patch = {"metadata": {"resourceVersion": meta.resource_version, "finalizers": kept or None}}
            try:
                await self.site.client.patch(PODS, meta.name, meta.namespace, patch)
            except (NotFound, Conflict):
                continue


def _new_pods(turn: _Turn, count: int) -> Iterable[Json]:
    free: list[int] = []
    if turn.indexed:
        taken = turn.indexes | {int(pod.item.annotations.get(INDEX, "-1")) for pod in turn.active}
        free = [index for index in range(turn.completions or 0) if index not in taken]
    for number in range(min(count, len(free)) if turn.indexed else count):
        index = free[number] if turn.indexed else None
        prefix = f"{turn.item.meta.name}-" if index is None else f"{turn.item.meta.name}-{index}-"
        pod = pod_from_template(turn.spec.get("template") or {}, turn.item, generate_name=prefix)
        metadata = pod["metadata"]
        metadata["finalizers"] = [*(metadata.get("finalizers") or []), TRACKING]
        if index is not None:
            metadata["annotations"] = {**(metadata.get("annotations") or {}), INDEX: str(index)}
            metadata["labels"] = {**(metadata.get("labels") or {}), INDEX: str(index)}
            pod["spec"]["hostname"] = f"{turn.item.meta.name}-{index}"
        yield pod


def _restarts_in_place(spec: Json) -> bool:
    return ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") == "OnFailure"


def _finished_at(item: Item) -> str:
    """When the last container ended."""
    statuses = (item.json().get("status") or {}).get("containerStatuses") or []
    times = [((entry.get("state") or {}).get("terminated") or {}).get("finishedAt") or "" for entry in statuses]
    return max(times, default="")


def _parse_indexes(text: str) -> Iterable[int]:
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _format_indexes(indexes: set[int]) -> str:
    """`0,2-4`"""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def job_controller(site: Site) -> Controller[Key]:
    jobs, pods = site.informer(JOBS), site.informer(PODS)
    pods.store.add_index(BY_CONTROLLER, index_by_controller)
    awaited = Awaited(pods)
    events = site.events(COMPONENT)
    reconciler = JobReconciler(site, PodSet(site, events, awaited), events)
    controller = Controller("sim-job", reconciler, workers=2, needs=(jobs, pods))

    def job_changed(change: Change) -> None:
        controller.queue.add(change.item.key)

    def pod_changed(change: Change) -> None:
        for key in owners(change, "Job"):
            controller.queue.add(key)

    jobs.subscribe(job_changed)
    pods.subscribe(pod_changed)
    return controller
