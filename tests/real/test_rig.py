"""The rig itself: real processes start, keep what they were told, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hansa.rig.binaries import KUBERNETES_VERSION, Binaries, MissingBinaries, find_binaries
from hansa.rig.cluster import API_ONLY, RealCluster
from hansa.rig.federation import RealFederation


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    try:
        return find_binaries()
    except MissingBinaries as error:
        pytest.fail(str(error))


async def kubectl(cluster: RealCluster, *arguments: str, stdin: str = "") -> str:
    """Run the real kubectl as the cluster's administrator; raises on failure."""
    config = cluster.directory / "kubectl.kubeconfig"
    config.write_text(json.dumps(cluster.kubeconfig()))
    process = await asyncio.create_subprocess_exec(
        str(find_binaries().kubectl),
        f"--kubeconfig={config}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(cluster.directory)},
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode == 0, err.decode()
    return out.decode()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_an_api_server_alone_keeps_objects_over_crash_and_restart(tmp_path: Path, binaries: Binaries) -> None:
    cluster = RealCluster("alone", tmp_path / "alone", binaries, role=API_ONLY)
    await cluster.start()
    try:
        assert set(cluster.pids) == {"etcd", "kube-apiserver"}
        version = json.loads(await kubectl(cluster, "version", "-o", "json"))
        assert version["serverVersion"]["gitVersion"] == KUBERNETES_VERSION
        assert await kubectl(cluster, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}") == "system:admin"
        await kubectl(cluster, "create", "configmap", "kept", "--from-literal=a=1")

        await cluster.restart_api_server(crash=True)
        assert await kubectl(cluster, "get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "1"

        server, pids = cluster.server, cluster.pids
        await cluster.stop()
        assert not any(alive(pid) for pid in pids.values())
        again = RealCluster("alone", tmp_path / "alone", binaries, role=API_ONLY)
        cluster = again
        await again.start()
        assert again.server == server
        assert await kubectl(again, "get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "1"
    finally:
        await cluster.stop()


async def test_a_hub_makes_no_pods_and_a_member_does(tmp_path: Path, binaries: Binaries) -> None:
    async with RealFederation(tmp_path, ["member1"], binaries=binaries, durable=False) as federation:
        assert [context["name"] for context in federation.kubeconfig()["contexts"]] == ["hub", "member1"]
        for cluster in federation.clusters:
            await kubectl(cluster, "create", "deployment", "web", "--image=nginx", "--replicas=2")
        member, hub = federation.members["member1"], federation.hub
        for _ in range(100):
            if len((await kubectl(member, "get", "pods", "-o", "name")).split()) == 2:
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("the member's controllers made no pods")
        assert await kubectl(hub, "get", "replicasets,pods", "-o", "name") == ""
        # a hub has namespaces deleted and ServiceAccounts made, though
        await kubectl(hub, "create", "namespace", "short")
        for _ in range(100):
            if "default" in await kubectl(hub, "get", "serviceaccounts", "-n", "short", "-o", "name"):
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("the hub made no ServiceAccount")
        await kubectl(hub, "delete", "namespace", "short", "--timeout=20s")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends processes with their parent")
async def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path, binaries: Binaries) -> None:
    program = textwrap.dedent("""
        import asyncio, json, sys
        from pathlib import Path
        from hansa.rig.cluster import API_ONLY, RealCluster

        async def main():
            cluster = RealCluster("orphan", Path(sys.argv[1]), role=API_ONLY)
            await cluster.start()
            print(json.dumps(cluster.pids), flush=True)
            await asyncio.sleep(3600)

        asyncio.run(main())
    """)
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"KUBE_BIN": str(binaries.directory)},
    )
    try:
        assert parent.stdout is not None
        pids = json.loads(await asyncio.to_thread(parent.stdout.readline))
        assert all(alive(pid) for pid in pids.values())
    finally:
        parent.kill()
        parent.communicate()
    for _ in range(100):
        if not any(alive(pid) for pid in pids.values()):
            return
        await asyncio.sleep(0.05)
    pytest.fail("processes outlived their parent")
