"""policy.karmada.io/v1alpha1: what goes where, and what differs there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from hansa.api.core import Int32, NodeSelectorRequirement, Toleration
from hansa.api.meta import LabelSelector, Object, Wire

# -- selectors --------------------------------------------------------------------------------------------------------


class ResourceSelector(Wire, frozen=True, kw_only=True):
    """Objects by kind, and by name or else by labels. Without both: all of the kind."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    label_selector: LabelSelector | None = None


class FieldSelector(Wire, frozen=True, kw_only=True):
    """Clusters by provider, region or zone."""

    match_expressions: list[NodeSelectorRequirement] | None = None


class ClusterAffinity(Wire, frozen=True, kw_only=True):
    """Clusters; every condition given must hold, and `exclude` wins over all."""

    label_selector: LabelSelector | None = None
    field_selector: FieldSelector | None = None
    cluster_names: list[str] | None = None
    exclude: list[str] | None = None


AffinityName = Annotated[str, Meta(min_length=1, max_length=32)]


class OverflowClusterAffinity(ClusterAffinity, frozen=True, kw_only=True):
    affinity_name: AffinityName


class ClusterAffinityTerm(ClusterAffinity, frozen=True, kw_only=True):
    affinity_name: AffinityName
    overflow_affinities: list[OverflowClusterAffinity] | None = None


# -- placement --------------------------------------------------------------------------------------------------------


class SpreadConstraint(Wire, frozen=True, kw_only=True):
    spread_by_field: Literal["cluster", "region", "zone", "provider", ""] = ""
    spread_by_label: str = ""
    min_groups: int = 0
    max_groups: int = 0


class StaticClusterWeight(Wire, frozen=True, kw_only=True):
    target_cluster: ClusterAffinity
    weight: Annotated[int, Meta(ge=1)]


class ClusterPreferences(Wire, frozen=True, kw_only=True):
    static_weight_list: list[StaticClusterWeight] | None = None
    dynamic_weight: Literal["AvailableReplicas", ""] = ""


class ReplicaSchedulingStrategy(Wire, frozen=True, kw_only=True):
    replica_scheduling_type: Annotated[
        Literal["Duplicated", "Divided"], Meta(extra_json_schema={"default": "Divided"})
    ] = "Divided"
    replica_division_preference: Literal["Aggregated", "Weighted", ""] = ""
    weight_preference: ClusterPreferences | None = None


class AffinityGroup(Wire, frozen=True, kw_only=True):
    group_by_label_key: str


class WorkloadAffinity(Wire, frozen=True, kw_only=True):
    affinity: AffinityGroup | None = None
    anti_affinity: AffinityGroup | None = None


class Placement(Wire, frozen=True, kw_only=True):
    cluster_affinity: ClusterAffinity | None = None
    cluster_affinities: list[ClusterAffinityTerm] | None = None
    cluster_tolerations: list[Toleration] | None = None
    spread_constraints: list[SpreadConstraint] | None = None
    replica_scheduling: ReplicaSchedulingStrategy | None = None
    workload_affinity: WorkloadAffinity | None = None

    @property
    def divided(self) -> bool:
        """Whether replicas are divided over clusters; without a strategy each cluster gets all of them."""
        strategy = self.replica_scheduling
        return strategy is not None and strategy.replica_scheduling_type == "Divided"


# -- failover ---------------------------------------------------------------------------------------------------------


class StatePreservationRule(Wire, frozen=True, kw_only=True):
    alias_label_name: str
    json_path: str = field(name="jsonPath")


class StatePreservation(Wire, frozen=True, kw_only=True):
    rules: Annotated[list[StatePreservationRule], Meta(min_length=1)]


class DecisionConditions(Wire, frozen=True, kw_only=True):
    toleration_seconds: Annotated[int, Meta(ge=0, extra_json_schema={"default": 300, "format": "int32"})] = 300


class ApplicationFailover(Wire, frozen=True, kw_only=True):
    decision_conditions: DecisionConditions
    purge_mode: Annotated[
        Literal["Directly", "Gracefully", "Never", "Immediately", "Graciously"],
        Meta(extra_json_schema={"default": "Gracefully"}),
    ] = "Gracefully"
    grace_period_seconds: Int32 | None = None
    state_preservation: StatePreservation | None = None


class ClusterFailover(Wire, frozen=True, kw_only=True):
    purge_mode: Annotated[Literal["Directly", "Gracefully"], Meta(extra_json_schema={"default": "Gracefully"})] = (
        "Gracefully"
    )
    state_preservation: StatePreservation | None = None


class FailoverBehavior(Wire, frozen=True, kw_only=True):
    application: ApplicationFailover | None = None
    cluster: ClusterFailover | None = None


# -- propagation ------------------------------------------------------------------------------------------------------


class SuspendClusters(Wire, frozen=True, kw_only=True):
    cluster_names: list[str] | None = None


class Suspension(Wire, frozen=True, kw_only=True):
    dispatching: bool | None = None
    dispatching_on_clusters: SuspendClusters | None = None


class SchedulePriority(Wire, frozen=True, kw_only=True):
    priority_class_source: Literal["KubePriorityClass"]
    priority_class_name: str


class PropagationSpec(Wire, frozen=True, kw_only=True):
    resource_selectors: Annotated[list[ResourceSelector], Meta(min_length=1)]
    association: bool = False
    propagate_deps: bool = False
    placement: Placement = Placement()
    priority: Annotated[int, Meta(extra_json_schema={"default": 0, "format": "int32"})] = 0
    preemption: Annotated[Literal["Always", "Never"], Meta(extra_json_schema={"default": "Never"})] = "Never"
    dependent_overrides: list[str] | None = None
    scheduler_name: Annotated[str, Meta(extra_json_schema={"default": "default-scheduler"})] = "default-scheduler"
    failover: FailoverBehavior | None = None
    conflict_resolution: Annotated[Literal["Abort", "Overwrite"], Meta(extra_json_schema={"default": "Abort"})] = (
        "Abort"
    )
    activation_preference: Literal["Lazy", ""] = ""
    suspension: Suspension | None = None
    preserve_resources_on_deletion: bool | None = None
    schedule_priority: SchedulePriority | None = None


class PropagationPolicy(Object, frozen=True, kw_only=True):
    """Sends objects of its own namespace to clusters."""

    spec: PropagationSpec


class ClusterPropagationPolicy(Object, frozen=True, kw_only=True):
    """Sends cluster-scoped objects, and objects of any namespace, to clusters."""

    spec: PropagationSpec


# -- overrides --------------------------------------------------------------------------------------------------------

AnyJson = Annotated[Any, Meta(extra_json_schema={"x-kubernetes-preserve-unknown-fields": True})]
"""A JSON value of any type."""
OverriderOperator = Literal["add", "remove", "replace"]


class ImagePredicate(Wire, frozen=True, kw_only=True):
    path: str


class ImageOverrider(Wire, frozen=True, kw_only=True):
    component: Literal["Registry", "Repository", "Tag"]
    operator: OverriderOperator
    predicate: ImagePredicate | None = None
    value: str = ""


class CommandArgsOverrider(Wire, frozen=True, kw_only=True):
    container_name: str
    operator: Literal["add", "remove"]
    value: list[str] | None = None


class LabelAnnotationOverrider(Wire, frozen=True, kw_only=True):
    operator: OverriderOperator
    value: dict[str, str]


class FieldPatchOperation(Wire, frozen=True, kw_only=True):
    """`value` is UNSET where the manifest gives none, which differs from null."""

    sub_path: str
    operator: OverriderOperator
    value: AnyJson | UnsetType = UNSET


class FieldOverrider(Wire, frozen=True, kw_only=True):
    field_path: str
    json: list[FieldPatchOperation] | None = None
    yaml: list[FieldPatchOperation] | None = None


class PlaintextOverrider(Wire, frozen=True, kw_only=True):
    path: str
    operator: OverriderOperator
    value: AnyJson | UnsetType = UNSET


class Overriders(Wire, frozen=True, kw_only=True):
    image_overrider: list[ImageOverrider] | None = None
    command_overrider: list[CommandArgsOverrider] | None = None
    args_overrider: list[CommandArgsOverrider] | None = None
    labels_overrider: list[LabelAnnotationOverrider] | None = None
    annotations_overrider: list[LabelAnnotationOverrider] | None = None
    field_overrider: list[FieldOverrider] | None = None
    plaintext: list[PlaintextOverrider] | None = None


class RuleWithCluster(Wire, frozen=True, kw_only=True):
    overriders: Overriders
    target_cluster: ClusterAffinity | None = None


class OverrideSpec(Wire, frozen=True, kw_only=True):
    resource_selectors: list[ResourceSelector] | None = None
    override_rules: list[RuleWithCluster] | None = None
    target_cluster: ClusterAffinity | None = None
    overriders: Overriders | None = None


class OverridePolicy(Object, frozen=True, kw_only=True):
    """Changes objects of its own namespace on their way to clusters."""

    spec: OverrideSpec


class ClusterOverridePolicy(Object, frozen=True, kw_only=True):
    """Changes objects of any scope on their way to clusters."""

    spec: OverrideSpec


# -- taints by condition ----------------------------------------------------------------------------------------------


class MatchCondition(Wire, frozen=True, kw_only=True):
    condition_type: str
    operator: Literal["In", "NotIn"]
    status_values: list[str]


class PolicyTaint(Wire, frozen=True, kw_only=True):
    """A taint without a time: clusters get that when it is put on them."""

    key: str
    effect: str
    value: str = ""


class ClusterTaintPolicySpec(Wire, frozen=True, kw_only=True):
    taints: Annotated[list[PolicyTaint], Meta(min_length=1)]
    target_clusters: ClusterAffinity | None = None
    add_on_conditions: list[MatchCondition] | None = None
    remove_on_conditions: list[MatchCondition] | None = None


class ClusterTaintPolicy(Object, frozen=True, kw_only=True):
    """Puts taints on clusters while their conditions match."""

    spec: ClusterTaintPolicySpec
