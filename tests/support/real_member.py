"""One more member of a real federation, for as long as a test needs it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from hansa.app.real import in_background
from hansa.install.join import JoinRequest, join
from hansa.install.unjoin import unjoin
from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.http import HttpTransport
from hansa.rig.cluster import RealCluster
from hansa.sim.member import SimulatedMember


@asynccontextmanager
async def joined(
    hub: Client, name: str, directory: Path, *, service_range: str, labels: Mapping[str, str]
) -> AsyncGenerator[Client, None]:
    """Started, acted out and joined; it leaves and stops at the end. `directory`: for what it keeps."""
    cluster = RealCluster(name, directory / name, durable=False, service_range=service_range)
    async with AsyncExitStack() as stack:
        await cluster.start()
        stack.push_async_callback(cluster.stop)
        kubeconfig = directory / f"{name}.kubeconfig"
        kubeconfig.write_text(json.dumps(cluster.kubeconfig()))
        reached = config.load(kubeconfig, name)
        client = Client(HttpTransport(reached), qps=0, field_manager="scenario")
        stack.push_async_callback(client.close)
        acted = SimulatedMember(name, client, nodes=1, controllers=False)
        await stack.enter_async_context(in_background(acted.run(), name))
        request = JoinRequest(name, reached.server, labels=dict(labels), ca_data=reached.ca_data or b"")
        await join(hub, client, request, lambda _: None)
        stack.push_async_callback(unjoin, hub, name, lambda _: None, member=client)
        yield client
