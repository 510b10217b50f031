"""Run the pods of simulated nodes: start, report, end, and give them addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import PODS
from hansa.kube.errors import Conflict, NotFound
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.echo import Echo, echoes
from hansa.sim.lifecycle import Life, never_pulled
from hansa.sim.nodes import NodePlan, Nodes
from hansa.sim.pod import Pod
from hansa.sim.site import Events, Site
from hansa.sim.status import write_status

COMPONENT = "kubelet"
BY_NODE = "node"
LISTEN_SECONDS = 1.0
"""Between attempts to get an address that is taken."""


@dataclass(slots=True)
class _Running:
    """What a kubelet remembers of a pod."""

    uid: str
    life: Life
    ip: str
    stopping_since: float | None = None
    told: set[str] = field(default_factory=set[str])
    echoes: dict[str, Echo] = field(default_factory=dict[str, Echo])
    """Containers with sockets, by name."""

    def hush(self) -> None:
        """Close the sockets of all containers."""
        for echo in self.echoes.values():
            echo.close()


class Addresses:
    """Pod addresses of each node's range."""

    def __init__(self) -> None:
        self._taken: dict[str, set[str]] = {}

    def take(self, plan: NodePlan, wanted: str = "") -> str:
        """The wanted address if it is free, else the lowest free one."""
        taken = self._taken.setdefault(plan.name, set())
        if wanted and wanted not in taken:
            taken.add(wanted)
            return wanted
        for address in ipaddress.ip_network(plan.pod_range).hosts():
            text = str(address)
            if text not in taken:
                taken.add(text)
                return text
        raise RuntimeError(f"{plan.pod_range} of {plan.name} has no address left")

    def free(self, ip: str) -> None:
        for taken in self._taken.values():
            taken.discard(ip)


class Kubelet:
    """All nodes' kubelets in one: works on pods that are assigned to a node of ours."""

    def __init__(self, site: Site, nodes: Nodes, events: Events, *, sockets: bool) -> None:
        self._site = site
        self._sockets = sockets
        self._nodes = nodes
        self._events = events
        self._pods: dict[Key, _Running] = {}
        self._addresses = Addresses()

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self._site.store(PODS).get(key)
        running = self._pods.get(key)
        if running is not None and (item is None or item.meta.uid != running.uid):
            self._forget(key)
        if item is None:
            return None
        pod = Pod(item)
        plan = self._nodes.alive(pod.node)
        if plan is None:
            return None
        if item.deleting:
            return await self._end(key, item, pod)
        if pod.finished:
            return None
        return await self._go_on(key, item, plan)

    async def _go_on(self, key: Key, item: Item, plan: NodePlan) -> Requeue | None:
        at, now, body = asyncio.get_running_loop().time(), self._site.now(), item.json()
        running = self._pods.get(key)
        if running is None:
            running = self._begin(item, body, plan, at)
            self._pods[key] = running
        due = min(running.life.advance(self._site.timing, at, now), at + await self._listen(item, running))
        before = str((body.get("status") or {}).get("phase"))
        # nothing has happened yet: a status that says so would cost one more write for every pod
        if running.life.phase == "Pending" and due < math.inf:
            return _later(due - at)
        status = running.life.status(body, self._site.timing, at, now, host=plan.address, ip=running.ip)
        self._tell(item, body, running, before)
        try:
            await write_status(self._site.client, PODS, item, status)
        except NotFound:
            return None
        return _later(due - at) if due < math.inf else None

    def _begin(self, item: Item, body: Json, plan: NodePlan, at: float) -> _Running:
        if body["spec"].get("hostNetwork"):
            ip = plan.address
        else:
            ip = self._addresses.take(plan, (body.get("status") or {}).get("podIP", ""))
        return _Running(
            item.meta.uid,
            Life.begin(body, self._site.timing, at),
            ip,
            echoes=self._echoes(item, body, plan, ip) if self._sockets else {},
        )

    def _echoes(self, item: Item, body: Json, plan: NodePlan, ip: str) -> dict[str, Echo]:
        about: Json = {
            "cluster": self._site.name,
            "namespace": item.meta.namespace,
            "pod": item.meta.name,
            "node": plan.name,
            "ip": ip,
        }
        return {
            container["name"]: Echo(ip, _tcp_ports(container), about)
            for container in body["spec"]["containers"]
            if echoes(container.get("image", ""))
        }

    async def _listen(self, item: Item, running: _Running) -> float:
        """Open the sockets of containers that run, close those of others. Returns when to try again, in seconds."""
        again = math.inf
        for container in running.life.containers:
            echo = running.echoes.get(container.name)
            if echo is None:
                continue
            if container.state != "running":
                echo.close()
            elif not echo.open:
                try:
                    await echo.start()
                except OSError as error:
                    self._events.event(item, "Warning", "FailedToListen", f"{running.ip}: {error.strerror or error}")
                    again = LISTEN_SECONDS
            container.answers = echo.open
        return again

    def _tell(self, item: Item, body: Json, running: _Running, before: str) -> None:
        for container in (*running.life.init, *running.life.containers):
            if never_pulled(container.image):
                if container.name not in running.told:
                    running.told.add(container.name)
                    message = f'Failed to pull image "{container.image}": not found'
                    self._events.event(item, "Warning", "Failed", message)
            elif before == "Pending" and running.life.phase != "Pending":
                self._events.event(item, "Normal", "Started", "Container started")
            elif container.state == "pausing":
                message = f"Back-off restarting failed container {container.name} in pod {body['metadata']['name']}"
                self._events.event(item, "Warning", "BackOff", message)

    async def _end(self, key: Key, item: Item, pod: Pod) -> Requeue | None:
        at = asyncio.get_running_loop().time()
        grace = item.meta.deletion_grace_period_seconds
        self.hush(key)
        if grace == 0:
            return None  # ended already; somebody's finalizer holds the rest
        running = self._pods.get(key)
        if not pod.finished and running is not None:
            if running.stopping_since is None:
                running.stopping_since = at
            left = running.stopping_since + min(self._site.timing.stop_seconds, grace or 30) - at
            if left > 0:
                return _later(left)
        with suppress(NotFound, Conflict):
            await self._site.client.delete(PODS, key.name, key.namespace, uid=item.meta.uid, grace_seconds=0)
        self._forget(key)
        return None

    def hush(self, key: Key) -> None:
        """Nobody answers for a pod any more."""
        running = self._pods.get(key)
        if running is not None:
            running.hush()

    def close(self) -> None:
        """All sockets of all pods."""
        for running in self._pods.values():
            running.hush()

    def _forget(self, key: Key) -> None:
        running = self._pods.pop(key, None)
        if running is not None:
            running.hush()
            self._addresses.free(running.ip)


def _later(seconds: float) -> Requeue:
    """Not sooner than the loop can tell two moments apart, or a key that is due in a nanosecond would spin."""
    return Requeue(max(0.001, seconds))


def _tcp_ports(container: Json) -> list[int]:
    ports = container.get("ports") or []
    return [int(port["containerPort"]) for port in ports if port.get("protocol", "TCP") == "TCP"]


def index_by_node(item: Item) -> Iterable[str]:
    return (Pod(item).node,)


def kubelet_controller(site: Site, nodes: Nodes, *, sockets: bool = False) -> tuple[Kubelet, Controller[Key]]:
    """The controller also wakes the pods of a node that is found again: see `SimulatedMember.find_node`.

    `sockets`: containers of image hansa/echo answer at their pods' addresses.
    """
    pods = site.informer(PODS)
    kubelet = Kubelet(site, nodes, site.events(COMPONENT), sockets=sockets)
    controller = Controller("sim-kubelet", kubelet, workers=8, needs=(pods,))

    def changed(change: Change) -> None:
        if change.new is None or nodes.alive(Pod(change.new).node) is not None:
            controller.queue.add(change.item.key)

    pods.subscribe(changed)
    return kubelet, controller
