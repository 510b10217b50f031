"""What is asked of a decision, read from a binding."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import msgspec

from hansa.api.policy import ClusterAffinity, ClusterAffinityTerm, Placement, StaticClusterWeight
from hansa.api.work import (
    BindingSpec,
    BindingStatus,
    Component,
    ComponentReplicaRequirements,
    ReplicaRequirements,
    TargetCluster,
)
from hansa.base.clock import parse_rfc3339
from hansa.schedule.capacity import Demand, Load


class Question(NamedTuple):
    """What is asked of capacity: replicas of one demand, or whole sets of `components`."""

    demand: Demand
    components: tuple[tuple[Demand, int], ...] = ()


class Peers(NamedTuple):
    """Where other workloads of the same groups are: `together` has an entry for each, `apart` is all of theirs."""

    together: tuple[frozenset[str], ...] = ()
    apart: frozenset[str] = frozenset()


_ALONE = Peers()


@dataclass(frozen=True)
class Request:
    """`current` are the replicas by cluster that the binding has now; `uid` of the template breaks ties."""

    api_version: str
    kind: str
    placement: Placement
    replicas: int
    has_requirements: bool
    components: tuple[Component, ...]
    question: Question
    current: Mapping[str, int]
    evicting: frozenset[str]
    uid: str = ""
    affinity_name: str = ""
    """Of the affinity term that is in use, or is being tried."""
    fresh: bool = False
    """Rescheduling was asked for: what is there now does not bind."""
    peers: Peers = _ALONE
    assumed: Mapping[str, Load] = field(default_factory=dict[str, Load])
    """What is on its way to clusters, and not in their status yet."""
    estimates: tuple[Mapping[str, int], ...] = ()
    """What estimators that ask the clusters themselves say, by cluster; -1 for no opinion."""
    keeps_empty: bool = False
    """Whether clusters that get no replicas are targets too (`--enable-empty-workload-propagation`)."""

    @classmethod
    def of(
        cls,
        spec: BindingSpec,
        status: BindingStatus,
        *,
        peers: Peers = _ALONE,
        assumed: Mapping[str, Load] | None = None,
        estimates: tuple[Mapping[str, int], ...] = (),
        keeps_empty: bool = False,
    ) -> Request:
        """Raises ValueError for a binding without placement."""
        if spec.placement is None:
            raise ValueError("the binding has no placement")
        return cls(
            api_version=spec.resource.api_version,
            kind=spec.resource.kind,
            placement=spec.placement,
            replicas=spec.replicas,
            has_requirements=spec.replica_requirements is not None,
            components=tuple(spec.components or ()),
            question=_question(spec),
            current={target.name: target.replicas for target in spec.clusters or ()},
            evicting=frozenset(task.from_cluster for task in spec.graceful_eviction_tasks or ()),
            uid=spec.resource.uid,
            affinity_name=status.scheduler_observed_affinity_name if spec.placement.cluster_affinities else "",
            fresh=reschedule_asked(spec, status),
            peers=peers,
            assumed=assumed or {},
            estimates=estimates,
            keeps_empty=keeps_empty,
        )

    @property
    def terms(self) -> list[str]:
        """Names of the affinity terms, in order."""
        return [term.affinity_name for term in self.placement.cluster_affinities or ()]

    def with_replicas(self, replicas: int) -> Request:
        return replace(self, replicas=replicas)

    def with_term(self, name: str) -> Request:
        return replace(self, affinity_name=name)

    @cached_property
    def kin(self) -> Hashable:
        """Equal for requests of which lasting plug-ins say the same."""
        placement = msgspec.json.encode(self.placement)
        return (placement, self.affinity_name, self.api_version, self.kind, self.is_workload)

    @cached_property
    def term(self) -> ClusterAffinityTerm | None:
        terms = self.placement.cluster_affinities or ()
        return next((term for term in terms if term.affinity_name == self.affinity_name), None)

    @property
    def affinity(self) -> ClusterAffinity | None:
        """The affinity in force, without overflow."""
        return self.placement.cluster_affinity or self.term

    @property
    def is_workload(self) -> bool:
        return self.replicas > 0 or self.has_requirements or bool(self.components)

    @cached_property
    def counts_room(self) -> bool:
        """Whether free room is asked for at all."""
        return self.replicas > 0 or bool(self.components)

    @property
    def has_replicas(self) -> bool:
        """Whether the decision is also about how many."""
        return (self.replicas > 0 or self.has_requirements) and len(self.components) <= 1

    @cached_property
    def takes_all(self) -> bool:
        """Whether each cluster that fits gets all replicas, so that neither points nor room make a difference."""
        overflows = self.term.overflow_affinities if self.term is not None else None
        return self.has_replicas and not (self.placement.divided or self.placement.spread_constraints or overflows)

    @property
    def one_set(self) -> bool:
        """Whether the components of a workload go to one cluster together."""
        return bool(self.components) and _to_one_cluster(self.placement)

    @property
    def aggregated(self) -> bool:
        """Divided over as few clusters as have room."""
        strategy = self.placement.replica_scheduling
        return strategy is not None and strategy.replica_division_preference == "Aggregated"

    @cached_property
    def static_weights(self) -> bool:
        """Divided by weights that do not depend on what clusters have free."""
        strategy = self.placement.replica_scheduling
        if strategy is None or not self.placement.divided or strategy.replica_division_preference != "Weighted":
            return False
        return strategy.weight_preference is None or not strategy.weight_preference.dynamic_weight

    @cached_property
    def weight_rules(self) -> Sequence[StaticClusterWeight]:
        """Empty where weights are not static."""
        strategy = self.placement.replica_scheduling
        preference = strategy.weight_preference if strategy is not None else None
        return (preference.static_weight_list or ()) if preference is not None and self.static_weights else ()

    @property
    def ignores_spread(self) -> bool:
        """Spread constraints do not bind where weights are static, as in Karmada; an empty preference is none."""
        strategy = self.placement.replica_scheduling
        preference = strategy.weight_preference if strategy is not None else None
        return self.static_weights and (preference is None or bool(preference.static_weight_list))


def without_components(spec: BindingSpec) -> BindingSpec:
    """As it is seen where nobody heeds components (gate MultiplePodTemplatesScheduling is off)."""
    return msgspec.structs.replace(spec, components=None) if spec.components else spec


def load_of(spec: BindingSpec, target: TargetCluster) -> Load:
    """What a workload takes of a cluster that it goes to."""
    if spec.components:
        return [(_demand(each.replica_requirements), each.replicas) for each in spec.components]
    return [(_demand(spec.replica_requirements), target.replicas)]


def _to_one_cluster(placement: Placement | None) -> bool:
    constraints = placement.spread_constraints if placement is not None else None
    return any(
        constraint.spread_by_field == "cluster" and constraint.min_groups == constraint.max_groups == 1
        for constraint in constraints or ()
    )


def _question(spec: BindingSpec) -> Question:
    components = spec.components or ()
    if not components:
        return Question(_demand(spec.replica_requirements))
    if not _to_one_cluster(spec.placement):
        # Karmada asks for pods alone then, and capacity never blocks
        return Question(Demand())
    return Question(Demand(), tuple((_demand(each.replica_requirements), each.replicas) for each in components))


def _demand(requirements: ReplicaRequirements | ComponentReplicaRequirements | None) -> Demand:
    return Demand.of(requirements.resource_request if requirements is not None else None)


def reschedule_asked(spec: BindingSpec, status: BindingStatus) -> bool:
    """Whether somebody asked for it after the last decision. A time that cannot be read asks for nothing."""
    asked, last = spec.reschedule_triggered_at, status.last_scheduled_time
    if not asked or not last or asked == last:
        return False
    try:
        return parse_rfc3339(str(asked)) > parse_rfc3339(str(last))
    except ValueError:
        return False
