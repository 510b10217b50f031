"""The official Python client, lightkube and kopf cannot tell either."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from pathlib import Path

from tests.wire.kubectl_server import embedded_server

from hansa.api.scheme import CONFIGMAPS
from hansa.apiserver.embedded import ADMIN
from hansa.app.inprocess import InProcessTransport
from hansa.kube.client import Client


async def test_the_official_python_client(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as (_, _, kubeconfig):
        await asyncio.to_thread(_official, str(kubeconfig))


def _official(kubeconfig: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kubernetes import client, config, dynamic, watch

        api = config.new_client_from_config(kubeconfig)
        core = client.CoreV1Api(api)
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a"), data={"x": "1"})
        made = core.create_namespaced_config_map("default", body)
        seen = [
            event["type"]
            for event in watch.Watch().stream(core.list_namespaced_config_map, "default", timeout_seconds=1)
        ]
        assert seen == ["ADDED", "ADDED"]
        core.patch_namespaced_config_map("a", "default", {"data": {"y": "2"}})
        assert core.read_namespaced_config_map("a", "default").data == {"x": "1", "y": "2"}
        try:
            core.replace_namespaced_config_map("a", "default", made)
            raise AssertionError("a stale replace went through")
        except client.ApiException as error:
            assert error.status == 409
        deployments = dynamic.DynamicClient(api).resources.get(api_version="apps/v1", kind="Deployment")
        assert deployments.get(namespace="default").items == []
        core.delete_namespaced_config_map("a", "default")
        api.close()


async def test_lightkube(tmp_path: Path) -> None:
    from lightkube import AsyncClient, KubeConfig
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap

    async with embedded_server(tmp_path) as (_, _, kubeconfig):
        client = AsyncClient(config=KubeConfig.from_file(kubeconfig), field_manager="tests")
        applied = await client.apply(
            ConfigMap(
                metadata=ObjectMeta(name="b", namespace="default"), data={"x": "1"}, apiVersion="v1", kind="ConfigMap"
            )
        )
        assert applied.metadata is not None and applied.metadata.uid
        names = [item.metadata.name async for item in client.list(ConfigMap, namespace="default", chunk_size=1)]  # type: ignore[union-attr]
        assert names == ["b", "kube-root-ca.crt"]
        async for kind, item in client.watch(ConfigMap, namespace="default", fields={"metadata.name": "b"}):
            assert (kind, item.data) == ("ADDED", {"x": "1"})
            break
        await client.delete(ConfigMap, "b", namespace="default")
        await client.close()


OPERATOR = """
import kopf

@kopf.on.startup()
def quiet(settings, **_):
    settings.posting.enabled = False

@kopf.on.create("", "v1", "configmaps", labels={"operated": "yes"})
def greet(body, patch, **_):
    patch.setdefault("data", {})["greeting"] = f"hello {body['data']['name']}"
"""


async def test_a_kopf_operator_of_ten_lines(tmp_path: Path) -> None:
    program = tmp_path / "operator.py"
    program.write_text(OPERATOR)
    async with embedded_server(tmp_path) as (embedded, _, kubeconfig):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kopf", "run", "--namespace=default", "--standalone", str(program)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)},
        )
        try:
            hub = Client(InProcessTransport("test", embedded, user=ADMIN), qps=0)
            meta = {"name": "guest", "namespace": "default", "labels": {"operated": "yes"}}
            await hub.create(
                CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"name": "world"}}
            )
            async with asyncio.timeout(60):
                while "greeting" not in (found := (await hub.get(CONFIGMAPS, "guest", "default")).json()["data"]):
                    await asyncio.sleep(0.2)
            assert found == {"name": "world", "greeting": "hello world"}
        finally:
            process.terminate()
            output, _ = await process.communicate()
            print(output.decode())
