"""The committed definitions on a real API server: all are established and structural, and they check objects."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from hansa.rig.binaries import find_binaries
from hansa.rig.cluster import API_ONLY, RealCluster

CRDS = Path(__file__).parents[2] / "deploy" / "crds"
NAMES = sorted(path.stem for path in CRDS.glob("*.yaml"))
CLUSTER = "apiVersion: cluster.karmada.io/v1alpha1\nkind: Cluster\nmetadata: {name: m1}\n"
POLICY = "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\nmetadata: {name: p, namespace: default}\n"
BINDING = "apiVersion: work.karmada.io/v1alpha2\nkind: ResourceBinding\nmetadata: {name: b, namespace: default}\n"
SELECTED = "resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]"


class Hub:
    """kubectl on a real API server that has the definitions."""

    def __init__(self, cluster: RealCluster) -> None:
        self.config = cluster.directory / "kubectl.kubeconfig"
        self.config.write_text(json.dumps(cluster.kubeconfig()))
        self.home = cluster.directory

    async def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(find_binaries().kubectl), f"--kubeconfig={self.config}", *arguments]
        return await asyncio.to_thread(
            subprocess.run,
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            env={"HOME": str(self.home)},
        )

    async def stored(self, manifest: str) -> Any:
        """The object as it is kept. Fails when it is refused."""
        done = await self.kubectl("create", "-o", "json", "-f", "-", stdin=manifest)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async def refused(self, manifest: str) -> str:
        done = await self.kubectl("create", "-f", "-", "--validate=ignore", stdin=manifest)
        assert done.returncode != 0
        return done.stderr


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    cluster = RealCluster("hub", tmp_path_factory.mktemp("hub"), find_binaries(), role=API_ONLY)
    await cluster.start()
    try:
        found = Hub(cluster)
        applied = await found.kubectl("apply", "--server-side", "-f", str(CRDS))
        assert applied.returncode == 0, applied.stderr
        waited = await found.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        assert waited.returncode == 0, waited.stderr
        yield found
    finally:
        await cluster.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_all_are_established_and_structural(hub: Hub) -> None:
    definitions = json.loads((await hub.kubectl("get", "crd", "-o", "json")).stdout)["items"]
    conditions = {
        one["metadata"]["name"]: {c["type"]: c["status"] for c in one["status"]["conditions"]} for one in definitions
    }
    assert sorted(conditions) == NAMES
    for name, found in conditions.items():
        assert found["Established"] == found["NamesAccepted"] == "True", name
        assert found.get("NonStructuralSchema", "False") == "False", name


async def test_nothing_of_a_definition_is_dropped_or_changed(hub: Hub) -> None:
    """The server keeps every word of the schemas, so each is one that it knows."""
    definitions = json.loads((await hub.kubectl("get", "crd", "-o", "json")).stdout)["items"]
    for one in definitions:
        written = yaml.safe_load((CRDS / f"{one['metadata']['name']}.yaml").read_text())
        for ours, kept in zip(written["spec"]["versions"], one["spec"]["versions"], strict=True):
            assert kept["schema"] == ours["schema"], one["metadata"]["name"]
            assert kept.get("additionalPrinterColumns") == ours.get("additionalPrinterColumns")


async def test_a_policy_gets_its_defaults(hub: Hub) -> None:
    spec = (await hub.stored(f"{POLICY}spec: {{{SELECTED}}}"))["spec"]
    assert spec.pop("resourceSelectors") == [{"apiVersion": "apps/v1", "kind": "Deployment"}]
    assert spec == {
        "conflictResolution": "Abort",
        "preemption": "Never",
        "priority": 0,
        "schedulerName": "default-scheduler",
    }


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (f"{POLICY}spec: {{resourceSelectors: []}}", "spec.resourceSelectors"),
        (f"{POLICY}spec: {{{SELECTED}, preemption: Sometimes}}", 'supported values: "Always", "Never"'),
        (f"{BINDING}spec: {{}}", "spec.resource: Required value"),
        (f"{CLUSTER}spec: {{}}", "spec.syncMode: Required value"),
        (CLUSTER, "spec: Required value"),
    ],
)
async def test_what_is_wrong_is_refused(hub: Hub, manifest: str, words: str) -> None:
    assert words in await hub.refused(manifest)


async def test_a_cluster_keeps_conditions_as_go_clients_write_them(hub: Hub) -> None:
    await hub.stored(f"{CLUSTER}spec: {{syncMode: Push, resourceModels: []}}")
    status = {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": None},
        ],
        "resourceSummary": {"allocatable": {"cpu": "1500m", "memory": 4096}},
    }
    done = await hub.kubectl(
        "patch", "clusters", "m1", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
    )
    assert done.returncode == 0, done.stderr
    shown = (await hub.kubectl("get", "clusters")).stdout.split()
    assert shown[:5] == ["NAME", "VERSION", "MODE", "READY", "AGE"]
    assert "True" in shown
