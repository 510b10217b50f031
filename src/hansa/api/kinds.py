"""Hansa's own kinds: how each appears in discovery, and which struct it is."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api import (
    apps,
    autoscaling,
    cluster,
    config,
    kubefed,
    mcs,
    networking,
    policy,
    remedy,
    routing,
    scheme,
    search,
    work,
)
from hansa.api.meta import Object, Resource

_KARMADA = ("karmada-io",)


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of a CustomResourceDefinition."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in the version in which it is stored; `versions` names all that are served, stored one first."""

    resource: Resource
    struct: type[Object]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = _KARMADA
    columns: tuple[Column, ...] = ()
    has_status: bool = False
    versions: tuple[str, ...] = ()
    spec_required: bool = True

    @property
    def singular(self) -> str:
        return self.resource.kind.lower()


def _condition(kind: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].status'


# kubectl prints names in capitals whatever they are; tools that read tables see them as they are
_AGE = Column("AGE", ".metadata.creationTimestamp", "date")
_POLICY = (Column("CONFLICT-RESOLUTION", ".spec.conflictResolution"), Column("PRIORITY", ".spec.priority"), _AGE)
_BINDING = (Column("SCHEDULED", _condition("Scheduled")), Column("FULLYAPPLIED", _condition("FullyApplied")), _AGE)
_QUOTA = (Column("OVERALL", ".status.overall"), Column("OVERALL_USED", ".status.overallUsed"))
_CLUSTER = (
    Column("Version", ".status.kubernetesVersion"),
    Column("Mode", ".spec.syncMode"),
    Column("Ready", _condition("Ready")),
    Column("Age", ".metadata.creationTimestamp", "date"),
    Column("Zones", ".spec.zones", priority=1),
    Column("Region", ".spec.region", priority=1),
    Column("Provider", ".spec.provider", priority=1),
    Column("API-Endpoint", ".spec.apiEndpoint", priority=1),
    Column("Proxy-URL", ".spec.proxyURL", priority=1),
)
_WORK = (
    Column("WORKLOAD-KIND", ".spec.workload.manifests[*].kind"),
    Column("APPLIED", _condition("Applied")),
    _AGE,
)
_CUSTOMIZATION = (
    Column("TARGET-API-VERSION", ".spec.target.apiVersion"),
    Column("TARGET-KIND", ".spec.target.kind"),
    _AGE,
)
_SCALED = (
    Column("REFERENCE-KIND", ".spec.scaleTargetRef.kind"),
    Column("REFERENCE-NAME", ".spec.scaleTargetRef.name"),
)
_HPA = (
    *_SCALED,
    Column("MINPODS", ".spec.minReplicas", "integer"),
    Column("MAXPODS", ".spec.maxReplicas", "integer"),
    Column("REPLICAS", ".status.currentReplicas", "integer"),
    _AGE,
)
_MEMBER = (
    Column("age", ".metadata.creationTimestamp", "date"),
    Column("ready", _condition("Ready")),
    Column("kubernetes-version", ".status.kubernetesVersion"),
)
_EXPORT = (Column("Age", ".metadata.creationTimestamp", "date"),)
_IMPORT = (Column("Type", ".spec.type"), Column("IP", ".spec.ips"), *_EXPORT)
_ROUTING = (
    Column("Mode", ".spec.mode"),
    Column("Prefer", ".spec.prefer"),
    Column("Accepted", _condition("Accepted")),
    *_EXPORT,
)
_BOTH = ("v1beta1", "v1alpha1")

_KARMADA_KINDS = (
    Kind(scheme.PROPAGATION_POLICIES, policy.PropagationPolicy, ("pp",), columns=_POLICY),
    Kind(scheme.CLUSTER_PROPAGATION_POLICIES, policy.ClusterPropagationPolicy, ("cpp",), columns=_POLICY),
    Kind(scheme.OVERRIDE_POLICIES, policy.OverridePolicy, ("op",)),
    Kind(scheme.CLUSTER_OVERRIDE_POLICIES, policy.ClusterOverridePolicy, ("cop",)),
    Kind(scheme.CLUSTER_TAINT_POLICIES, policy.ClusterTaintPolicy, categories=()),
    Kind(scheme.FEDERATED_RESOURCE_QUOTAS, apps.FederatedResourceQuota, columns=_QUOTA, has_status=True),
    Kind(scheme.RESOURCE_BINDINGS, work.ResourceBinding, ("rb",), columns=_BINDING, has_status=True),
    Kind(scheme.CLUSTER_RESOURCE_BINDINGS, work.ClusterResourceBinding, ("crb",), columns=_BINDING, has_status=True),
    Kind(scheme.WORKS, work.Work, ("wk",), columns=_WORK, has_status=True),
    Kind(scheme.CLUSTERS, cluster.Cluster, categories=(), columns=_CLUSTER, has_status=True),
    Kind(
        scheme.RESOURCE_INTERPRETER_CUSTOMIZATIONS,
        config.ResourceInterpreterCustomization,
        ("ric",),
        columns=_CUSTOMIZATION,
    ),
    Kind(scheme.RESOURCE_INTERPRETER_WEBHOOK_CONFIGURATIONS, config.ResourceInterpreterWebhookConfiguration),
    Kind(scheme.MULTI_CLUSTER_SERVICES, networking.MultiClusterService, ("mcs",), has_status=True),
    Kind(
        scheme.MULTI_CLUSTER_INGRESSES, networking.MultiClusterIngress, ("mci",), has_status=True, spec_required=False
    ),
    Kind(scheme.FEDERATED_HPAS, autoscaling.FederatedHPA, ("fhpa",), columns=_HPA, has_status=True),
    Kind(
        scheme.CRON_FEDERATED_HPAS,
        autoscaling.CronFederatedHPA,
        ("cronfhpa",),
        columns=(*_SCALED, _AGE),
        has_status=True,
    ),
    Kind(scheme.WORKLOAD_REBALANCERS, apps.WorkloadRebalancer, categories=(), has_status=True),
    Kind(scheme.REMEDIES, remedy.Remedy),
    Kind(scheme.RESOURCE_REGISTRIES, search.ResourceRegistry, has_status=True),
)
_KUBEFED_KINDS = (
    Kind(scheme.KUBEFED_CLUSTERS, kubefed.KubeFedCluster, ("kfc",), (), _MEMBER, has_status=True),
    Kind(scheme.FEDERATED_TYPE_CONFIGS, kubefed.FederatedTypeConfig, ("ftc",), (), has_status=True),
    Kind(scheme.KUBEFED_CONFIGS, kubefed.KubeFedConfig, (), ()),
    Kind(scheme.PROPAGATED_VERSIONS, kubefed.PropagatedVersion, (), (), has_status=True),
    Kind(scheme.CLUSTER_PROPAGATED_VERSIONS, kubefed.ClusterPropagatedVersion, (), (), has_status=True),
    Kind(scheme.FEDERATED_SERVICE_STATUSES, kubefed.FederatedServiceStatus, (), ()),
    Kind(scheme.REPLICA_SCHEDULING_PREFERENCES, kubefed.ReplicaSchedulingPreference, ("rsp",), ()),
)
_SERVICE_KINDS = (
    Kind(scheme.SERVICE_EXPORTS, mcs.ServiceExport, ("svcex", "svcexport"), (), _EXPORT, True, _BOTH),
    Kind(scheme.SERVICE_IMPORTS, mcs.ServiceImport, ("svcim", "svcimport"), (), _IMPORT, True, _BOTH, False),
    Kind(scheme.SERVICE_ROUTING_POLICIES, routing.ServiceRoutingPolicy, ("srp",), (), _ROUTING, has_status=True),
)
KINDS: tuple[Kind, ...] = (*_KARMADA_KINDS, *_KUBEFED_KINDS, *_SERVICE_KINDS)
