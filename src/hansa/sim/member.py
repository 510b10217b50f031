"""A whole member: its nodes, its kubelets and, where no real ones run, its scheduler and controllers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from hansa.api.meta import Key
from hansa.api.scheme import PODS
from hansa.base.clock import Clock
from hansa.base.names import fnv1a32
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.clock import SystemClock
from hansa.runtime.controller import Controller
from hansa.runtime.recorder import Recorder
from hansa.sim.controllers.daemonset import daemonset_controller
from hansa.sim.controllers.deployment import deployment_controller
from hansa.sim.controllers.endpoints import endpoints_controller
from hansa.sim.controllers.job import job_controller
from hansa.sim.controllers.replicaset import replicaset_controller
from hansa.sim.controllers.statefulset import statefulset_controller
from hansa.sim.eviction import eviction_controller
from hansa.sim.kubelet import kubelet_controller
from hansa.sim.nodes import Nodes, plan_nodes
from hansa.sim.placement import scheduler_controller
from hansa.sim.pod import Pod
from hansa.sim.site import Events, Site, Timing

CONTROLLERS: tuple[Callable[[Site], Controller[Key]], ...] = (
    scheduler_controller,
    eviction_controller,
    deployment_controller,
    replicaset_controller,
    statefulset_controller,
    daemonset_controller,
    job_controller,
    endpoints_controller,
)


class SimulatedMember:
    """Acts in the cluster that `client` reaches, which must be allowed everything.

    `controllers=False` leaves scheduling and workloads to the real ones beside it. `zones` are shared by the nodes in
    turn. `seed` decides on random choices; the name is the default, so a run can be repeated. `loopback`: a range of
    127.0.0.0/8 for its pods, on which containers of image hansa/echo then answer; its first quarter is left free.
    """

    def __init__(
        self,
        name: str,
        client: Client,
        *,
        clock: Clock | None = None,
        events: Callable[[str], Events] | None = None,
        region: str = "",
        zones: Sequence[str] = (),
        nodes: int = 2,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        controllers: bool = True,
        speed: float = 1.0,
        timing: Timing | None = None,
        seed: int | None = None,
        loopback: str | None = None,
    ) -> None:
        self.name = name
        self._cache = Cache(client)
        clock = clock or SystemClock()
        self._recorders: list[Recorder] = []

        def record(component: str) -> Recorder:
            recorder = Recorder(client, component, clock=clock)
            self._recorders.append(recorder)
            return recorder

        chance = random.Random(fnv1a32(name) if seed is None else seed)
        self._site = Site(
            name, client, self._cache, clock, chance.random, events or record, (timing or Timing()).at(speed)
        )
        self.nodes = Nodes(
            self._site,
            plan_nodes(name, nodes, region=region, zones=zones, capacity=capacity, labels=labels, pods=loopback),
        )
        self._kubelet, controller = kubelet_controller(self._site, self.nodes, sockets=loopback is not None)
        self._pods = controller.queue
        self._controllers = [controller]
        if controllers:
            self._controllers += [make(self._site) for make in CONTROLLERS]

    async def run(self) -> None:
        """Until cancelled. The client stays open."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.nodes.run(), name=f"{self.name} nodes")
                for controller in self._controllers:
                    group.create_task(controller.run(), name=f"{self.name} {controller.name}")
        finally:
            self._kubelet.close()
            for recorder in self._recorders:
                await recorder.close(0.0)
            for resource in self._cache.resources():
                await self._cache.stop(resource)

    def lose_node(self, node: str) -> None:
        """A node falls silent: no heartbeats, its pods neither change nor end nor answer. Raises KeyError."""
        self.nodes.lose(node)
        for key in self._pods_of(node):
            self._kubelet.hush(key)

    def find_node(self, node: str) -> None:
        """The node speaks again, and catches up with its pods."""
        self.nodes.find(node)
        for key in self._pods_of(node):
            self._pods.add(key)

    def _pods_of(self, node: str) -> list[Key]:
        return [item.key for item in self._site.store(PODS) if Pod(item).node == node]
