"""A federation on real Kubernetes whose pods exchange packets: simulated kubelets decide, namespaces run."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import yaml
from tests.support.lab.net import Net, a_net
from tests.support.lab.node import Node
from tests.support.lab.programs import Programs, run
from tests.support.lab.sandbox import Sandboxes, sandboxes

from hansa.api import scheme
from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.http import HttpTransport


@dataclass
class Wired:
    """`kubeconfig` has contexts for the hub and each member."""

    kubeconfig: Path
    net: Net
    nodes: Mapping[str, Node]
    sandboxes: Mapping[str, Sandboxes]

    @asynccontextmanager
    async def one_network(self) -> AsyncGenerator[None, None]:
        """Pods of all members reach each other as long as this lasts."""
        for first, second in permutations(self.nodes.values(), 2):
            await first.reaches_pods(second)
        try:
            yield
        finally:
            for first, second in permutations(self.nodes.values(), 2):
                await first.reaches_pods(second, False)


@asynccontextmanager
async def wired(directory: Path, members: Sequence[str], programs: Programs) -> AsyncGenerator[Wired, None]:
    """`hansa up --real`, and for each member a node with all that runs on it."""
    async with AsyncExitStack() as stack:
        await hansa("up", "--real", "--detach", "--member-names", ",".join(members), "--dir", directory)
        stack.push_async_callback(hansa, "down", "--dir", directory)
        kubeconfig = directory / "kubeconfig"
        net = stack.enter_context(a_net(members))
        nodes: dict[str, Node] = {}
        pods: dict[str, Sandboxes] = {}
        for name in members:
            folder = directory / "nodes" / name
            folder.mkdir(parents=True)
            client = Client(HttpTransport(config.load(kubeconfig, name)), qps=0)
            stack.push_async_callback(client.close)
            await hansa("enrol", name, "--kubeconfig", kubeconfig, "--context", "hub", "-o", folder / "hub.kubeconfig")
            ranges = [item.json()["spec"]["podCIDR"] for item in (await client.list(scheme.NODES)).items]
            access = current(kubeconfig, name, folder / "kubeconfig")
            node = Node(net, name, folder, access, folder / "hub.kubeconfig", ranges, programs)
            stack.push_async_callback(node.stop)
            await node.start()
            nodes[name] = node
            pods[name] = await stack.enter_async_context(sandboxes(net, name, client, folder / "log"))
        yield Wired(kubeconfig, net, nodes, pods)


def current(kubeconfig: Path, context: str, file: Path) -> Path:
    """The same in another file, with this context as the current one."""
    file.write_text(yaml.safe_dump({**yaml.safe_load(kubeconfig.read_text()), "current-context": context}))
    file.chmod(0o600)
    return file


async def hansa(*arguments: object) -> None:
    """One command, to its end. Raises RuntimeError with what it says."""
    await run(sys.executable, "-m", "hansa.cli", *arguments)
