"""The table of questions, asked of CoreDNS on the same objects: where the two differ, the table says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.lab.programs import find_coredns
from tests.wire.dig import ask, dig, needs_dig
from tests.wire.dns_cases import CASES, IMPORTS, SLICES, Answer, service
from tests.wire.kubectl_server import embedded_server

from hansa.api.crd import all_crds
from hansa.api.scheme import CRDS, ENDPOINT_SLICES, NAMESPACES, SERVICE_IMPORTS
from hansa.apiserver.embedded import ADMIN
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client
from hansa.rig.ports import free_ports

COREDNS = find_coredns()
pytestmark = [needs_dig, pytest.mark.skipif(COREDNS is None, reason="CoreDNS is not built: `make coredns`")]
COREFILE = """
clusterset.local:{port} {{
    bind 127.0.0.1
    kubernetes clusterset.local {{
        kubeconfig {kubeconfig}
        multicluster clusterset.local
    }}
}}
"""


@asynccontextmanager
async def coredns(kubeconfig: Path, folder: Path) -> AsyncGenerator[int, None]:
    assert COREDNS is not None
    (port,) = free_ports(1)
    (folder / "Corefile").write_text(COREFILE.format(port=port, kubeconfig=kubeconfig))
    with (folder / "coredns.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(COREDNS, "-conf", folder / "Corefile", stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()


async def test_coredns_gives_the_same_answers_but_for_known_differences(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as (embedded, _, kubeconfig):
        client = Client(InProcessTransport("test", embedded, user=ADMIN), qps=0)
        await client.create(
            CRDS, next(crd for crd in all_crds() if crd["metadata"]["name"] == "serviceimports.multicluster.x-k8s.io")
        )
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for found in IMPORTS:
            await client.create(SERVICE_IMPORTS, found)
        for found in SLICES:
            await client.create(ENDPOINT_SLICES, found)
        async with coredns(kubeconfig, tmp_path) as port:
            async with asyncio.timeout(60):
                while "10.96.0.10" not in await dig("127.0.0.1", port, service("web")):
                    await asyncio.sleep(0.2)
            got: dict[str, Answer] = {}
            for case in CASES:
                got[case.title] = await ask(case, "127.0.0.1", port)
        assert got == {case.title: case.coredns or case.answer for case in CASES}
