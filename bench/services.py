"""`python -m bench.services`: exports over many clusters, one JSON line.

The members' API servers (embedded, without TLS) run in a process of their own and are filled before they serve; the
control plane that is measured runs in this one, and reaches them over HTTP. Every namespace exists in `--spread`
clusters, each of which exports its share of the namespace's services to the others; all are on one network. `hansa dns`
runs beside a few of the clusters, and a client asks it for the names of what is exported while it is timed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import statistics
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from bench.names import Asker, beside
from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.apiserver.embedded import ADMIN, Embedded, Keys, start_embedded
from hansa.apiserver.http import Running, serve
from hansa.apiserver.message import Request, Response
from hansa.app.control_plane import ControlPlane, Settings
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client, WatchEvent
from hansa.kube.config import ClusterConfig
from hansa.kube.http import HttpTransport
from hansa.runtime.clock import SystemClock
from hansa.service.definitions import definition_of

SERVICES_PER_NAMESPACE = 10
ENDPOINTS = 4
PAUSE_SECONDS = 0.2
DEADLINE_SECONDS = 1800.0


class Open:
    """Whoever comes is the administrator."""

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded

    async def handle(self, request: Request) -> Response:
        return await self._embedded.handle(dataclasses.replace(request, user=ADMIN))

    def close_watches(self) -> None:
        self._embedded.close_watches()


@dataclasses.dataclass(frozen=True)
class Load:
    """What there is. Namespace n is in the clusters n, n+1, …, and cluster n + s of them exports its service s."""

    clusters: int
    exports: int
    spread: int

    @property
    def namespaces(self) -> int:
        return -(-self.exports // SERVICES_PER_NAMESPACE)

    def members(self, namespace: int) -> list[int]:
        return [(namespace + step) % self.clusters for step in range(self.spread)]

    def of_cluster(self, cluster: int) -> list[Json]:
        """Definitions, namespaces, Services, their slices and exports."""
        found = [definition_of(resource) for resource in (scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS)]
        for namespace in range(self.namespaces):
            members = self.members(namespace)
            if cluster not in members:
                continue
            name = f"space-{namespace}"
            found.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            for number in range(SERVICES_PER_NAMESPACE):
                if members[number % len(members)] == cluster:
                    found += exported(name, f"service-{number}", cluster)
        return found


def exported(namespace: str, name: str, cluster: int) -> list[Json]:
    meta: Json = {"name": name, "namespace": namespace}
    spec: Json = {"ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "grpc", "port": 90}]}
    endpoints = [
        {"addresses": [f"10.{cluster}.{number}.1"], "conditions": {"ready": True}, "nodeName": f"node-{number}"}
        for number in range(ENDPOINTS)
    ]
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "grpc", "port": 90, "protocol": "TCP"}]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "name": f"{name}-1", "labels": {names.SERVICE_LABEL: name}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        },
        {"apiVersion": scheme.SERVICE_EXPORTS.api_version, "kind": "ServiceExport", "metadata": meta},
    ]


async def run_servers(load: Load) -> None:
    """Serve hub and members until stdin closes; their ports go to stdout, the hub's first."""
    clock = SystemClock()
    keys = Keys.fresh("bench", clock)
    running: list[Running] = []
    for number in range(-1, load.clusters):
        crds = all_crds() if number < 0 else []
        embedded = await start_embedded(
            f"member{number}" if number >= 0 else "hub", clock=clock, extra_crds=crds, keys=keys
        )
        client = Client(InProcessTransport("bench", embedded, user=ADMIN), qps=0)
        await _fill(client, load.of_cluster(number) if number >= 0 else _hub_namespaces())
        running.append(await serve(Open(embedded)))
    print(json.dumps([server.port for server in running]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


def _hub_namespaces() -> list[Json]:
    wanted = (names.CLUSTER_NAMESPACE, names.HANSA_NAMESPACE, names.KUBEFED_NAMESPACE)
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in wanted]


async def _fill(client: Client, objects: list[Json]) -> None:
    resources = {
        resource.kind: resource
        for resource in (
            *(scheme.CRDS, scheme.NAMESPACES, scheme.SERVICES),
            *(scheme.ENDPOINT_SLICES, scheme.SERVICE_EXPORTS, scheme.SECRETS, scheme.CLUSTERS),
        )
    }
    for document in objects:
        await client.create(resources[document["kind"]], document)


@asynccontextmanager
async def servers(load: Load) -> AsyncGenerator[dict[str, Client], None]:
    """Clients by name, of servers in a process of their own."""
    command = [sys.executable, "-m", "bench.services", "--serve", *_options(load)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None and process.stdin is not None
    try:
        ports: list[int] = json.loads(await process.stdout.readline())
        yield {("hub" if n == 0 else f"member{n - 1}"): reach(port) for n, port in enumerate(ports)}
    finally:
        process.stdin.close()
        await process.wait()


def reach(port: int) -> Client:
    return Client(HttpTransport(ClusterConfig(f"http://127.0.0.1:{port}")), qps=0)


def _options(load: Load) -> list[str]:
    return [f"--clusters={load.clusters}", f"--exports={load.exports}", f"--spread={load.spread}"]


class Sample(NamedTuple):
    """Seconds from an export until its first slice is in another cluster, and until its name is answered there."""

    imported: float
    answered: float


async def measure(load: Load, samples: int, name_servers: int) -> dict[str, Any]:
    async with servers(load) as clients, AsyncExitStack() as stack:
        hub = clients["hub"]
        addresses = {name: client.transport for name, client in clients.items()}

        def connect(cluster: Cluster, secret: Mapping[str, bytes]) -> Client:
            return Client(addresses[cluster.metadata.name], qps=0)

        plane = ControlPlane(Client(hub.transport, qps=0), SystemClock(), connect, Settings())
        async with plane.running():
            begun, cpu_before = time.perf_counter(), time.process_time()
            await _fill(hub, [document for number in range(load.clusters) for document in _joined(number)])
            at_rest = _rss_mib()
            await _imported(load, clients)
            seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu_before
            await asyncio.sleep(5)
            loaded = _rss_mib()
            askers = {
                f"member{number}": await stack.enter_async_context(beside(clients[f"member{number}"].server))
                for number in range(load.spread - 1, load.spread - 1 + name_servers)
            }
            taken = [await _one(load, clients, askers, number) for number in range(samples)]
        return {
            "case": "services",
            **dataclasses.asdict(load),
            "imports": load.namespaces * SERVICES_PER_NAMESPACE * load.spread,
            "seconds_all_imported": round(seconds, 1),
            "cpu_seconds_all_imported": round(cpu, 1),
            "rss_mib_before": round(at_rest, 1),
            "rss_mib": round(loaded, 1),
            "name_servers": name_servers,
            **_percentiles("export_to_import", [sample.imported for sample in taken]),
            **_percentiles("export_to_answer", [sample.answered for sample in taken]),
        }


def _percentiles(what: str, seconds: list[float]) -> dict[str, float]:
    return {
        f"{what}_p50_seconds": round(statistics.median(seconds), 3),
        f"{what}_p99_seconds": round(statistics.quantiles(seconds, n=100)[98], 3),
    }


def _joined(number: int) -> list[Json]:
    name = f"member{number}"
    secret: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": names.CLUSTER_NAMESPACE},
        "stringData": {"token": "bench"},
    }
    cluster: Json = {
        "apiVersion": scheme.CLUSTERS.api_version,
        "kind": "Cluster",
        "metadata": {"name": name, "annotations": {names.NETWORK_ANNOTATION: "flat"}},
        "spec": {
            "syncMode": "Push",
            "apiEndpoint": f"http://{name}",
            "secretRef": {"namespace": names.CLUSTER_NAMESPACE, "name": name},
        },
    }
    return [secret, cluster]


async def _imported(load: Load, clients: Mapping[str, Client]) -> None:
    """Until every import has its addresses and endpoints."""
    wanted = [
        sum(number in load.members(namespace) for namespace in range(load.namespaces)) * SERVICES_PER_NAMESPACE
        for number in range(load.clusters)
    ]
    deadline = time.monotonic() + DEADLINE_SECONDS
    for number, count in enumerate(wanted):
        client = clients[f"member{number}"]
        while True:
            slices = await client.list(scheme.ENDPOINT_SLICES, labels=names.IMPORT_NAME_LABEL)
            imports = [item for item in (await client.list(scheme.SERVICE_IMPORTS)).items if b'"ips"' in item.raw]
            if len(slices.items) == len(imports) == count:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"member{number} has {len(imports)} imports of {count}")
            await asyncio.sleep(1.0)


async def _one(load: Load, clients: Mapping[str, Client], askers: Mapping[str, Asker], number: int) -> Sample:
    """From the first cluster of a namespace to its last one, which has a name server, when nothing else happens."""
    spaces = [space for space in range(load.namespaces) if f"member{load.members(space)[-1]}" in askers]
    space = spaces[number % len(spaces)]
    first, *_, last = (f"member{each}" for each in load.members(space))
    namespace, name = f"space-{space}", f"late-{number}"
    *before, export = exported(namespace, name, load.members(space)[0])
    await _fill(clients[first], before)
    client = clients[last]
    label = f"{names.IMPORT_NAME_LABEL}={name}"
    version = (await client.list(scheme.ENDPOINT_SLICES, labels=label)).resource_version
    async with client.watch(scheme.ENDPOINT_SLICES, labels=label, resource_version=version) as events:
        await asyncio.sleep(PAUSE_SECONDS)
        begun = time.perf_counter()
        await _fill(clients[first], [export])
        answer = asyncio.create_task(_answer(askers[last], f"{name}.{namespace}.svc.{names.CLUSTERSET}"))
        imported = await _added(events)
        addresses, answered = await answer
    made = (await client.get(scheme.SERVICE_IMPORTS, name, namespace)).json()
    if addresses != made["spec"].get("ips"):
        raise RuntimeError(f"{name} is answered with {addresses}: {made}")
    return Sample(imported - begun, answered - begun)


async def _added(events: AsyncIterator[WatchEvent]) -> float:
    async for event in events:
        if event.type == "ADDED":
            break
    return time.perf_counter()


async def _answer(asker: Asker, name: str) -> tuple[list[str], float]:
    return await asker.addresses(name), time.perf_counter()


def _rss_mib() -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@click.command()
@click.option("--clusters", default=100, show_default=True)
@click.option("--exports", default=5000, show_default=True)
@click.option("--spread", default=3, show_default=True, help="Clusters that have a namespace.")
@click.option("--samples", default=200, show_default=True, help="Exports, one after the other, whose way is timed.")
@click.option("--name-servers", default=5, show_default=True, help="Clusters that are asked for names.")
@click.option("--serve", "only_serve", is_flag=True, hidden=True)
def main(clusters: int, exports: int, spread: int, samples: int, name_servers: int, only_serve: bool) -> None:
    """Export many services from many clusters, and time single exports among them."""
    load = Load(clusters, exports, spread)
    if only_serve:
        asyncio.run(run_servers(load))
    else:
        print(json.dumps(asyncio.run(measure(load, samples, name_servers))), flush=True)


if __name__ == "__main__":
    main()
