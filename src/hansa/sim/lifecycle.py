"""What happens to the containers of one pod, and the status that shows it. Pure: time is handed in.

Images tell how a container behaves: `fake/…` can never be pulled, `crash/…` ends with exit code 1 each time; all
others run, or end with 0 where the pod's restart policy says that they are meant to end. `hansa/echo`: see `echo.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hansa.api.meta import Json
from hansa.sim.site import Timing
from hansa.sim.status import condition

LONGEST_PAUSE_SECONDS = 300.0


def never_pulled(image: str) -> bool:
    return image.startswith("fake/")


def crashes(image: str) -> bool:
    return image.startswith("crash/")


@dataclass(slots=True)
class Container:
    """One container. `state` is creating, unpullable, running, ended or pausing (before a restart)."""

    name: str
    image: str
    state: str = "creating"
    since: float = 0.0
    restarts: int = 0
    exit_code: int = 0
    started_at: str = ""
    finished_at: str = ""
    answers: bool = True
    """False keeps it from being ready: its sockets are not open."""

    def advance(self, timing: Timing, policy: str, at: float, now: str) -> float:
        """Move on as far as time allows; returns when the next step is due (infinity: never)."""
        while True:
            due = self.since + self._lasts(timing, policy)
            if due > at:
                return due
            self._step(due, now)

    def _lasts(self, timing: Timing, policy: str) -> float:
        match self.state:
            case "creating":
                return timing.start_seconds
            case "running" if policy != "Always" or crashes(self.image):
                return timing.run_seconds
            case "ended" if self._restarts(policy):
                return 0.0
            case "pausing":
                return min(timing.restart_seconds * 2 ** min(self.restarts, 10), LONGEST_PAUSE_SECONDS)
            case _:
                return math.inf

    def _restarts(self, policy: str) -> bool:
        return policy == "Always" or (policy == "OnFailure" and self.exit_code != 0)

    def _step(self, due: float, now: str) -> None:
        self.since = due
        match self.state:
            case "creating":
                self.state = "unpullable" if never_pulled(self.image) else "running"
                self.started_at = now
            case "running":
                self.state, self.finished_at = "ended", now
                self.exit_code = 1 if crashes(self.image) else 0
            case "ended":
                self.state = "pausing"
            case "pausing":
                self.state, self.started_at = "running", now
                self.restarts += 1
            case _:
                raise AssertionError(self.state)

    def ready(self, timing: Timing, at: float) -> bool:
        return self.state == "running" and self.answers and at >= self.since + timing.ready_seconds

    def status(self, timing: Timing, at: float) -> Json:
        """A ContainerStatus."""
        entry: Json = {
            "name": self.name,
            "image": self.image,
            "imageID": "" if self.state in ("creating", "unpullable") else f"simulated://{self.image}",
            "restartCount": self.restarts,
            "ready": self.ready(timing, at),
            "started": self.state == "running",
            "state": self._shown(),
            "lastState": {},
        }
        if self.state not in ("creating", "unpullable"):
            entry["containerID"] = f"simulated://{self.name}-{self.restarts}"
        if self.finished_at and self.state != "ended":
            entry["lastState"] = {"terminated": self._terminated()}
        return entry

    def _shown(self) -> Json:
        match self.state:
            case "running":
                return {"running": {"startedAt": self.started_at}}
            case "ended":
                return {"terminated": self._terminated()}
            case "unpullable":
                message = (
                    f'Back-off pulling image "{self.image}": ErrImagePull: failed to pull and unpack image: '
                    f"{self.image}: not found"
                )
                return {"waiting": {"reason": "ImagePullBackOff", "message": message}}
            case "pausing":
                return {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
            case _:
                return {"waiting": {"reason": "ContainerCreating"}}

    def _terminated(self) -> Json:
        return {
            "exitCode": self.exit_code,
            "reason": "Error" if self.exit_code else "Completed",
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "containerID": f"simulated://{self.name}-{self.restarts}",
        }


@dataclass(slots=True)
class Life:
    """One pod on its node, from the moment `begun` on."""

    policy: str
    containers: list[Container]
    init: list[Container] = field(default_factory=list[Container])
    gates: tuple[str, ...] = ()

    @classmethod
    def begin(cls, pod: Json, timing: Timing, at: float) -> Life:
        """From the pod's spec; what its status shows to run already goes on."""
        spec, status = pod["spec"], pod.get("status") or {}
        known = {entry["name"]: entry for entry in status.get("containerStatuses") or []}
        return cls(
            policy=spec.get("restartPolicy", "Always"),
            containers=[_resumed(entry, known.get(entry["name"]), timing, at) for entry in spec["containers"]],
            init=[
                Container(entry["name"], entry.get("image", ""), since=at) for entry in spec.get("initContainers") or []
            ],
            gates=tuple(gate["conditionType"] for gate in spec.get("readinessGates") or []),
        )

    def advance(self, timing: Timing, at: float, now: str) -> float:
        """Returns when to look again (infinity: never)."""
        blocked = any(never_pulled(entry.image) for entry in self.init)
        dues: list[float] = []
        for entry in self.init:
            if entry.state == "creating" and at >= entry.since + timing.start_seconds:
                entry.state = "unpullable" if never_pulled(entry.image) else "ended"
                entry.started_at = entry.finished_at = now
            elif entry.state == "creating":
                dues.append(entry.since + timing.start_seconds)
        if not blocked:
            for entry in self.containers:
                dues.append(entry.advance(timing, self.policy, at, now))
                if entry.state == "running" and at < entry.since + timing.ready_seconds:
                    dues.append(entry.since + timing.ready_seconds)
        return min(dues, default=math.inf)

    @property
    def phase(self) -> str:
        states = [entry.state for entry in self.containers]
        if any(state in ("creating", "unpullable") for state in states):
            return "Pending"
        if all(state == "ended" for state in states) and self.policy != "Always":
            return "Failed" if any(entry.exit_code for entry in self.containers) else "Succeeded"
        return "Running"

    def status(self, pod: Json, timing: Timing, at: float, now: str, *, host: str, ip: str) -> Json:
        """The pod's status, from what it was and what its containers do."""
        old = pod.get("status") or {}
        phase = self.phase
        status: Json = {
            **old,
            "phase": phase,
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "startTime": old.get("startTime") or now,
            "containerStatuses": [entry.status(timing, at) for entry in self.containers],
            "observedGeneration": int(pod["metadata"].get("generation") or 1),
        }
        if self.init:
            status["initContainerStatuses"] = [
                {**entry.status(timing, at), "ready": entry.state == "ended"} for entry in self.init
            ]
        if phase != "Pending":
            status["podIP"] = ip
            status["podIPs"] = [{"ip": ip}]
        status["conditions"] = self._conditions(old.get("conditions") or [], phase, timing, at, now)
        return status

    def _conditions(self, old: list[Json], phase: str, timing: Timing, at: float, now: str) -> list[Json]:
        unready = [entry.name for entry in self.containers if not entry.ready(timing, at)]
        finished = phase in ("Succeeded", "Failed")
        gates_open = all((condition(old, gate) or {}).get("status") == "True" for gate in self.gates)
        if finished:
            why: tuple[str, str] = ("PodCompleted" if phase == "Succeeded" else "PodFailed", "")
        else:
            why = ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
        closed = ("ReadinessGatesNotReady", "the status of pod readiness gates is not True")
        initialized = all(entry.state == "ended" for entry in self.init)
        entries = [
            _condition(old, "PodReadyToStartContainers", not finished and phase == "Running", ("", ""), now),
            _condition(old, "Initialized", initialized, ("ContainersNotInitialized", ""), now),
            _condition(old, "Ready", not unready and gates_open, why if unready else closed, now),
            _condition(old, "ContainersReady", not unready, why, now),
        ]
        ours = {entry["type"] for entry in entries}
        kept = [entry for entry in old if entry["type"] not in ours]
        if condition(kept, "PodScheduled") is None:
            kept.append(_condition(old, "PodScheduled", True, ("", ""), now))
        return [*entries, *kept]


def _condition(old: list[Json], type_: str, holds: bool, why: tuple[str, str], now: str) -> Json:
    status = "True" if holds else "False"
    before = condition(old, type_)
    kept = before["lastTransitionTime"] if before is not None and before["status"] == status else now
    entry: Json = {"type": type_, "status": status, "lastProbeTime": None, "lastTransitionTime": kept}
    if not holds and why[0]:
        entry["reason"] = why[0]
        if why[1]:
            entry["message"] = why[1]
    return entry


def _resumed(spec: Json, known: Json | None, timing: Timing, at: float) -> Container:
    """A container as its status left it, for a kubelet that comes back."""
    container = Container(spec["name"], spec.get("image", ""), since=at)
    if known is None:
        return container
    container.restarts = int(known.get("restartCount", 0))
    state = known.get("state") or {}
    if "running" in state:
        container.state = "running"
        container.started_at = state["running"].get("startedAt", "")
        if known.get("ready"):
            container.since = at - timing.ready_seconds
    elif "terminated" in state:
        container.state = "ended"
        container.exit_code = int(state["terminated"].get("exitCode", 0))
        container.started_at = state["terminated"].get("startedAt", "")
        container.finished_at = state["terminated"].get("finishedAt", "")
    elif (state.get("waiting") or {}).get("reason") == "ImagePullBackOff":
        container.state = "unpullable"
    elif (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
        container.state = "pausing"
    return container
