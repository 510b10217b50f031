"""Pods as network namespaces, for simulated kubelets: a pod that has an address gets one, and its containers run in it.

A container is a process of this machine: its `command` and `args`, with the variables that its `env` names.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.support.lab.net import RESOLVERS, Net
from tests.support.lab.programs import ip

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import PODS
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.controller import Controller
from hansa.runtime.informer import Change
from hansa.runtime.process import Process
from hansa.runtime.store import Store

NEXT_HOP = "169.254.1.1"
"""The node, as every pod sees it."""
LINK = "pod"
"""What names of links to pods begin with, on the node."""
EXEC_SECONDS = 4.0


@dataclass
class Sandbox:
    """One pod: a namespace with one veth to its node, which routes its address there."""

    net: Net
    cluster: str
    pod: Item
    log: Path
    number: int
    containers: list[Process] = field(default_factory=list[Process])

    @property
    def namespace(self) -> str:
        return self.net.namespace(f"{self.cluster}-{self.number}")

    @property
    def prefix(self) -> list[str]:
        """What a program is started with to run in the pod."""
        return self.net.within(self.namespace)

    async def start(self) -> None:
        body = self.pod.json()
        await self._connect(body["status"]["podIP"])
        self._resolve(body["spec"])
        for container in body["spec"]["containers"]:
            command = [*container.get("command", ()), *container.get("args", ())]
            if command:
                name, environment = f"{self.pod.key}/{container['name']}", variables(container, body)
                log = self.log / f"{self.namespace}-{container['name']}.log"
                self.containers.append(Process(name, [*self.prefix, *command], log, environment=environment))
                await self.containers[-1].start()

    async def stop(self) -> None:
        for container in self.containers:
            await container.kill()
        shutil.rmtree(RESOLVERS / self.namespace, ignore_errors=True)
        with suppress(RuntimeError):  # what was made in part may not be there
            await ip("netns", "del", self.namespace)

    async def run(self, command: str) -> str:
        """What a shell's command in the pod prints within EXEC_SECONDS; nothing when it fails."""
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *self.prefix, "timeout", str(EXEC_SECONDS), "sh", "-c", command, stdout=pipe, stderr=pipe
        )
        out, _ = await child.communicate()
        return out.decode() if child.returncode == 0 else ""

    async def _connect(self, address: str) -> None:
        await ip("netns", "add", self.namespace)
        link = f"{LINK}{self.number}"
        await ip(
            *("-n", self.net.namespace(self.cluster), "-batch", "-"),
            lines=(
                f"link add {link} type veth peer name eth0 netns {self.namespace}",
                f"address add {NEXT_HOP}/32 dev {link}",
                f"link set {link} up",
                f"route add {address}/32 dev {link}",
            ),
        )
        await ip(
            *("-n", self.namespace, "-batch", "-"),
            lines=(
                "link set lo up",
                f"address add {address}/32 dev eth0",
                "link set eth0 up",
                f"route add {NEXT_HOP} dev eth0 scope link",
                f"route add default via {NEXT_HOP}",
            ),
        )

    def _resolve(self, spec: Json) -> None:
        servers = spec.get("dnsConfig", {}).get("nameservers", ())
        file = RESOLVERS / self.namespace / "resolv.conf"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"nameserver {server}\n" for server in servers))


@dataclass
class Sandboxes:
    """Those of a member, as its API server tells."""

    net: Net
    cluster: str
    log: Path
    pods: Store
    made: dict[Key, Sandbox] = field(default_factory=dict[Key, Sandbox])
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def reconcile(self, key: Key) -> None:
        pod, sandbox = self.pods.get(key), self.made.get(key)
        if sandbox is not None and (pod is None or pod.deleting or pod.meta.uid != sandbox.pod.meta.uid):
            del self.made[key]
            await sandbox.stop()
        if pod is None or pod.deleting or key in self.made or not (pod.json().get("status") or {}).get("podIP"):
            return
        sandbox = Sandbox(self.net, self.cluster, pod, self.log, next(self.numbers))
        try:
            await sandbox.start()
        except BaseException:
            await sandbox.stop()
            raise
        self.made[key] = sandbox

    async def run(self, namespace: str, pod: str, command: str) -> str:
        """As `kubectl exec`. Raises KeyError where the pod has no namespace yet."""
        return await self.made[Key(namespace, pod)].run(command)


@asynccontextmanager
async def sandboxes(net: Net, cluster: str, client: Client, log: Path) -> AsyncGenerator[Sandboxes, None]:
    cache = Cache(client)
    pods = cache.informer(PODS)
    built = Sandboxes(net, cluster, log, pods.store)
    controller = Controller("lab-pods", built, needs=(pods,))

    def changed(change: Change) -> None:
        controller.queue.add(change.item.key)

    pods.subscribe(changed)
    task = asyncio.create_task(controller.run())
    try:
        yield built
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await cache.close()
        for sandbox in built.made.values():
            await sandbox.stop()


def variables(container: Json, pod: Json) -> dict[str, str]:
    """Of a container's environment: values, and the pod's own address."""
    own = {"status.podIP": pod["status"]["podIP"]}
    return {
        each["name"]: each["value"] if "value" in each else own[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in container.get("env", ())
    }
