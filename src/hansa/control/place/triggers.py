"""What makes a binding due for a look: its own spec, and the clusters that its placement speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hansa.api import names
from hansa.api.affinity import matches
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.policy import Placement
from hansa.api.work import BindingSpec, BindingSuspension, ResourceBinding

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


def priority_of(item: Item | None) -> int:
    """Of a binding that waits to be scheduled."""
    if item is None or b'"schedulePriority"' not in item.raw:
        return 0
    asked = item.as_(ResourceBinding).spec.schedule_priority
    return asked.priority if asked is not None else 0


class _Named(msgspec.Struct):
    name: str = ""


class _Condition(msgspec.Struct):
    type: str = ""
    reason: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    placement: msgspec.Raw = msgspec.Raw(b"")
    scheduler_name: str = ""
    suspension: BindingSuspension | None = None
    clusters: list[_Named] | None = None


class _Status(msgspec.Struct, rename="camel"):
    scheduler_observed_generation: int = 0
    scheduler_observing_affinity_name: str = ""
    conditions: list[_Condition] | None = None


class _Binding(msgspec.Struct):
    """As little of a binding as has to be known of each of them when a cluster changes."""

    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_decode = msgspec.json.Decoder(_Binding).decode


def affected(bindings: Iterable[Item], clusters: list[Cluster], scheduler_name: str) -> Iterator[Item]:
    """Bindings whose affinity in use means one of `clusters` (the old and the new state of the one that changed), and
    those that no cluster fits: what their condition says is about all of them.

    Each placement is looked at once, however many bindings have it.
    """
    names_ = {cluster.metadata.name for cluster in clusters}
    known: dict[tuple[bytes, str], tuple[bool, bool]] = {}
    for item in bindings:
        binding = _decode(item.raw)
        spec, status = binding.spec, binding.status
        placement = bytes(spec.placement)
        if placement in (b"", b"null") or (spec.scheduler_name or "default-scheduler") != scheduler_name:
            continue
        if spec.suspension is not None and spec.suspension.scheduling:
            continue
        key = (placement, status.scheduler_observing_affinity_name)
        if key not in known:
            known[key] = _meant(*key, clusters)
        by_terms, meant = known[key]
        unseen = by_terms and status.scheduler_observed_generation != item.meta.generation
        if meant or unseen or _unfit(status) or any(target.name in names_ for target in spec.clusters or ()):
            yield item


def _meant(raw: bytes, observed: str, clusters: Iterable[Cluster]) -> tuple[bool, bool]:
    """(whether the placement has affinity terms, whether the affinity in use means one of the clusters)."""
    placement = msgspec.json.decode(raw, type=Placement)
    terms = placement.cluster_affinities
    if not terms:
        return False, any(matches(placement.cluster_affinity, cluster) for cluster in clusters)
    affinity = next((term for term in terms if term.affinity_name == observed), terms[0])
    return True, any(matches(affinity, cluster) for cluster in clusters)


def _unfit(status: _Status) -> bool:
    return any(one.type == "Scheduled" and one.reason == "NoClusterFit" for one in status.conditions or ())


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
