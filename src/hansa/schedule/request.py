"""What is asked of a decision, read from a binding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hansa.api.policy import ClusterAffinity, ClusterAffinityTerm, Placement
from hansa.api.work import BindingSpec, BindingStatus


@dataclass(frozen=True)
class Request:
    """`current` are the replicas by cluster that the binding has now; `uid` of the template breaks ties."""

    api_version: str
    kind: str
    placement: Placement
    replicas: int
    has_requirements: bool
    components: int
    current: Mapping[str, int]
    evicting: frozenset[str]
    uid: str = ""
    affinity_name: str = ""
    """Of the affinity term that is in use, or is being tried."""
    fresh: bool = False
    """Rescheduling was asked for: what is there now does not bind."""

    @classmethod
    def of(cls, spec: BindingSpec, status: BindingStatus) -> Request:
        """Raises ValueError for a binding without placement."""
        if spec.placement is None:
            raise ValueError("the binding has no placement")
        return cls(
            api_version=spec.resource.api_version,
            kind=spec.resource.kind,
            placement=spec.placement,
            replicas=spec.replicas,
            has_requirements=spec.replica_requirements is not None,
            components=len(spec.components or ()),
            current={target.name: target.replicas for target in spec.clusters or ()},
            evicting=frozenset(task.from_cluster for task in spec.graceful_eviction_tasks or ()),
            uid=spec.resource.uid,
            affinity_name=status.scheduler_observed_affinity_name if spec.placement.cluster_affinities else "",
            fresh=reschedule_asked(spec, status),
        )

    @property
    def terms(self) -> list[str]:
        """Names of the affinity terms, in order."""
        return [term.affinity_name for term in self.placement.cluster_affinities or ()]

    def with_term(self, name: str) -> Request:
        return replace(self, affinity_name=name)

    @property
    def term(self) -> ClusterAffinityTerm | None:
        terms = self.placement.cluster_affinities or ()
        return next((term for term in terms if term.affinity_name == self.affinity_name), None)

    @property
    def affinity(self) -> ClusterAffinity | None:
        """The affinity in force, without overflow."""
        return self.placement.cluster_affinity or self.term

    @property
    def is_workload(self) -> bool:
        return self.replicas > 0 or self.has_requirements or self.components > 0

    @property
    def has_replicas(self) -> bool:
        """Whether the decision is also about how many."""
        return (self.replicas > 0 or self.has_requirements) and self.components <= 1

    @property
    def static_weights(self) -> bool:
        """Divided by weights that do not depend on what clusters have free."""
        strategy = self.placement.replica_scheduling
        if strategy is None or not self.placement.divided or strategy.replica_division_preference != "Weighted":
            return False
        return strategy.weight_preference is None or not strategy.weight_preference.dynamic_weight


def reschedule_asked(spec: BindingSpec, status: BindingStatus) -> bool:
    """Times are RFC 3339 in UTC with whole seconds, so they compare as text."""
    asked, last = spec.reschedule_triggered_at, status.last_scheduled_time
    return bool(asked and last and str(asked) > str(last))
