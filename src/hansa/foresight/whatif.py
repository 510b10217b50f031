"""Failures and new clusters as edits of a rehearsed federation, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key, Wire
from hansa.api.work import BindingSpec, ResourceBinding
from hansa.foresight.difference import placed, refusal
from hansa.foresight.edits import read_files
from hansa.foresight.plan import Move, Plan
from hansa.foresight.state import BINDINGS, State
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError

PRODUCER = "TaintManager"
REASON = "TaintUntolerated"
_FAILED = {
    "type": "Ready",
    "status": "False",
    "reason": "ClusterNotReachable",
    "message": "cluster is not reachable",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """`added` as on the command line: a file with Clusters, or NAME=like:OTHER."""

    failed_clusters: tuple[str, ...] = ()
    failed_regions: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class Affected(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A workload with replicas in a failed cluster.

    lost: What runs there, and is kept until a replacement is healthy.
    gained: Where its replicas go when it is evicted from there.
    remaining: Replicas in clusters that did not fail, before anything is replaced.
    missing: Replicas that find no place.
    refused: Why not.
    """

    namespace: str
    name: str
    template: str
    lost: tuple[Move, ...]
    gained: tuple[Move, ...] = ()
    remaining: int = 0
    missing: int = 0
    refused: str = ""


class Forecast(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """`at_once`: what changes by itself. `others`: how many objects without replicas are in failed clusters too."""

    failed: tuple[str, ...]
    added: tuple[str, ...]
    at_once: Plan
    affected: tuple[Affected, ...] = ()
    others: int = 0

    @property
    def missing(self) -> bool:
        """Whether something finds no place."""
        return any(each.missing for each in self.affected)


# -- what is done to the hub ------------------------------------------------------------------------------------------


def failing(scenario: Scenario, clusters: Sequence[Cluster]) -> tuple[str, ...]:
    """Names of the clusters that fail. Raises ConfigError for what is not there."""
    names = {cluster.metadata.name for cluster in clusters}
    if unknown := [name for name in scenario.failed_clusters if name not in names]:
        raise ConfigError(f"no cluster {', '.join(unknown)}: there are {', '.join(sorted(names)) or 'none'}")
    regions = {cluster.spec.region for cluster in clusters} - {""}
    if unknown := [region for region in scenario.failed_regions if region not in regions]:
        raise ConfigError(
            f"no cluster in region {', '.join(unknown)}: there are {', '.join(sorted(regions)) or 'none'}"
        )
    found = {cluster.metadata.name for cluster in clusters if cluster.spec.region in scenario.failed_regions}
    return tuple(sorted(found | set(scenario.failed_clusters)))


def adding(scenario: Scenario, clusters: Sequence[Item]) -> list[Json]:
    """The new Clusters, with status. Raises ConfigError."""
    known = {item.meta.name: item.json() for item in clusters}
    found: list[Json] = []
    for text in scenario.added:
        name, like, other = text.partition("=like:")
        if not like:
            found += read_files([text])
        elif other not in known:
            raise ConfigError(f"--add-cluster {text}: no cluster {other}: there are {', '.join(sorted(known))}")
        else:
            found.append(_like(known[other], name))
    for obj in found:
        if obj["kind"] != "Cluster" or not (obj.get("status") or {}).get("apiEnablements"):
            raise ConfigError(
                f"--add-cluster: {obj['kind']} {obj['metadata']['name']}: a Cluster with status.apiEnablements is"
                " needed, as `kubectl get cluster NAME -o yaml` shows one"
            )
        if obj["metadata"]["name"] in known:
            raise ConfigError(f"--add-cluster: there is a cluster {obj['metadata']['name']} already")
    return found


def _like(other: Json, name: str) -> Json:
    """As big as the other one, and empty."""
    spec = {
        key: value for key, value in other["spec"].items() if key not in ("secretRef", "impersonatorSecretRef", "id")
    }
    status: Json = dict(other.get("status") or {})
    if summary := status.get("resourceSummary"):
        kept = {key: value for key, value in summary.items() if key not in ("allocated", "allocating")}
        status["resourceSummary"] = kept
    metadata = {"name": name, "labels": other["metadata"].get("labels") or {}}
    return {"apiVersion": other["apiVersion"], "kind": "Cluster", "metadata": metadata, "spec": spec, "status": status}


async def add(hub: Client, cluster: Json) -> None:
    """With its status from the first moment on, but for the race that every new cluster has."""
    metadata = {key: value for key, value in cluster["metadata"].items() if key in ("name", "labels", "annotations")}
    await hub.create(scheme.CLUSTERS, {**cluster, "metadata": metadata})
    await hub.patch(scheme.CLUSTERS, metadata["name"], None, {"status": cluster["status"]}, subresource="status")


async def fail(hub: Client, name: str, now: str) -> None:
    """What the control plane reports of a cluster that it cannot reach any more."""
    item = await hub.get(scheme.CLUSTERS, name)
    conditions: list[Json] = (item.json().get("status") or {}).get("conditions") or []
    others = [each for each in conditions if each.get("type") != "Ready"]
    status = {"conditions": [*others, {**_FAILED, "lastTransitionTime": now}]}
    await hub.patch(scheme.CLUSTERS, name, None, {"status": status}, subresource="status")


async def evict(hub: Client, state: State, failed: Sequence[str], now: str) -> None:
    """Take every workload out of the failed clusters, as whoever drains them does: gracefully."""
    for item in state.bindings.values():
        spec = item.as_(ResourceBinding).spec
        leaving = [target for target in spec.clusters or () if target.name in failed]
        if spec.placement is None or not leaving or item.deleting:
            continue
        tasks = [msgspec.to_builtins(task) for task in spec.graceful_eviction_tasks or ()]
        tasks += [
            {
                "fromCluster": target.name,
                "producer": PRODUCER,
                "reason": REASON,
                "purgeMode": "Gracefully",
                "creationTimestamp": now,
                **({"replicas": target.replicas} if target.replicas else {}),
            }
            for target in leaving
        ]
        kept = [msgspec.to_builtins(target) for target in spec.clusters or () if target.name not in failed]
        resource = BINDINGS[0] if item.meta.namespace else BINDINGS[1]
        patch: Json = {"spec": {"clusters": kept or None, "gracefulEvictionTasks": tasks}}
        await hub.patch(resource, item.meta.name, item.meta.namespace or None, patch)


# -- what follows -----------------------------------------------------------------------------------------------------


def affected(before: State, after: State, failed: Sequence[str]) -> tuple[tuple[Affected, ...], int]:
    """(workloads in failed clusters, how many other objects are there)."""
    found: list[Affected] = []
    others = 0
    for key, item in sorted(before.bindings.items()):
        spec = item.as_(ResourceBinding).spec
        if item.deleting or not any(target.name in failed for target in spec.clusters or ()):
            continue
        if spec.is_workload:
            found.append(_affected(key, item, spec, after.bindings.get(key), failed))
        else:
            others += 1
    return tuple(found), others


def _affected(key: Key, item: Item, spec: BindingSpec, after: Item | None, failed: Sequence[str]) -> Affected:
    old, new = placed(item), placed(after)
    lost = tuple(Move(cluster=name, before=old[name], after=None) for name in sorted(old) if name in failed)
    gained = tuple(
        Move(cluster=name, before=old.get(name), after=count)
        for name, count in sorted(new.items())
        if name not in failed and count > old.get(name, 0)
    )
    remaining = sum(count for name, count in old.items() if name not in failed)
    divided = spec.placement is not None and spec.placement.divided
    there = sum(count for name, count in new.items() if name not in failed)
    needed = spec.replicas if divided or not there else 0
    return Affected(
        namespace=key.namespace,
        name=key.name,
        template=f"{spec.resource.kind} {Key(spec.resource.namespace, spec.resource.name)}",
        lost=lost,
        gained=gained,
        remaining=remaining,
        missing=max(0, needed - there),
        refused=refusal(after),
    )
