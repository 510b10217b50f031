"""`hansa up`: a whole federation, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.apiserver.message import UserInfo
from hansa.app.admission import plug
from hansa.app.control_plane import ControlPlane, Settings
from hansa.app.embedded import EmbeddedFederation, topology
from hansa.app.kubeconfigs import kubeconfig
from hansa.app.state import FederationSpec, StateFolder
from hansa.control.cluster.credentials import connect as connect_over_http
from hansa.dialect.kubefed import types
from hansa.install import objects
from hansa.install.init import install
from hansa.install.join import JoinRequest, join
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError, NotFound
from hansa.runtime import logs
from hansa.runtime.clock import LoopClock
from hansa.runtime.health import HealthServer

READY_SECONDS = 60.0
Say = Callable[[str], None]


async def serve(folder: StateFolder, spec: FederationSpec, say: Say) -> None:
    """Run until SIGINT or SIGTERM. Raises ConfigError when the folder is taken, or a port."""
    if not folder.acquire():
        raise ConfigError(f"{folder.directory} is in use by process {folder.owner()}")
    try:
        folder.record(spec)
        logs.configure(stream=None)
        if spec.real:
            from hansa.app import real

            await real.serve(folder, spec, say)
        else:
            await _serve_embedded(folder, spec, say)
    except ExceptionGroup as group:
        raise _expected(group) or group from None
    finally:
        folder.release()


def _expected(group: ExceptionGroup) -> ConfigError | None:
    """The only thing that went wrong, when it is one for users: task groups wrap what is raised within them."""
    found: BaseException = group
    while isinstance(found, ExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found if isinstance(found, ConfigError) else None


async def _serve_embedded(folder: StateFolder, spec: FederationSpec, say: Say) -> None:
    clock = LoopClock()
    addresses = folder.addresses(spec.members) if spec.services else {}
    federation = EmbeddedFederation(folder, spec.members, clock, addresses)
    await federation.start(say)
    try:
        hub = federation.hub.client()
        folder.write_private(folder.kubeconfig, kubeconfig([s.access for s in federation.servers.values()]))
        plug(federation.hub.embedded.context.admission)
        await install(hub, types.enablements(types.NATIVE_TYPES))
        account = UserInfo(
            objects.ACCOUNT_USER,
            ("system:serviceaccounts", f"system:serviceaccounts:{objects.ACCOUNT_NAMESPACE}"),
        )
        urls = {server.url: server for server in federation.servers.values()}

        def connect(cluster: Cluster, secret: Mapping[str, bytes]) -> Client:
            """In process for our own members, over HTTP for others that were joined."""
            server = urls.get(cluster.spec.api_endpoint)
            token = secret.get("token", b"").decode()
            return server.client_with_token(token) if server and token else connect_over_http(cluster, secret)

        plane = ControlPlane(federation.hub.client(account), clock, connect, Settings())
        async with plane.running():
            say(f"joining {len(spec.members)} members")
            await _join_all(federation, hub, spec)
            await wait_ready(hub, spec.members, plane)
            async with AsyncExitStack() as stack:
                if addresses:
                    from hansa.app.network import networks

                    say("starting name servers and gateways")
                    directory = folder.directory / "services"
                    await stack.enter_async_context(networks(federation, addresses, directory, clock))
                health = await stack.enter_async_context(health_of(folder, plane))
                announce(folder, spec, health, say)
                await stopped()
                say("stopping")
    finally:
        await federation.stop()


async def _join_all(federation: EmbeddedFederation, hub: Client, spec: FederationSpec) -> None:
    joined = {item.meta.name for item in (await hub.list(scheme.CLUSTERS)).items}

    async def one(position: int, name: str) -> None:
        region, zones = topology(position)
        server = federation.servers[name]
        request = JoinRequest(
            name,
            server.url,
            provider="simulated",
            region=region,
            zones=zones,
            ca_data=server.identity.keys.authority.certificate,
        )
        await join(hub, server.client(), request, lambda _: None)

    await asyncio.gather(*(one(i, name) for i, name in enumerate(spec.members) if name not in joined))


async def wait_ready(hub: Client, members: tuple[str, ...], plane: ControlPlane) -> None:
    """Until the caches are complete and every member is Ready. Raises ConfigError when that takes long."""
    waiting = list(members)
    for _ in range(int(READY_SECONDS / 0.05)):
        if plane.ready:
            waiting = [name for name in members if not await _is_ready(hub, name)]
            if not waiting:
                return
        await asyncio.sleep(0.05)
    raise ConfigError(f"not ready after {READY_SECONDS:g} s: {', '.join(waiting) or 'the control plane'}")


async def _is_ready(hub: Client, name: str) -> bool:
    try:
        return (await hub.get(scheme.CLUSTERS, name)).as_(Cluster).ready
    except NotFound:
        return False


@asynccontextmanager
async def health_of(folder: StateFolder, plane: ControlPlane) -> AsyncGenerator[str, None]:
    """Serve health and metrics on the folder's port for it; the URL. Raises ConfigError when the port is taken."""
    port = folder.ports(["health"])["health"]
    server = HealthServer("127.0.0.1", port, checks={"control-plane": plane.why_not_ready})
    await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


def announce(folder: StateFolder, spec: FederationSpec, health: str, say: Say) -> None:
    """Say that everything serves, and leave word of it in the folder."""
    contexts = ", ".join(spec.servers)
    services = {name: each.told for name, each in folder.addresses(spec.members).items()} if spec.services else {}
    summary = (
        f"ready: export KUBECONFIG={folder.kubeconfig}\n"
        f"contexts: {contexts}\n"
        f"try:   kubectl --context hub get clusters\n"
        + "".join(f"names of services in {name}: {each['dns']}\n" for name, each in services.items())
        + f"state: {health}/readyz, {health}/metrics\n"
        f"stop:  hansa down --dir {folder.directory}"
    )
    folder.ready({"summary": summary, "members": list(spec.members), "health": health, "services": services})
    say(summary)


async def stopped() -> None:
    """Until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
