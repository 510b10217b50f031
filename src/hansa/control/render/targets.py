"""Where a binding's Works belong, and which of them are to go."""

from __future__ import annotations

from collections.abc import Iterable

from hansa.api.item import Item
from hansa.api.work import BindingSpec, TargetCluster
from hansa.base.division import divide
from hansa.base.names import cluster_of

_AT_ONCE = ("Directly", "Immediately")


def targets_of(spec: BindingSpec) -> list[TargetCluster]:
    """Own clusters, then those of the bindings that need this one; the first entry for a cluster counts."""
    found = {target.name: target for target in reversed(_all_targets(spec))}
    return [found[name] for name in dict.fromkeys(target.name for target in _all_targets(spec))]


def _all_targets(spec: BindingSpec) -> list[TargetCluster]:
    targets = list(spec.clusters or ())
    for dependent in spec.required_by or ():
        targets += dependent.clusters or ()
    return targets


def orphans(spec: BindingSpec, works: Iterable[Item]) -> list[Item]:
    """Works in clusters that the binding no longer expects one in."""
    expected = set(spec.expected_clusters)
    return [work for work in works if cluster_of(work.meta.namespace) not in expected]


def blocking(spec: BindingSpec, works: Iterable[Item]) -> bool:
    """Whether a cluster that is left at once still has its Work: new ones wait until the old copy is gone."""
    leaving = {task.from_cluster for task in spec.graceful_eviction_tasks or () if task.purge_mode in _AT_ONCE}
    return any(cluster_of(work.meta.namespace) in leaving for work in works)


def completions(total: int, targets: Iterable[TargetCluster], uid: str) -> dict[str, int]:
    """A divided Job's completions by cluster."""
    return divide(total, {target.name: target.replicas for target in targets}, uid=uid)


def suspended(spec: BindingSpec, cluster: str) -> bool:
    suspension = spec.suspension
    if suspension is None:
        return False
    listed = suspension.dispatching_on_clusters
    return bool(suspension.dispatching) or (listed is not None and cluster in (listed.cluster_names or ()))
