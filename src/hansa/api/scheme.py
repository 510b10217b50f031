"""The resources that Hansa's code names. Everything else is found by discovery."""

from __future__ import annotations

from hansa.api.meta import Resource

# -- Karmada ----------------------------------------------------------------------------------------------------------

PROPAGATION_POLICIES = Resource("policy.karmada.io", "v1alpha1", "propagationpolicies", "PropagationPolicy", True)
CLUSTER_PROPAGATION_POLICIES = Resource(
    "policy.karmada.io", "v1alpha1", "clusterpropagationpolicies", "ClusterPropagationPolicy", False
)
OVERRIDE_POLICIES = Resource("policy.karmada.io", "v1alpha1", "overridepolicies", "OverridePolicy", True)
CLUSTER_OVERRIDE_POLICIES = Resource(
    "policy.karmada.io", "v1alpha1", "clusteroverridepolicies", "ClusterOverridePolicy", False
)
RESOURCE_BINDINGS = Resource("work.karmada.io", "v1alpha2", "resourcebindings", "ResourceBinding", True)
CLUSTER_RESOURCE_BINDINGS = Resource(
    "work.karmada.io", "v1alpha2", "clusterresourcebindings", "ClusterResourceBinding", False
)
WORKS = Resource("work.karmada.io", "v1alpha1", "works", "Work", True)
CLUSTER_TAINT_POLICIES = Resource("policy.karmada.io", "v1alpha1", "clustertaintpolicies", "ClusterTaintPolicy", False)
FEDERATED_RESOURCE_QUOTAS = Resource(
    "policy.karmada.io", "v1alpha1", "federatedresourcequotas", "FederatedResourceQuota", True
)
RESOURCE_INTERPRETER_CUSTOMIZATIONS = Resource(
    "config.karmada.io", "v1alpha1", "resourceinterpretercustomizations", "ResourceInterpreterCustomization", False
)
RESOURCE_INTERPRETER_WEBHOOK_CONFIGURATIONS = Resource(
    "config.karmada.io",
    "v1alpha1",
    "resourceinterpreterwebhookconfigurations",
    "ResourceInterpreterWebhookConfiguration",
    False,
)
MULTI_CLUSTER_SERVICES = Resource(
    "networking.karmada.io", "v1alpha1", "multiclusterservices", "MultiClusterService", True
)
MULTI_CLUSTER_INGRESSES = Resource(
    "networking.karmada.io", "v1alpha1", "multiclusteringresses", "MultiClusterIngress", True
)
FEDERATED_HPAS = Resource("autoscaling.karmada.io", "v1alpha1", "federatedhpas", "FederatedHPA", True)
CRON_FEDERATED_HPAS = Resource("autoscaling.karmada.io", "v1alpha1", "cronfederatedhpas", "CronFederatedHPA", True)
WORKLOAD_REBALANCERS = Resource("apps.karmada.io", "v1alpha1", "workloadrebalancers", "WorkloadRebalancer", False)
REMEDIES = Resource("remedy.karmada.io", "v1alpha1", "remedies", "Remedy", False)
RESOURCE_REGISTRIES = Resource("search.karmada.io", "v1alpha1", "resourceregistries", "ResourceRegistry", False)
CLUSTERS = Resource("cluster.karmada.io", "v1alpha1", "clusters", "Cluster", False)

# -- KubeFed ----------------------------------------------------------------------------------------------------------

KUBEFED_CLUSTERS = Resource("core.kubefed.io", "v1beta1", "kubefedclusters", "KubeFedCluster", True)
FEDERATED_TYPE_CONFIGS = Resource("core.kubefed.io", "v1beta1", "federatedtypeconfigs", "FederatedTypeConfig", True)
KUBEFED_CONFIGS = Resource("core.kubefed.io", "v1beta1", "kubefedconfigs", "KubeFedConfig", True)
PROPAGATED_VERSIONS = Resource("core.kubefed.io", "v1alpha1", "propagatedversions", "PropagatedVersion", True)
CLUSTER_PROPAGATED_VERSIONS = Resource(
    "core.kubefed.io", "v1alpha1", "clusterpropagatedversions", "ClusterPropagatedVersion", False
)
FEDERATED_SERVICE_STATUSES = Resource(
    "core.kubefed.io", "v1alpha1", "federatedservicestatuses", "FederatedServiceStatus", True
)
REPLICA_SCHEDULING_PREFERENCES = Resource(
    "scheduling.kubefed.io", "v1alpha1", "replicaschedulingpreferences", "ReplicaSchedulingPreference", True
)
FEDERATED_NAMESPACES = Resource("types.kubefed.io", "v1beta1", "federatednamespaces", "FederatedNamespace", True)

# -- multi-cluster services -------------------------------------------------------------------------------------------

SERVICE_EXPORTS = Resource("multicluster.x-k8s.io", "v1beta1", "serviceexports", "ServiceExport", True)
SERVICE_IMPORTS = Resource("multicluster.x-k8s.io", "v1beta1", "serviceimports", "ServiceImport", True)
SERVICE_ROUTING_POLICIES = Resource(
    "networking.hansa.dev", "v1alpha1", "serviceroutingpolicies", "ServiceRoutingPolicy", True
)

# -- Kubernetes -------------------------------------------------------------------------------------------------------

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False)
NODES = Resource("", "v1", "nodes", "Node", False)
PODS = Resource("", "v1", "pods", "Pod", True)
SERVICES = Resource("", "v1", "services", "Service", True)
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints", True)
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap", True)
SECRETS = Resource("", "v1", "secrets", "Secret", True)
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", True)
PERSISTENT_VOLUME_CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True)
EVENTS = Resource("", "v1", "events", "Event", True)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True)
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", True)
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet", True)
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet", True)
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision", True)
JOBS = Resource("batch", "v1", "jobs", "Job", True)
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", True)
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role", True)
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", True)
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False)
CLUSTER_ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", False)
CERTIFICATE_SIGNING_REQUESTS = Resource(
    "certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", False
)
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
MUTATING_WEBHOOK_CONFIGURATIONS = Resource(
    "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False
)
VALIDATING_WEBHOOK_CONFIGURATIONS = Resource(
    "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False
)
PRIORITY_CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", False)
