"""The table of pods: `Status` sums up phase, containers and deletion as `kubectl get pods` shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from hansa.api.meta import Json
from hansa.apiserver.builtin.cells import NONE, since
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, timed


class Summary(NamedTuple):
    """What the cells say. `last_restart` is a timestamp, or empty."""

    ready: int
    total: int
    reason: str
    restarts: int
    last_restart: str


def summary(pod: Json) -> Summary:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    phase = status.get("phase", "")
    reason = status.get("reason") or phase
    conditions = status.get("conditions") or []
    if any(c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated" for c in conditions):
        reason = "SchedulingGated"
    sidecars = {c.get("name") for c in spec.get("initContainers", ()) if c.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or ()) + len(sidecars)
    initial = _initialization(status, sidecars, len(spec.get("initContainers", ())), reason)
    ready, restarts, last, reason = initial.ready, initial.restarts, initial.last, initial.reason
    initialized = any(c.get("type") == "Initialized" and c.get("status") == "True" for c in conditions)
    if not initial.going_on or initialized:
        restarts, last = initial.sidecar_restarts, initial.sidecar_last
        main = _main_containers(status, reason, conditions)
        ready += main.ready
        restarts += main.restarts
        last, reason = max(last, main.last), main.reason
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif phase not in ("Failed", "Succeeded"):
            reason = "Terminating"
    return Summary(ready, total, reason, restarts, last)


class _Initialization(NamedTuple):
    ready: int
    restarts: int
    last: str
    sidecar_restarts: int
    sidecar_last: str
    reason: str
    going_on: bool


def _initialization(status: Json, sidecars: set[Any], count: int, reason: str) -> _Initialization:
    ready = restarts = sidecar_restarts = 0
    last = sidecar_last = ""
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        sidecar = container.get("name") in sidecars
        restarts += container.get("restartCount", 0)
        finished = _finished(container)
        last = max(last, finished)
        if sidecar:
            sidecar_restarts += container.get("restartCount", 0)
            sidecar_last = max(sidecar_last, finished)
        state: Json = container.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode", 0) == 0:
            continue
        if sidecar and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        waiting = (state.get("waiting") or {}).get("reason", "")
        if ended is not None:
            reason = f"Init:{_ended(ended)}"
        elif waiting and waiting != "PodInitializing":
            reason = f"Init:{waiting}"
        else:
            reason = f"Init:{index}/{count}"
        return _Initialization(ready, restarts, last, sidecar_restarts, sidecar_last, reason, True)
    return _Initialization(ready, restarts, last, sidecar_restarts, sidecar_last, reason, False)


class _Main(NamedTuple):
    ready: int
    restarts: int
    last: str
    reason: str


def _main_containers(status: Json, reason: str, conditions: list[Json]) -> _Main:
    ready = restarts = 0
    last = failed = ""
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        restarts += container.get("restartCount", 0)
        last = max(last, _finished(container))
        state: Json = container.get("state") or {}
        waiting = (state.get("waiting") or {}).get("reason", "")
        ended = state.get("terminated")
        if waiting:
            reason = waiting
        elif ended is not None:
            reason = _ended(ended)
            if ended.get("exitCode", 0) != 0:
                failed = reason
        elif container.get("ready") and state.get("running") is not None:
            running = True
            ready += 1
    if reason == "Completed":
        if running and any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions):
            reason = "Running"
        elif failed:
            reason = failed
        elif running:
            reason = "NotReady"
    return _Main(ready, restarts, last, reason)


def _ended(state: Json) -> str:
    if state.get("reason"):
        return state["reason"]
    if state.get("signal"):
        return f"Signal:{state['signal']}"
    return f"ExitCode:{state.get('exitCode', 0)}"


def _finished(container: Json) -> str:
    return ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""


def _ready(pod: Json) -> str:
    found = summary(pod)
    return f"{found.ready}/{found.total}"


def _restarts(pod: Json, now: datetime) -> str:
    found = summary(pod)
    if found.restarts and found.last_restart:
        return f"{found.restarts} ({since(found.last_restart, now)} ago)"
    return str(found.restarts)


def _ip(pod: Json) -> str:
    ips = (pod.get("status") or {}).get("podIPs") or []
    return (ips[0].get("ip") if ips else "") or NONE


def _gates(pod: Json) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or []
    if not gates:
        return NONE
    true = {c.get("type") for c in (pod.get("status") or {}).get("conditions") or () if c.get("status") == "True"}
    return f"{sum(gate.get('conditionType') in true for gate in gates)}/{len(gates)}"


COLUMNS = (
    NAME,
    column("Ready", _ready),
    column("Status", lambda pod: summary(pod).reason),
    timed("Restarts", _restarts),
    CREATED,
    column("IP", _ip, wide=True),
    column("Node", lambda pod: (pod.get("spec") or {}).get("nodeName") or NONE, wide=True),
    column("Nominated Node", lambda pod: (pod.get("status") or {}).get("nominatedNodeName") or NONE, wide=True),
    column("Readiness Gates", _gates, wide=True),
)
