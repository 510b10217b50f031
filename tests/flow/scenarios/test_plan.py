"""A plan then applied gives exactly what it showed: the sample of `tests/laws/test_foresight_laws.py` for every rig.

On real Kubernetes the real kubectl applies.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from tests.support import objects
from tests.support.objects import CONFIG_MAPS, DEPLOYMENTS
from tests.support.rig import RealRig, Rig

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.work import Work
from hansa.app.control_plane import Settings
from hansa.app.rehearsal import rehearsal
from hansa.base.names import cluster_of
from hansa.foresight import virtual_time
from hansa.foresight.capture import capture
from hansa.foresight.difference import placed, without_marks
from hansa.foresight.edits import Edit, carry_out
from hansa.foresight.plan import DESTRUCTIVE, Plan
from hansa.foresight.snapshot import Snapshot
from hansa.foresight.state import State
from hansa.foresight.veil import Veil
from hansa.runtime.clock import SystemClock

_THREAD = ThreadPoolExecutor(1)
KUBECTL = Path(sys.executable).with_name("kubectl")


def told(snapshot: Snapshot, edits: Sequence[Edit], namespace: str) -> tuple[Plan, State]:
    async def once() -> tuple[Plan, State]:
        async with rehearsal(snapshot, Settings()) as federation:
            await federation.carry_out(edits, namespace)
            return federation.plan(), federation.state

    return virtual_time.run(once())


async def do(rig: Rig, edit: Edit, request: pytest.FixtureRequest) -> None:
    if not isinstance(rig, RealRig):
        await carry_out(rig.hub, edit, rig.namespace)
        return
    kubeconfig: Path = request.getfixturevalue("kubeconfig")
    process = await asyncio.create_subprocess_exec(
        *(str(KUBECTL), f"--kubeconfig={kubeconfig}", "--context=hub", "--namespace", rig.namespace),
        *("delete" if edit.delete else "apply", "-f", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"HOME": str(kubeconfig.parent), "PATH": os.environ["PATH"]},
    )
    output, _ = await process.communicate(yaml.safe_dump(edit.obj).encode())
    assert process.returncode == 0, output.decode()


async def check(rig: Rig, edits: Sequence[Edit], request: pytest.FixtureRequest) -> Plan:
    """Plan, do, and wait until it is so."""
    snapshot = await capture(rig.hub, SystemClock(), Veil())
    plan, after = _THREAD.submit(told, snapshot, edits, rig.namespace).result()
    # namespaces of earlier scenarios may still be on their way out
    assert [note for note in plan.notes if rig.namespace in note] == []
    for edit in edits:
        await do(rig, edit, request)

    async def so() -> None:
        bindings = (await rig.hub.list(scheme.RESOURCE_BINDINGS, rig.namespace)).items
        ours = [item for item in after.bindings.values() if item.meta.namespace == rig.namespace]
        assert shares(bindings) == shares(ours)
        assert manifests((await rig.hub.list(scheme.WORKS)).items, rig) == manifests(after.works.values(), rig)
        for change in plan.members:
            client = rig.clients[change.cluster]
            resource = DEPLOYMENTS if change.kind == "Deployment" else CONFIG_MAPS
            there = change.name in [item.meta.name for item in (await client.list(resource, change.namespace)).items]
            assert there is (change.action not in DESTRUCTIVE), change

    await rig.eventually(so)
    return plan


def shares(bindings: Sequence[Item]) -> dict[str, dict[str, int]]:
    return {item.meta.name: placed(item) for item in bindings if not item.deleting}


def manifests(works: Iterable[Item], rig: Rig) -> dict[tuple[str | None, str], list[Json]]:
    """Of the Works with an object in the scenario's namespace, what the member is to have, without book-keeping."""
    found: dict[tuple[str | None, str], list[Json]] = {}
    for item in works:
        plain = [without_marks(manifest) for manifest in item.as_(Work).spec.workload.manifests or ()]
        if not item.deleting and any(each["metadata"].get("namespace") == rig.namespace for each in plain):
            found[cluster_of(item.meta.namespace), item.meta.name] = plain
    return found


async def test_a_plan_then_applied_gives_exactly_what_it_showed(rig: Rig, request: pytest.FixtureRequest):
    app = objects.deployment("app", rig.namespace, replicas=4)
    words = objects.config_map("words", rig.namespace)
    selects = [objects.selects(app), objects.selects(words)]

    def policy(*clusters: str, **spec: object) -> Json:
        return objects.policy("plan", rig.namespace, selects, clusters=clusters, placement=spec)

    rules = [{"targetCluster": {"clusterNames": [name]}, "weight": w} for name, w in (("member1", 1), ("member2", 3))]
    weighted = {
        "replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Weighted",
        "weightPreference": {"staticWeightList": rules},
    }
    label = [{"operator": "add", "value": {"planned": "yes"}}]
    override = objects.override_policy(
        "plan",
        rig.namespace,
        [objects.selects(app)],
        [{"targetCluster": {"clusterNames": ["member2"]}, "overriders": {"labelsOverrider": label}}],
    )
    bigger = objects.deployment("app", rig.namespace, replicas=8, image="nginx:1.27")

    made = await check(rig, [Edit(app), Edit(words), Edit(policy("member1", "member2"))], request)
    assert {(change.action, change.cluster, change.kind) for change in made.members} == {
        ("created", cluster, kind) for cluster in ("member1", "member2") for kind in ("Deployment", "ConfigMap")
    }
    divided = await check(rig, [Edit(policy("member1", "member2", replicaScheduling=weighted))], request)
    (change,) = divided.bindings
    assert [(move.cluster, move.before, move.after) for move in change.moves] == [("member1", 4, 1), ("member2", 4, 3)]
    await check(rig, [Edit(override), Edit(bigger)], request)
    moved = await check(rig, [Edit(policy("member2", "member3", replicaScheduling=weighted))], request)
    assert moved.deletes and {each.cluster for each in moved.destroyed} == {"member1"}
    gone = await check(rig, [Edit(words, delete=True), Edit(override, delete=True)], request)
    assert {(each.cluster, each.kind) for each in gone.destroyed} == {
        ("member2", "ConfigMap"),
        ("member3", "ConfigMap"),
    }
