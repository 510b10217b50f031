"""core.kubefed.io and scheduling.kubefed.io: KubeFed's clusters, types, settings and replica preferences."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from hansa.api.core import Int32, RawJson, Time
from hansa.api.meta import REQUIRED, LabelSelector, Object, Wire

# -- KubeFedCluster ---------------------------------------------------------------------------------------------------


class LocalSecret(Wire, frozen=True, kw_only=True):
    """A Secret of the same namespace, with the key `token`."""

    name: str


class KubeFedClusterSpec(Wire, frozen=True, kw_only=True):
    """How to reach the member; `ca_bundle` is base64.

    disabled_tls_validations: `*`, `SubjectName`, `ValidityPeriod`: what of its certificate is not checked.
    """

    api_endpoint: str
    secret_ref: LocalSecret
    ca_bundle: Annotated[str, Meta(extra_json_schema={"format": "byte"})] = ""
    disabled_tls_validations: list[str] | None = field(name="disabledTLSValidations", default=None)
    proxy_url: str = field(name="proxyURL", default="")


class KubeFedClusterCondition(Wire, frozen=True, kw_only=True):
    """`Ready`, `Offline` or `ConfigMalformed`."""

    type: str
    status: str
    last_probe_time: Time
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class KubeFedClusterStatus(Wire, frozen=True, kw_only=True):
    """How the member is."""

    conditions: list[KubeFedClusterCondition] | None = None
    kubernetes_version: str = ""
    region: str | None = None
    zones: list[str] | None = None


class KubeFedCluster(Object, frozen=True, kw_only=True):
    """A member, as KubeFed sees it."""

    spec: KubeFedClusterSpec
    status: KubeFedClusterStatus = KubeFedClusterStatus()


# -- FederatedTypeConfig ----------------------------------------------------------------------------------------------


class ApiResource(Wire, frozen=True, kw_only=True):
    """A kind and its resource.

    scope: `Namespaced` or `Cluster`.
    """

    version: str
    kind: str
    plural_name: str
    scope: str
    group: str = ""


class FederatedTypeConfigSpec(Wire, frozen=True, kw_only=True):
    """A kind, and the kind that federates it.

    propagation: `Enabled` or `Disabled`.
    status_collection: `Enabled` or `Disabled`.
    """

    target_type: ApiResource
    federated_type: ApiResource
    propagation: str
    status_type: ApiResource | None = None
    status_collection: str | None = None


class FederatedTypeConfigStatus(Wire, frozen=True, kw_only=True):
    """Whether the controllers of the type run: `Running` or `NotRunning`."""

    observed_generation: Annotated[int, Meta(extra_json_schema={REQUIRED: True})] = 0
    propagation_controller: Annotated[str, Meta(extra_json_schema={REQUIRED: True})] = ""
    status_controller: str | None = None


class FederatedTypeConfig(Object, frozen=True, kw_only=True):
    """What is federated as what."""

    spec: FederatedTypeConfigSpec
    status: FederatedTypeConfigStatus | None = None


# -- KubeFedConfig ----------------------------------------------------------------------------------------------------


class DurationConfig(Wire, frozen=True, kw_only=True):
    """How long members are waited for."""

    available_delay: str | None = None
    unavailable_delay: str | None = None
    cache_sync_timeout: str | None = None


class LeaderElectConfig(Wire, frozen=True, kw_only=True):
    """How the leader is chosen."""

    lease_duration: str | None = None
    renew_deadline: str | None = None
    retry_period: str | None = None
    resource_lock: str | None = None


class FeatureGate(Wire, frozen=True, kw_only=True):
    """A feature, `Enabled` or `Disabled`."""

    name: str
    configuration: str


class ClusterHealthCheckConfig(Wire, frozen=True, kw_only=True):
    """How members are probed."""

    period: str | None = None
    failure_threshold: int | None = None
    success_threshold: int | None = None
    timeout: str | None = None


class SyncControllerConfig(Wire, frozen=True, kw_only=True):
    """How objects are kept in members.

    adopt_resources: `Enabled`: objects that are there already are taken over.
    """

    max_concurrent_reconciles: int | None = None
    adopt_resources: str | None = None


class StatusControllerConfig(Wire, frozen=True, kw_only=True):
    """How statuses are collected."""

    max_concurrent_reconciles: int | None = None


class KubeFedConfigSpec(Wire, frozen=True, kw_only=True):
    """Settings of the control plane.

    scope: `Namespaced` or `Cluster`; cannot be changed.
    """

    scope: str
    controller_duration: DurationConfig | None = None
    leader_elect: LeaderElectConfig | None = None
    feature_gates: list[FeatureGate] | None = None
    cluster_health_check: ClusterHealthCheckConfig | None = None
    sync_controller: SyncControllerConfig | None = None
    status_controller: StatusControllerConfig | None = None


class KubeFedConfig(Object, frozen=True, kw_only=True):
    """KubeFed's settings; the one that counts is named `kubefed`."""

    spec: KubeFedConfigSpec


# -- versions and legacy status ---------------------------------------------------------------------------------------


class ClusterObjectVersion(Wire, frozen=True, kw_only=True):
    """What was last written to one member.

    version: `gen:` and a generation, or `rv:` and a resourceVersion.
    """

    cluster_name: str
    version: str


class PropagatedVersionStatus(Wire, frozen=True, kw_only=True):
    """What was last written, and from what.

    template_version: Hash of the template.
    overrides_version: Hash of the overrides.
    """

    template_version: str
    overrides_version: str = field(name="overridesVersion")
    cluster_versions: list[ClusterObjectVersion] | None = None


class PropagatedVersion(Object, frozen=True, kw_only=True):
    """What was last written to members, for a namespaced FederatedX."""

    status: PropagatedVersionStatus | None = None


class ClusterPropagatedVersion(Object, frozen=True, kw_only=True):
    """What was last written to members, for a cluster-scoped FederatedX."""

    status: PropagatedVersionStatus | None = None


class FederatedServiceClusterStatus(Wire, frozen=True, kw_only=True):
    """Status of the Service in one member."""

    cluster_name: str
    status: Annotated[RawJson, Meta(extra_json_schema={REQUIRED: True})] | None = None


class FederatedServiceStatus(Object, frozen=True, kw_only=True):
    """Status of a FederatedService's copies, as old tools read it."""

    cluster_status: list[FederatedServiceClusterStatus] | None = None


# -- ReplicaSchedulingPreference --------------------------------------------------------------------------------------


class ClusterPreferences(Wire, frozen=True, kw_only=True):
    """The share of one cluster.

    max_replicas: Not set: no limit.
    weight: Share of what is left above the minimum.
    """

    min_replicas: int = 0
    max_replicas: int | None = None
    weight: int = 0


class ReplicaSchedulingPreferenceSpec(Wire, frozen=True, kw_only=True):
    """How many replicas where.

    target_kind: `FederatedDeployment` or `FederatedReplicaSet`.
    rebalance: Whether running replicas are moved.
    intersect_with_cluster_selector: Whether only clusters that the placement selects count.
    clusters: By name; `*` stands for any cluster that is not named.
    """

    target_kind: str
    total_replicas: Int32
    rebalance: bool = False
    intersect_with_cluster_selector: bool = False
    clusters: dict[str, ClusterPreferences] | None = None


class ReplicaSchedulingPreference(Object, frozen=True, kw_only=True):
    """How many replicas where, for the FederatedDeployment or FederatedReplicaSet of the same name."""

    spec: ReplicaSchedulingPreferenceSpec
    status: RawJson | None = None


# -- FederatedX -------------------------------------------------------------------------------------------------------


class ClusterName(Wire, frozen=True, kw_only=True):
    """A cluster by name."""

    name: str


class Placement(Wire, frozen=True, kw_only=True):
    """`clusters` wins over the selector as soon as it is given, even empty."""

    clusters: list[ClusterName] | None = None
    cluster_selector: LabelSelector | None = None
