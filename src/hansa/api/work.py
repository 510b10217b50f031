"""work.karmada.io: bindings (v1alpha2) say where a template goes, works (v1alpha1) what one member is to have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field, to_builtins

from hansa.api.core import Int32, NodeSelector, ObjectReference, RawJson, ResourceList, Time, Toleration
from hansa.api.meta import REQUIRED, Condition, Json, Object, OwnerReference, Wire
from hansa.api.names import EXECUTION_FINALIZER
from hansa.api.policy import FailoverBehavior, Placement, SuspendClusters

Health = Literal["Healthy", "Unhealthy", "Unknown"]

# -- binding ----------------------------------------------------------------------------------------------------------


class NodeClaim(Wire, frozen=True, kw_only=True):
    """What nodes one replica needs."""

    hard_node_affinity: NodeSelector | None = None
    node_selector: dict[str, str] | None = None
    tolerations: list[Toleration] | None = None


class ReplicaRequirements(Wire, frozen=True, kw_only=True):
    """What one replica needs."""

    node_claim: NodeClaim | None = None
    resource_request: ResourceList | None = None
    namespace: str = ""
    priority_class_name: str = ""


class ComponentReplicaRequirements(Wire, frozen=True, kw_only=True):
    """What one replica of a component needs."""

    node_claim: NodeClaim | None = None
    resource_request: ResourceList | None = None
    priority_class_name: str = ""


class Component(Wire, frozen=True, kw_only=True):
    """One of several pod templates of a workload."""

    name: Annotated[str, Meta(max_length=32)]
    replicas: Int32
    replica_requirements: ComponentReplicaRequirements | None = None


class TargetComponent(Wire, frozen=True, kw_only=True):
    """Replicas of one component in one cluster."""

    name: str
    replicas: Int32 = 0


class TargetCluster(Wire, frozen=True, kw_only=True):
    """A cluster that the template goes to.

    replicas: 0 where replicas are not divided.
    """

    name: str
    replicas: Int32 = 0
    components: list[TargetComponent] | None = None


class GracefulEvictionTask(Wire, frozen=True, kw_only=True):
    """A cluster that is being left, and until when what runs there stays.

    producer: Who evicted.
    purge_mode: When the old copy goes.
    replicas: How many ran there.
    grace_period_seconds: Not set: the control plane's setting.
    suppress_deletion: True: it stays until somebody says otherwise.
    preserved_label_state: Labels for the copy in the next cluster.
    clusters_before_failover: Where it ran before.
    creation_timestamp: When waiting began.
    """

    from_cluster: str
    producer: str
    reason: Annotated[str, Meta(min_length=1, max_length=32, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    purge_mode: Literal["Directly", "Gracefully", "Never", "Immediately", "Graciously", ""] = ""
    replicas: Int32 | None = None
    message: Annotated[str, Meta(max_length=1024)] = ""
    grace_period_seconds: Int32 | None = None
    suppress_deletion: bool | None = None
    preserved_label_state: dict[str, str] | None = None
    clusters_before_failover: list[str] | None = None
    creation_timestamp: Time | None = None


class BindingSnapshot(Wire, frozen=True, kw_only=True):
    """A binding that needs this one's object, and where it runs."""

    name: str
    namespace: str = ""
    clusters: list[TargetCluster] | None = None


class BindingSuspension(Wire, frozen=True, kw_only=True):
    """What is held back.

    scheduling: True: clusters are not chosen.
    """

    dispatching: bool | None = None
    dispatching_on_clusters: SuspendClusters | None = None
    scheduling: bool | None = None


class BindingPriority(Wire, frozen=True, kw_only=True):
    """Priority in the scheduler's queue."""

    priority: Annotated[int, Meta(extra_json_schema={"default": 0, "format": "int32"})] = 0


class WorkloadAffinityGroups(Wire, frozen=True, kw_only=True):
    """Groups as `key=value` of the template's labels."""

    affinity_group: str = ""
    anti_affinity_group: str = ""


class BindingSpec(Wire, frozen=True, kw_only=True):
    """One template, where it goes, how many replicas.

    resource: The template. Its resourceVersion is that of the last look.
    propagate_deps: What the template refers to goes along.
    replicas: In all clusters together.
    replica_requirements: What one replica needs.
    components: For workloads with several pod templates.
    clusters: Where it goes: the scheduler's result.
    placement: None on bindings of dependencies.
    graceful_eviction_tasks: Clusters that are being left.
    required_by: Bindings that need this object, and where.
    scheduler_name: Who schedules it.
    conflict_resolution: What happens to an object that is in the cluster already.
    reschedule_triggered_at: Later than the last scheduling: clusters are chosen afresh.
    preserve_resources_on_deletion: True: what runs stays when this is deleted.
    """

    resource: ObjectReference
    propagate_deps: bool = False
    replicas: Int32 = 0
    replica_requirements: ReplicaRequirements | None = None
    components: list[Component] | None = None
    clusters: list[TargetCluster] | None = None
    placement: Placement | None = None
    graceful_eviction_tasks: list[GracefulEvictionTask] | None = None
    required_by: list[BindingSnapshot] | None = None
    scheduler_name: str = ""
    failover: FailoverBehavior | None = None
    conflict_resolution: Annotated[Literal["Abort", "Overwrite"], Meta(extra_json_schema={"default": "Abort"})] = (
        "Abort"
    )
    reschedule_triggered_at: Time | None = None
    suspension: BindingSuspension | None = None
    preserve_resources_on_deletion: bool | None = None
    schedule_priority: BindingPriority | None = None
    workload_affinity_groups: WorkloadAffinityGroups | None = None

    @property
    def is_workload(self) -> bool:
        """Whether there are replicas to schedule."""
        return self.replicas > 0 or self.replica_requirements is not None or bool(self.components)

    @property
    def expected_clusters(self) -> list[str]:
        """Clusters that may have a Work: targets, those of dependents, and those being left gracefully."""
        clusters = [target.name for target in self.clusters or ()]
        for snapshot in self.required_by or ():
            clusters += [target.name for target in snapshot.clusters or ()]
        clusters += [
            task.from_cluster
            for task in self.graceful_eviction_tasks or ()
            if task.purge_mode not in ("Directly", "Immediately")
        ]
        return list(dict.fromkeys(clusters))


class AggregatedStatusItem(Wire, frozen=True, kw_only=True):
    """How it is in one cluster.

    status: What the kind's interpreter keeps of the status.
    applied: Whether it was written to the cluster.
    applied_message: Why not.
    """

    cluster_name: str
    status: RawJson | None = None
    applied: bool = False
    applied_message: str = ""
    health: Health | Literal[""] = ""


class BindingStatus(Wire, frozen=True, kw_only=True):
    """What was decided, and how it is.

    scheduler_observed_generation: Generation that the scheduler has seen.
    scheduler_observed_affinity_name: The clusterAffinities term in use.
    """

    scheduler_observed_generation: int = 0
    scheduler_observed_affinity_name: str = field(name="schedulerObservingAffinityName", default="")
    last_scheduled_time: Time | None = None
    conditions: list[Condition] | None = None
    aggregated_status: list[AggregatedStatusItem] | None = None


class ResourceBinding(Object, frozen=True, kw_only=True):
    """Where a namespaced template goes, and how many replicas where."""

    spec: BindingSpec
    status: BindingStatus = BindingStatus()


class ClusterResourceBinding(Object, frozen=True, kw_only=True):
    """Where a cluster-scoped template goes."""

    spec: BindingSpec
    status: BindingStatus = BindingStatus()


# -- work -------------------------------------------------------------------------------------------------------------

Manifest = Annotated[
    dict[str, Any],
    Meta(
        extra_json_schema={
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
        }
    ),
]


class WorkloadTemplate(Wire, frozen=True, kw_only=True):
    """Objects for the member."""

    manifests: list[Manifest] | None = None


class WorkSpec(Wire, frozen=True, kw_only=True):
    """What one member is to have.

    suspend_dispatching: True: nothing is written to the member.
    preserve_resources_on_deletion: True: objects stay in the member when this is deleted.
    """

    workload: WorkloadTemplate = WorkloadTemplate()
    suspend_dispatching: bool | None = None
    preserve_resources_on_deletion: bool | None = None


class ResourceIdentifier(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Which manifest a status belongs to. `resource` is always empty, as in Karmada."""

    ordinal: int
    version: str
    kind: str
    name: str
    group: str = ""
    namespace: str = ""
    resource: Annotated[str, Meta(extra_json_schema={REQUIRED: True})] = ""


class ManifestStatus(Wire, frozen=True, kw_only=True):
    """How one object is in the member."""

    identifier: ResourceIdentifier
    status: RawJson | None = None
    health: Health | Literal[""] = ""


class WorkStatus(Wire, frozen=True, kw_only=True):
    """How the objects are in the member."""

    conditions: list[Condition] | None = None
    manifest_statuses: list[ManifestStatus] | None = None


class Work(Object, frozen=True, kw_only=True):
    """The manifests meant for one member, in its execution namespace."""

    spec: Annotated[WorkSpec, Meta(extra_json_schema={REQUIRED: True})] = WorkSpec()
    status: WorkStatus = WorkStatus()


def new_work(
    *,
    namespace: str,
    name: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    manifest: Json,
    suspend: bool,
    preserve: bool,
    owner: OwnerReference | None = None,
) -> Json:
    """A Work with one manifest, as it is written: every Work that Hansa makes is made here.

    Both switches are always explicit, as Karmada's Works have them. `owner` is given where the garbage collector is to
    end the Work together with the owner.
    """
    metadata: Json = {
        "name": name,
        "namespace": namespace,
        "finalizers": [EXECUTION_FINALIZER],
        "labels": labels,
        "annotations": annotations,
    }
    if owner is not None:
        metadata["ownerReferences"] = [to_builtins(owner)]
    return {
        "apiVersion": "work.karmada.io/v1alpha1",
        "kind": "Work",
        "metadata": metadata,
        "spec": {
            "workload": {"manifests": [manifest]},
            "suspendDispatching": suspend,
            "preserveResourcesOnDeletion": preserve,
        },
    }
