"""`python -m bench.scheduler`: decisions per second on one core, a JSON line for each placement and number of clusters.

A decision here is what the scheduler does without any server: read the request from a binding, filter, rank, select,
divide, and measure these steps for the metrics as `hansa run` does. Bindings differ in name, UID and replicas; one in
two runs somewhere already, and is scaled up by one. Between decisions clusters report new figures as often as so many
members do that report every ten seconds each. Times are of this process's CPU: what else runs on the machine does not
count.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import click
import msgspec

from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus
from hansa.control.place.timing import Stopwatch, timed
from hansa.runtime.clock import SystemClock
from hansa.schedule import Fit, Memory, Request, Snapshot, schedule
from hansa.schedule.survey import IN_TREE

SIZES = (10, 100, 1_000, 10_000)
BINDINGS = 100
REGIONS = 8
REPORT_SECONDS = 10.0
APIS = [{"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]}]
DYNAMIC = {"replicaDivisionPreference": "Weighted", "weightPreference": {"dynamicWeight": "AvailableReplicas"}}


def _divided(strategy: Mapping[str, Any], **placement: Any) -> dict[str, Any]:
    return {"replicaScheduling": {"replicaSchedulingType": "Divided", **strategy}, **placement}


def _weights() -> dict[str, Any]:
    rules = [{"targetCluster": {"labelSelector": {"matchLabels": {"tier": tier}}}, "weight": w} for tier, w in TIERS]
    return {"replicaDivisionPreference": "Weighted", "weightPreference": {"staticWeightList": rules}}


TIERS = (("gold", 3), ("silver", 2), ("bronze", 1))
SPREAD = [
    {"spreadByField": "region", "minGroups": 3, "maxGroups": 3},
    {"spreadByField": "cluster", "minGroups": 3, "maxGroups": 6},
]
AFFINITY = {"labelSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}
PLACEMENTS: Mapping[str, dict[str, Any]] = {
    "duplicated": {"clusterAffinity": AFFINITY},
    "static": _divided(_weights(), clusterAffinity=AFFINITY),
    "dynamic": _divided(DYNAMIC, clusterAffinity=AFFINITY),
    "aggregated": _divided({"replicaDivisionPreference": "Aggregated"}, clusterAffinity=AFFINITY),
    "region-spread": _divided(DYNAMIC, clusterAffinity=AFFINITY, spreadConstraints=SPREAD),
}


def cluster(number: int, chance: random.Random) -> Cluster:
    """One in ten has a taint that nobody tolerates."""
    summary = {
        "allocatable": {"cpu": str(chance.randrange(64, 512)), "memory": "2048Gi", "pods": "2000"},
        "allocated": {"cpu": str(chance.randrange(0, 60)), "memory": "64Gi", "pods": str(chance.randrange(0, 500))},
    }
    taints = [{"key": "team", "value": "other", "effect": "NoSchedule"}] if number % 10 == 9 else []
    document = {
        "metadata": {"name": f"cluster-{number:05}", "labels": {"tier": TIERS[number % 3][0]}},
        "spec": {"region": f"region-{number % REGIONS}", "zones": [f"zone-{number % 24}"], "taints": taints},
        "status": {"apiEnablements": APIS, "resourceSummary": summary},
    }
    return msgspec.convert(document, Cluster)


def binding(number: int, placement: Mapping[str, Any]) -> BindingSpec:
    document = {
        "resource": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": "default",
            "name": f"web-{number}",
            "uid": f"4858ca61-3ff8-4095-8267-{number:012x}",
        },
        "placement": placement,
        "replicas": 1 + number % 50,
        "replicaRequirements": {"resourceRequest": {"cpu": "500m", "memory": "1Gi"}},
    }
    return msgspec.convert(document, BindingSpec)


def bindings(placement: Mapping[str, Any], snapshot: Snapshot) -> list[BindingSpec]:
    """Every other one runs already, with one replica fewer than it is to have now."""
    specs = [binding(number, placement) for number in range(BINDINGS)]
    for number in range(0, BINDINGS, 2):
        spec = specs[number]
        placed = schedule(Request.of(spec, BindingStatus()), snapshot)
        assert isinstance(placed, Fit)
        specs[number] = msgspec.structs.replace(spec, clusters=list(placed.targets), replicas=spec.replicas + 1)
    return specs


def measure(placement: Mapping[str, Any], count: int, seconds: float) -> dict[str, float]:
    """Decisions for so many seconds, members reporting meanwhile."""
    chance = random.Random(count)
    snapshot = Snapshot.of(cluster(number, chance) for number in range(count))
    specs = bindings(placement, snapshot)
    pause = REPORT_SECONDS / count
    clock = SystemClock()
    stopwatch = Stopwatch(clock)
    look = Memory(timed(IN_TREE, clock), stopwatch.over).survey
    took: list[float] = []
    begun = report = time.process_time()
    while (now := time.process_time()) - begun < seconds or len(took) < 20:
        while report < now and report - begun < seconds:
            report += pause
            snapshot = snapshot.changed(cluster(chance.randrange(count), chance))
        spec = specs[len(took) % BINDINGS]
        started = time.process_time()
        stopwatch.begin()
        outcome = schedule(Request.of(spec, BindingStatus()), snapshot, look, stopwatch.over)
        took.append(time.process_time() - started)
        assert isinstance(outcome, Fit)
    ordered = sorted(took)
    return {
        "decisions_per_second": len(took) / sum(took),
        "median_ms": statistics.median(took) * 1000,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
    }


def _median_of(runs: int, run: Callable[[], dict[str, float]]) -> dict[str, float]:
    results = [run() for _ in range(runs)]
    return {figure: statistics.median(result[figure] for result in results) for figure in results[0]}


@click.command()
@click.option("--clusters", "sizes", multiple=True, type=int, default=SIZES, show_default=True)
@click.option("--placement", "kinds", multiple=True, type=click.Choice(list(PLACEMENTS)), default=list(PLACEMENTS))
@click.option("--seconds", default=2.0, show_default=True, help="Of each run.")
@click.option("--runs", default=3, show_default=True, help="The median is told.")
def main(sizes: tuple[int, ...], kinds: tuple[str, ...], seconds: float, runs: int) -> None:
    """How fast the scheduler decides, by placement and number of clusters."""
    for kind in kinds:
        for count in sizes:
            found = _median_of(runs, lambda kind=kind, count=count: measure(PLACEMENTS[kind], count, seconds))
            result = {"case": f"{kind} over {count} clusters", **{k: round(v, 3) for k, v in found.items()}}
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
