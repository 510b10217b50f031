"""What makes a binding due for a look: its own spec, and the clusters that its placement speaks of."""

from __future__ import annotations

from collections.abc import Iterator

from hansa.api import names
from hansa.api.affinity import matches
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.policy import ClusterAffinity
from hansa.api.work import BindingSpec, BindingStatus, ResourceBinding

_POLICY_LABELS = (names.POLICY_ID_LABEL, names.CLUSTER_POLICY_ID_LABEL, names.BINDING_MANAGED_BY_LABEL)


def is_placed_here(labels: dict[str, str], spec: BindingSpec, scheduler_name: str) -> bool:
    """Whether this scheduler decides for the binding: it may, and a policy or a controller stands behind it."""
    return is_ours(spec, scheduler_name) and any(labels.get(label) for label in _POLICY_LABELS)


def is_ours(spec: BindingSpec, scheduler_name: str) -> bool:
    """Not another scheduler's, not suspended, and not a dependency's. Changes of clusters look at no more, as in
    Karmada: so a binding whose policy is gone still lets go of a cluster that leaves."""
    if spec.placement is None or (spec.scheduler_name or "default-scheduler") != scheduler_name:
        return False
    return spec.suspension is None or not spec.suspension.scheduling


def affected(bindings: Iterator[Item], clusters: list[Cluster], scheduler_name: str) -> Iterator[Item]:
    """Bindings whose affinity in use means one of `clusters` (the old and the new state of the one that changed), and
    those that no cluster fits: what their condition says is about all of them.
    """
    for item in bindings:
        binding = item.as_(ResourceBinding)
        if not is_ours(binding.spec, scheduler_name):
            continue
        by_terms = binding.spec.placement is not None and bool(binding.spec.placement.cluster_affinities)
        if by_terms and binding.status.scheduler_observed_generation != item.meta.generation:
            yield item
            continue
        if _unfit(binding.status):
            yield item
            continue
        targets = {target.name for target in binding.spec.clusters or ()}
        affinity = _affinity(binding.spec, binding.status)
        if any(cluster.metadata.name in targets or matches(affinity, cluster) for cluster in clusters):
            yield item


def _unfit(status: BindingStatus) -> bool:
    return any(one.type == "Scheduled" and one.reason == "NoClusterFit" for one in status.conditions or ())


def _affinity(spec: BindingSpec, status: BindingStatus) -> ClusterAffinity | None:
    placement = spec.placement
    if placement is None or not placement.cluster_affinities:
        return placement.cluster_affinity if placement is not None else None
    observed = status.scheduler_observed_affinity_name
    terms = placement.cluster_affinities
    return next((term for term in terms if term.affinity_name == observed), terms[0])


def concerns_placement(old: Cluster | None, new: Cluster | None) -> bool:
    """Labels, spec (taints, topology), its coming and going: what decisions are made of."""
    if old is None or new is None:
        return True
    return (
        old.metadata.labels != new.metadata.labels
        or old.spec != new.spec
        or (old.metadata.deletion_timestamp is None) != (new.metadata.deletion_timestamp is None)
    )


def opens_ways(old: Cluster | None, new: Cluster | None) -> bool:
    """What was impossible for a failure may be possible now: the cluster got ready, or serves other APIs."""
    if old is None or new is None:
        return False
    return (new.ready and not old.ready) or old.status.api_enablements != new.status.api_enablements
