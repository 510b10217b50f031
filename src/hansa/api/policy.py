"""policy.karmada.io/v1alpha1: what goes where, and what differs there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from hansa.api.core import Int32, NodeSelectorRequirement, Toleration
from hansa.api.meta import LabelSelector, Object, Wire

# -- selectors --------------------------------------------------------------------------------------------------------


class ResourceSelector(Wire, frozen=True, kw_only=True):
    """Objects by kind, and by name or else by labels. Without both: all of the kind.

    api_version: Compared as a whole: `apps/v1`.
    namespace: Empty: that of the policy, or any for a cluster policy.
    name: Labels are not looked at when this is set.
    """

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    label_selector: LabelSelector | None = None


class FieldSelector(Wire, frozen=True, kw_only=True):
    """Clusters by provider, region or zone."""

    match_expressions: list[NodeSelectorRequirement] | None = None


class ClusterAffinity(Wire, frozen=True, kw_only=True):
    """Clusters; every condition given must hold, and `exclude` wins over all.

    label_selector: Labels of the Cluster; one that cannot be read fits nothing.
    field_selector: Provider, region and zones of the Cluster.
    cluster_names: Empty: any name.
    exclude: Clusters that are never meant.
    """

    label_selector: LabelSelector | None = None
    field_selector: FieldSelector | None = None
    cluster_names: list[str] | None = None
    exclude: list[str] | None = None


AffinityName = Annotated[str, Meta(min_length=1, max_length=32)]


class OverflowClusterAffinity(ClusterAffinity, frozen=True, kw_only=True):
    """A group of clusters for what does not fit into the groups before it.

    affinity_name: Unique within the term.
    """

    affinity_name: AffinityName


class ClusterAffinityTerm(ClusterAffinity, frozen=True, kw_only=True):
    """A group of clusters; groups are tried in order until one fits.

    affinity_name: Unique within the policy; the binding's status says which one is in use.
    overflow_affinities: Groups for replicas that do not fit into this one.
    """

    affinity_name: AffinityName
    overflow_affinities: list[OverflowClusterAffinity] | None = None


# -- placement --------------------------------------------------------------------------------------------------------


class SpreadConstraint(Wire, frozen=True, kw_only=True):
    """Over how many groups of clusters to spread.

    spread_by_field: What makes a group.
    spread_by_label: Accepted, but no scheduler groups by it.
    min_groups: With fewer groups nothing is scheduled.
    max_groups: At most so many groups are chosen.
    """

    spread_by_field: Literal["cluster", "region", "zone", "provider", ""] = ""
    spread_by_label: str = ""
    min_groups: int = 0
    max_groups: int = 0


class StaticClusterWeight(Wire, frozen=True, kw_only=True):
    """The share of clusters.

    weight: Relative to the other entries.
    """

    target_cluster: ClusterAffinity
    weight: Annotated[int, Meta(ge=1)]


class ClusterPreferences(Wire, frozen=True, kw_only=True):
    """How replicas are weighed.

    static_weight_list: Shares by cluster.
    dynamic_weight: Shares by free capacity; the static list is then ignored.
    """

    static_weight_list: list[StaticClusterWeight] | None = None
    dynamic_weight: Literal["AvailableReplicas", ""] = ""


class ReplicaSchedulingStrategy(Wire, frozen=True, kw_only=True):
    """How replicas go to clusters.

    replica_scheduling_type: All replicas in each cluster, or divided over them.
    replica_division_preference: Into few clusters, or by weight.
    weight_preference: Weights for `Weighted`.
    """

    replica_scheduling_type: Annotated[
        Literal["Duplicated", "Divided"], Meta(extra_json_schema={"default": "Divided"})
    ] = "Divided"
    replica_division_preference: Literal["Aggregated", "Weighted", ""] = ""
    weight_preference: ClusterPreferences | None = None


class AffinityGroup(Wire, frozen=True, kw_only=True):
    """Workloads with the same value of a label form a group.

    group_by_label_key: Key of a label of the template.
    """

    group_by_label_key: str


class WorkloadAffinity(Wire, frozen=True, kw_only=True):
    """Which workloads go to the same clusters, and which keep apart.

    affinity: A group goes where its first member runs.
    anti_affinity: No two of a group share a cluster.
    """

    affinity: AffinityGroup | None = None
    anti_affinity: AffinityGroup | None = None


class Placement(Wire, frozen=True, kw_only=True):
    """Which clusters, and how replicas are divided over them.

    cluster_affinity: Not set: every cluster. Excludes clusterAffinities.
    cluster_affinities: Groups of clusters, tried in order.
    cluster_tolerations: Taints of clusters that are put up with.
    spread_constraints: How to spread over groups of clusters.
    replica_scheduling: Not set: each cluster gets all replicas.
    workload_affinity: Placement relative to other workloads.
    """

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
    """One value that goes along to the next cluster.

    alias_label_name: Label on the object in the next cluster.
    json_path: Where the value is, from the status on.
    """

    alias_label_name: str
    json_path: str = field(name="jsonPath")


class StatePreservation(Wire, frozen=True, kw_only=True):
    """Values of the status that go along to the next cluster, as labels."""

    rules: Annotated[list[StatePreservationRule], Meta(min_length=1)]


class DecisionConditions(Wire, frozen=True, kw_only=True):
    """When an application counts as failed.

    toleration_seconds: How long it may be unhealthy.
    """

    toleration_seconds: Annotated[int, Meta(ge=0, extra_json_schema={"default": 300, "format": "int32"})] = 300


class ApplicationFailover(Wire, frozen=True, kw_only=True):
    """What to do when the application is unhealthy in a cluster.

    purge_mode: When the old copy goes: at once, after the new one is healthy, or never.
    grace_period_seconds: How long `Gracefully` waits at most.
    state_preservation: What goes along to the next cluster.
    """

    decision_conditions: DecisionConditions
    purge_mode: Annotated[
        Literal["Directly", "Gracefully", "Never", "Immediately", "Graciously"],
        Meta(extra_json_schema={"default": "Gracefully"}),
    ] = "Gracefully"
    grace_period_seconds: Int32 | None = None
    state_preservation: StatePreservation | None = None


class ClusterFailover(Wire, frozen=True, kw_only=True):
    """What to do when a cluster fails.

    purge_mode: When the old copy goes.
    state_preservation: What goes along to the next cluster.
    """

    purge_mode: Annotated[Literal["Directly", "Gracefully"], Meta(extra_json_schema={"default": "Gracefully"})] = (
        "Gracefully"
    )
    state_preservation: StatePreservation | None = None


class FailoverBehavior(Wire, frozen=True, kw_only=True):
    """What moves workloads away, and how.

    application: Not set: an unhealthy application stays.
    """

    application: ApplicationFailover | None = None
    cluster: ClusterFailover | None = None


# -- propagation ------------------------------------------------------------------------------------------------------


class SuspendClusters(Wire, frozen=True, kw_only=True):
    """Clusters by name."""

    cluster_names: list[str] | None = None


class Suspension(Wire, frozen=True, kw_only=True):
    """What is held back; not both.

    dispatching: True: nothing is written to any cluster.
    dispatching_on_clusters: Nothing is written to these.
    """

    dispatching: bool | None = None
    dispatching_on_clusters: SuspendClusters | None = None


class SchedulePriority(Wire, frozen=True, kw_only=True):
    """Where the priority in the scheduler's queue comes from.

    priority_class_name: A PriorityClass on the hub.
    """

    priority_class_source: Literal["KubePriorityClass"]
    priority_class_name: str


class PropagationSpec(Wire, frozen=True, kw_only=True):
    """What goes where.

    resource_selectors: What the policy claims.
    association: Deprecated, without effect.
    propagate_deps: ConfigMaps, Secrets and others that the template refers to go along.
    placement: Where it goes.
    priority: The higher one claims, where several policies match.
    preemption: Whether to take over from a policy of lower priority.
    dependent_overrides: Override policies that must exist before anything goes out.
    scheduler_name: Cannot be changed.
    failover: Not set: nothing moves when something fails.
    conflict_resolution: What happens to an object that is in the cluster already.
    activation_preference: `Lazy`: a change of the policy waits for the next change of the template.
    suspension: What is held back for now.
    preserve_resources_on_deletion: True: deleting the template leaves what runs in clusters.
    schedule_priority: Priority in the scheduler's queue.
    """

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
    """Which field holds the image.

    path: JSON pointer to it.
    """

    path: str


class ImageOverrider(Wire, frozen=True, kw_only=True):
    """Changes a part of image names.

    predicate: Not set: all containers of the kinds that are known.
    value: Not used by `remove`.
    """

    component: Literal["Registry", "Repository", "Tag"]
    operator: OverriderOperator
    predicate: ImagePredicate | None = None
    value: str = ""


class CommandArgsOverrider(Wire, frozen=True, kw_only=True):
    """Changes a container's command or arguments.

    value: Words to add, or to remove.
    """

    container_name: str
    operator: Literal["add", "remove"]
    value: list[str] | None = None


class LabelAnnotationOverrider(Wire, frozen=True, kw_only=True):
    """Changes labels or annotations.

    value: Keys with values; `remove` looks at keys only.
    """

    operator: OverriderOperator
    value: dict[str, str]


class FieldPatchOperation(Wire, frozen=True, kw_only=True):
    """One operation on a document within a field.

    `value` is UNSET where the manifest gives none, which differs from null.

    sub_path: JSON pointer within the document.
    """

    sub_path: str
    operator: OverriderOperator
    value: AnyJson | UnsetType = UNSET


class FieldOverrider(Wire, frozen=True, kw_only=True):
    """Changes a JSON or YAML document that is the text of a field.

    field_path: JSON pointer to the field.
    json: Operations, if the text is JSON.
    yaml: Operations, if the text is YAML.
    """

    field_path: str
    json: list[FieldPatchOperation] | None = None
    yaml: list[FieldPatchOperation] | None = None


class PlaintextOverrider(Wire, frozen=True, kw_only=True):
    """One JSON patch operation.

    path: JSON pointer.
    """

    path: str
    operator: OverriderOperator
    value: AnyJson | UnsetType = UNSET


class Overriders(Wire, frozen=True, kw_only=True):
    """Changes, applied in the order of these fields."""

    image_overrider: list[ImageOverrider] | None = None
    command_overrider: list[CommandArgsOverrider] | None = None
    args_overrider: list[CommandArgsOverrider] | None = None
    labels_overrider: list[LabelAnnotationOverrider] | None = None
    annotations_overrider: list[LabelAnnotationOverrider] | None = None
    field_overrider: list[FieldOverrider] | None = None
    plaintext: list[PlaintextOverrider] | None = None


class RuleWithCluster(Wire, frozen=True, kw_only=True):
    """Changes for some clusters.

    target_cluster: Not set: all clusters.
    """

    overriders: Overriders
    target_cluster: ClusterAffinity | None = None


class OverrideSpec(Wire, frozen=True, kw_only=True):
    """What differs, where.

    resource_selectors: Not set: every object in reach.
    override_rules: Applied in order.
    target_cluster: Deprecated: use overrideRules.
    overriders: Deprecated: use overrideRules.
    """

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
    """A condition of the Cluster has, or has not, one of some statuses.

    status_values: `True`, `False` or `Unknown`.
    """

    condition_type: str
    operator: Literal["In", "NotIn"]
    status_values: list[str]


class PolicyTaint(Wire, frozen=True, kw_only=True):
    """A taint without a time: clusters get that when it is put on them."""

    key: str
    effect: str
    value: str = ""


class ClusterTaintPolicySpec(Wire, frozen=True, kw_only=True):
    """When clusters get which taints.

    target_clusters: Not set: all clusters.
    add_on_conditions: All must match; none given never matches.
    remove_on_conditions: All must match; none given never matches.
    taints: Put on, or taken off, together.
    """

    taints: Annotated[list[PolicyTaint], Meta(min_length=1)]
    target_clusters: ClusterAffinity | None = None
    add_on_conditions: list[MatchCondition] | None = None
    remove_on_conditions: list[MatchCondition] | None = None


class ClusterTaintPolicy(Object, frozen=True, kw_only=True):
    """Puts taints on clusters while their conditions match."""

    spec: ClusterTaintPolicySpec
