"""Hansa's own kinds: how each appears in discovery, and which struct it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hansa.api import apps, autoscaling, cluster, config, kubefed, mcs, networking, policy, remedy, search, work
from hansa.api.meta import Json, Object, Resource

KARMADA = ("karmada-io",)


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of a CustomResourceDefinition."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


AGE = Column("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in the version in which it is stored; `versions` names all that are served."""

    resource: Resource
    struct: type[Object]
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    has_status: bool = False
    scale: Json | None = None
    versions: tuple[str, ...] = ()
    spec_required: bool = True
    adjust: Callable[[Json], None] | None = field(default=None, repr=False)
    """Last changes to the schema that types cannot say."""


def _kind(
    group: str, version: str, plural: str, struct: type[Object], namespaced: bool, *short: str, **more: object
) -> Kind:
    resource = Resource(group, version, plural, struct.__name__, namespaced)
    return Kind(resource, struct, struct.__name__.lower(), short, **more)  # type: ignore[arg-type]


def _condition(kind: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].status'


_POLICY = (Column("Conflict-Resolution", ".spec.conflictResolution"), Column("Priority", ".spec.priority"), AGE)
_BINDING = (Column("Scheduled", _condition("Scheduled")), Column("FullyApplied", _condition("FullyApplied")), AGE)
_CLUSTER = (
    Column("Version", ".status.kubernetesVersion"),
    Column("Mode", ".spec.syncMode"),
    Column("Ready", _condition("Ready")),
    AGE,
    Column("Zones", ".spec.zones", priority=1),
    Column("Region", ".spec.region", priority=1),
    Column("Provider", ".spec.provider", priority=1),
    Column("API-Endpoint", ".spec.apiEndpoint", priority=1),
    Column("Proxy-URL", ".spec.proxyURL", priority=1),
)
_HPA = (
    Column("Reference-Kind", ".spec.scaleTargetRef.kind"),
    Column("Reference-Name", ".spec.scaleTargetRef.name"),
    Column("MinPods", ".spec.minReplicas", "integer"),
    Column("MaxPods", ".spec.maxReplicas", "integer"),
    Column("Replicas", ".status.currentReplicas", "integer"),
    AGE,
)
_CRON_HPA = (
    Column("Reference-Kind", ".spec.scaleTargetRef.kind"),
    Column("Reference-Name", ".spec.scaleTargetRef.name"),
    AGE,
)
_IMPORT = (Column("Type", ".spec.type"), Column("IP", ".spec.ips"), AGE)
_MCS = {"versions": ("v1beta1", "v1alpha1"), "has_status": True, "spec_required": False}

POLICY, WORK, CLUSTER = "policy.karmada.io", "work.karmada.io", "cluster.karmada.io"
CONFIG, NETWORKING, AUTOSCALING = "config.karmada.io", "networking.karmada.io", "autoscaling.karmada.io"
APPS, REMEDY, SEARCH = "apps.karmada.io", "remedy.karmada.io", "search.karmada.io"
KUBEFED, KUBEFED_SCHEDULING, MCS = "core.kubefed.io", "scheduling.kubefed.io", "multicluster.x-k8s.io"

KINDS: tuple[Kind, ...] = (
    _kind(
        POLICY, "v1alpha1", "propagationpolicies", policy.PropagationPolicy, True, "pp",
        categories=KARMADA, columns=_POLICY,
    ),
    _kind(
        POLICY, "v1alpha1", "clusterpropagationpolicies", policy.ClusterPropagationPolicy, False, "cpp",
        categories=KARMADA, columns=_POLICY,
    ),
    _kind(POLICY, "v1alpha1", "overridepolicies", policy.OverridePolicy, True, "op", categories=KARMADA),
    _kind(
        POLICY, "v1alpha1", "clusteroverridepolicies", policy.ClusterOverridePolicy, False, "cop", categories=KARMADA
    ),
    _kind(POLICY, "v1alpha1", "clustertaintpolicies", policy.ClusterTaintPolicy, False, categories=KARMADA),
    _kind(
        POLICY, "v1alpha1", "federatedresourcequotas", apps.FederatedResourceQuota, True, "frq",
        categories=KARMADA, has_status=True,
    ),
    _kind(
        WORK, "v1alpha2", "resourcebindings", work.ResourceBinding, True, "rb",
        categories=KARMADA, columns=_BINDING, has_status=True,
    ),
    _kind(
        WORK, "v1alpha2", "clusterresourcebindings", work.ClusterResourceBinding, False, "crb",
        categories=KARMADA, columns=_BINDING, has_status=True,
    ),
    _kind(
        WORK, "v1alpha1", "works", work.Work, True, "wk",
        categories=KARMADA,
        columns=(
            Column("Workload-Kind", ".spec.workload.manifests[*].kind"),
            Column("Applied", _condition("Applied")),
            AGE,
        ),
        has_status=True,
    ),
    _kind(CLUSTER, "v1alpha1", "clusters", cluster.Cluster, False, columns=_CLUSTER, has_status=True),
    _kind(
        CONFIG, "v1alpha1", "resourceinterpretercustomizations", config.ResourceInterpreterCustomization, False, "ric",
        categories=KARMADA,
        columns=(
            Column("Target-API-Version", ".spec.target.apiVersion"),
            Column("Target-Kind", ".spec.target.kind"),
            AGE,
        ),
    ),
    _kind(
        CONFIG, "v1alpha1", "resourceinterpreterwebhookconfigurations",
        config.ResourceInterpreterWebhookConfiguration, False,
        categories=KARMADA,
    ),
    _kind(
        NETWORKING, "v1alpha1", "multiclusterservices", networking.MultiClusterService, True, "mcs",
        categories=KARMADA, has_status=True,
    ),
    _kind(
        NETWORKING, "v1alpha1", "multiclusteringresses", networking.MultiClusterIngress, True, "mci",
        categories=KARMADA, has_status=True, spec_required=False,
    ),
    _kind(
        AUTOSCALING, "v1alpha1", "federatedhpas", autoscaling.FederatedHPA, True, "fhpa",
        categories=KARMADA, columns=_HPA, has_status=True,
    ),
    _kind(
        AUTOSCALING, "v1alpha1", "cronfederatedhpas", autoscaling.CronFederatedHPA, True, "cronfhpa",
        categories=KARMADA, columns=_CRON_HPA, has_status=True,
    ),
    _kind(
        APPS, "v1alpha1", "workloadrebalancers", apps.WorkloadRebalancer, False,
        categories=KARMADA, has_status=True,
    ),
    _kind(REMEDY, "v1alpha1", "remedies", remedy.Remedy, False, categories=KARMADA),
    _kind(
        SEARCH, "v1alpha1", "resourceregistries", search.ResourceRegistry, False, categories=KARMADA, has_status=True
    ),
    _kind(
        KUBEFED, "v1beta1", "kubefedclusters", kubefed.KubeFedCluster, True, "kfc",
        columns=(AGE, Column("ready", _condition("Ready")), Column("kubernetes-version", ".status.kubernetesVersion")),
        has_status=True,
    ),
    _kind(
        KUBEFED, "v1beta1", "federatedtypeconfigs", kubefed.FederatedTypeConfig, True, "ftc",
        has_status=True,
    ),
    _kind(KUBEFED, "v1beta1", "kubefedconfigs", kubefed.KubeFedConfig, True),
    _kind(
        KUBEFED, "v1alpha1", "propagatedversions", kubefed.PropagatedVersion, True,
        has_status=True, spec_required=False,
    ),
    _kind(
        KUBEFED, "v1alpha1", "clusterpropagatedversions", kubefed.ClusterPropagatedVersion, False,
        has_status=True, spec_required=False,
    ),
    _kind(
        KUBEFED, "v1alpha1", "federatedservicestatuses", kubefed.FederatedServiceStatus, True,
        spec_required=False,
    ),
    _kind(
        KUBEFED_SCHEDULING, "v1alpha1", "replicaschedulingpreferences",
        kubefed.ReplicaSchedulingPreference, True, "rsp",
    ),
    _kind(MCS, "v1beta1", "serviceexports", mcs.ServiceExport, True, "svcex", "svcexport", columns=(AGE,), **_MCS),
    _kind(MCS, "v1beta1", "serviceimports", mcs.ServiceImport, True, "svcim", "svcimport", columns=_IMPORT, **_MCS),
)  # fmt: skip
