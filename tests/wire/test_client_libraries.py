"""The official Python client and lightkube cannot tell either."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path

from tests.wire.kubectl_server import embedded_server


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
