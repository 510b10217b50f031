"""`python -m bench.plan`: how long `hansa plan` takes on a large federation, one JSON line.

The federation is one at rest: its policies and templates are given to the control plane of a rehearsal, which makes
bindings and Works of them, and what the hub then holds is the snapshot. Planned are an edit of one policy that takes
its templates to other clusters, and a new template with a policy that divides it: that one is rehearsed twice.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import click
import msgspec
import yaml

from bench.scheduler import DYNAMIC, REGIONS, cluster
from hansa.api.meta import Json
from hansa.app.control_plane import Settings
from hansa.app.rehearsal import rehearsal
from hansa.foresight import virtual_time
from hansa.foresight.capture import capture
from hansa.foresight.snapshot import API_VERSION, KIND, Header, Snapshot, written

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = BEGUN + timedelta(hours=1)
"""When the snapshot is taken: nothing is on its way any more."""
ROOM = {"cpu": "4000", "memory": "16Ti", "pods": "20000"}
"""Enough that what is placed makes no difference, for nobody counts it here."""
THREE = {"spreadByField": "cluster", "minGroups": 3, "maxGroups": 3}
BY_REGION = {"spreadByField": "region", "minGroups": 3, "maxGroups": 3}


def placement(number: int, clusters: int) -> Json:
    """Three clusters each, chosen in one of four ways."""
    match number % 4:
        case 0:
            names = [f"cluster-{(number + step * REGIONS) % clusters // 10 * 10:05}" for step in range(3)]
            return {"clusterAffinity": {"clusterNames": sorted(set(names))}}
        case 1:
            return {"replicaScheduling": {"replicaSchedulingType": "Divided", **DYNAMIC}, "spreadConstraints": [THREE]}
        case 2:
            divided = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}
            return {"replicaScheduling": divided, "spreadConstraints": [THREE]}
        case _:
            return {"spreadConstraints": [BY_REGION, THREE]}


def deployment(name: str, namespace: str, replicas: int) -> Json:
    labels = {"app": name}
    container = {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def policy(name: str, namespace: str, templates: list[Json], where: Json) -> Json:
    selectors = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": template["metadata"]["name"]} for template in templates
    ]
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"resourceSelectors": selectors, "placement": where},
    }


def objects(clusters: int, policies: int, templates: int, namespaces: int) -> Iterator[Json]:
    """What users and clusters have written."""
    chance = random.Random(clusters)
    ready = {"type": "Ready", "status": "True", "reason": "ClusterReady"}
    for number in range(clusters):
        found = msgspec.to_builtins(cluster(number, chance))
        spec = {**found["spec"], "syncMode": "Push"}
        status = {**found["status"], "conditions": [ready], "resourceSummary": {"allocatable": ROOM}}
        kind = {"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster"}
        yield {**found, **kind, "spec": spec, "status": status}
    for number in range(namespaces):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team-{number:03}"}}
    numbers = iter(range(templates))
    for number in range(policies):
        namespace = f"team-{number % namespaces:03}"
        share = templates // policies + (number < templates % policies)
        own = [deployment(f"app-{each:05}", namespace, 3 + each % 7) for each in itertools.islice(numbers, share)]
        yield from own
        yield policy(f"policy-{number:04}", namespace, own, placement(number, clusters))


def stored(found: Iterator[Json]) -> Iterator[Json]:
    """As a hub has them."""
    for version, obj in enumerate(found, 1):
        identity = str(uuid.UUID(int=version, version=4))
        metadata = {"uid": identity, "resourceVersion": str(version), "generation": 1}
        metadata["creationTimestamp"] = BEGUN.isoformat(timespec="seconds").replace("+00:00", "Z")
        yield {**obj, "metadata": {**obj["metadata"], **metadata}}


class _Later:
    def now(self) -> datetime:
        return LATER

    def monotonic(self) -> float:
        return 0.0


async def at_rest(given: tuple[Json, ...]) -> Snapshot:
    header = Header(api_version=API_VERSION, kind=KIND, taken_at=BEGUN.isoformat(), hub="bench", objects=len(given))
    async with rehearsal(Snapshot(header, given), Settings()) as federation:
        return await capture(federation.hub, _Later(), None)


def generate(file: Path, given: tuple[Json, ...]) -> None:
    with file.open("wb") as lines:
        lines.writelines(written(virtual_time.run(at_rest(given))))


def measure(file: Path, edit: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "hansa.cli", "plan", "-f", str(edit), "--snapshot", str(file), "-o", "json"]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "exit_status": process.returncode,
        "seconds": round(time.monotonic() - begun, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_rss_mib": round(usage.ru_maxrss / 1024, 1),
        "moved": len(told["bindings"]),
        "in_members": len(told["members"]),
        "notes": len(told["notes"]),
    }


def edits(templates: int) -> dict[str, list[Json]]:
    """What is planned, by name: of the first policy, which has so many templates, and of something new."""
    moved = [deployment(f"app-{each:05}", "team-000", 3) for each in range(templates)]
    where: Json = {"clusterAffinity": {"clusterNames": ["cluster-00001", "cluster-00002"]}}
    new = deployment("new", "team-000", 7)
    divided = {"replicaScheduling": {"replicaSchedulingType": "Divided", **DYNAMIC}, "spreadConstraints": [THREE]}
    return {
        "another placement": [policy("policy-0000", "team-000", moved, where)],
        "a new template": [new, policy("new", "team-000", [new], divided)],
    }


@click.command()
@click.option("--clusters", default=100, show_default=True)
@click.option("--policies", default=1_000, show_default=True)
@click.option("--templates", default=5_000, show_default=True)
@click.option("--namespaces", default=50, show_default=True)
@click.option("--snapshot", "kept", type=click.Path(path_type=Path), help="Of an earlier run; else made.")
@click.option("--runs", default=3, show_default=True)
def main(clusters: int, policies: int, templates: int, namespaces: int, kept: Path | None, runs: int) -> None:
    """How long a plan takes, by the size of the federation."""
    with tempfile.TemporaryDirectory(prefix="hansa-bench-") as directory:
        file = kept or Path(directory) / "federation.snapshot"
        if not file.exists():
            given = tuple(stored(objects(clusters, policies, templates, namespaces)))
            # in a process of its own, whose memory is not that of a plan
            with ProcessPoolExecutor(1, get_context("spawn")) as other:
                other.submit(generate, file, given).result()
        lines = file.read_bytes().count(b"\n") - 1
        for name, objs in edits(templates // policies).items():
            edit = Path(directory) / "edit.yaml"
            edit.write_text(yaml.safe_dump_all(objs))
            for _ in range(runs):
                result = {
                    "case": f"{name}, over {lines} objects",
                    "snapshot_mib": round(file.stat().st_size / 2**20, 1),
                }
                print(json.dumps({**result, **measure(file, edit)}), flush=True)


if __name__ == "__main__":
    main()
