"""Every label, annotation, finalizer, namespace and field manager that Hansa reads or writes, each once.

Those under karmada.io, kubefed.io and multicluster.x-k8s.io are the words of those APIs; hansa.dev is ours.
"""

from __future__ import annotations

FIELD_MANAGER = "hansa"

# -- Hansa ------------------------------------------------------------------------------------------------------------

DIALECT_LABEL = "hansa.dev/dialect"
"""On bindings and works: which convention holds after the binding. Absent means Karmada."""
KARMADA = "karmada"
KUBEFED = "kubefed"
HANSA_NAMESPACE = "hansa-system"
HANSA_WEBHOOKS = "hansa"
"""Name of the webhook configurations."""

# -- namespaces -------------------------------------------------------------------------------------------------------

KUBE_SYSTEM = "kube-system"
KUBE_PUBLIC = "kube-public"
DEFAULT_NAMESPACE = "default"
KARMADA_SYSTEM = "karmada-system"
CLUSTER_NAMESPACE = "karmada-cluster"
"""Where credentials of members are kept."""
EXECUTION_NAMESPACE_PREFIX = "karmada-es-"
KUBEFED_NAMESPACE = "kube-federation-system"
RESERVED_NAMESPACES = frozenset({KARMADA_SYSTEM, CLUSTER_NAMESPACE})
CLUSTER_NAME_MAX_LENGTH = 48

# -- Karmada: labels --------------------------------------------------------------------------------------------------

POLICY_ID_LABEL = "propagationpolicy.karmada.io/permanent-id"
CLUSTER_POLICY_ID_LABEL = "clusterpropagationpolicy.karmada.io/permanent-id"
BINDING_ID_LABEL = "resourcebinding.karmada.io/permanent-id"
CLUSTER_BINDING_ID_LABEL = "clusterresourcebinding.karmada.io/permanent-id"
WORK_ID_LABEL = "work.karmada.io/permanent-id"
MANAGED_LABEL = "karmada.io/managed"
SYSTEM_LABEL = "karmada.io/system"
DEPENDED_BY_LABEL_PREFIX = "resourcebinding.karmada.io/depended-by-"
BINDING_MANAGED_BY_LABEL = "binding.karmada.io/managed-by"
CLAIMED_BY_LABEL = "resourcetemplate.karmada.io/claimed-by"
RETAIN_REPLICAS_LABEL = "resourcetemplate.karmada.io/retain-replicas"
DELETION_PROTECTED_LABEL = "resourcetemplate.karmada.io/deletion-protected"
SKIP_AUTO_PROPAGATION_LABEL = "namespace.karmada.io/skip-auto-propagation"
SERVICE_ID_LABEL = "multiclusterservice.karmada.io/permanent-id"
SERVICE_NAME_LABEL = "multiclusterservice.karmada.io/name"
SERVICE_NAMESPACE_LABEL = "multiclusterservice.karmada.io/namespace"
"""These two are annotations too, on the Service and its binding."""

# -- Karmada: annotations ---------------------------------------------------------------------------------------------

POLICY_NAMESPACE_ANNOTATION = "propagationpolicy.karmada.io/namespace"
POLICY_NAME_ANNOTATION = "propagationpolicy.karmada.io/name"
CLUSTER_POLICY_NAME_ANNOTATION = "clusterpropagationpolicy.karmada.io/name"
APPLIED_PLACEMENT_ANNOTATION = "policy.karmada.io/applied-placement"
APPLIED_OVERRIDES_ANNOTATION = "policy.karmada.io/applied-overrides"
APPLIED_CLUSTER_OVERRIDES_ANNOTATION = "policy.karmada.io/applied-cluster-overrides"
BINDING_NAMESPACE_ANNOTATION = "resourcebinding.karmada.io/namespace"
BINDING_NAME_ANNOTATION = "resourcebinding.karmada.io/name"
CLUSTER_BINDING_NAME_ANNOTATION = "clusterresourcebinding.karmada.io/name"
DEPENDENCIES_ANNOTATION = "resourcebinding.karmada.io/dependencies"
WORK_NAMESPACE_ANNOTATION = "work.karmada.io/namespace"
WORK_NAME_ANNOTATION = "work.karmada.io/name"
CONFLICT_RESOLUTION_ANNOTATION = "work.karmada.io/conflict-resolution"
TEMPLATE_UID_ANNOTATION = "resourcetemplate.karmada.io/uid"
TEMPLATE_GENERATION_ANNOTATION = "resourcetemplate.karmada.io/generation"
MANAGED_ANNOTATIONS_ANNOTATION = "resourcetemplate.karmada.io/managed-annotations"
MANAGED_LABELS_ANNOTATION = "resourcetemplate.karmada.io/managed-labels"
PROVISION_CLUSTER_ANNOTATION = "endpointslice.karmada.io/provision-cluster"

# -- Karmada: finalizers ----------------------------------------------------------------------------------------------

POLICY_FINALIZER = "karmada.io/propagation-policy-controller"
CLUSTER_POLICY_FINALIZER = "karmada.io/cluster-propagation-policy-controller"
BINDING_FINALIZER = "karmada.io/binding-controller"
CLUSTER_BINDING_FINALIZER = "karmada.io/cluster-resource-binding-controller"
DEPENDENCIES_FINALIZER = "karmada.io/binding-dependencies-distributor"
EXECUTION_FINALIZER = "karmada.io/execution-controller"
CLUSTER_FINALIZER = "karmada.io/cluster-controller"
SERVICE_FINALIZER = "karmada.io/multiclusterservice-controller"

# -- Karmada: taints --------------------------------------------------------------------------------------------------

NOT_READY_TAINT = "cluster.karmada.io/not-ready"
UNREACHABLE_TAINT = "cluster.karmada.io/unreachable"

# -- KubeFed ----------------------------------------------------------------------------------------------------------

KUBEFED_MANAGED_LABEL = "kubefed.io/managed"
KUBEFED_ORPHAN_ANNOTATION = "kubefed.io/orphan"
KUBEFED_DELETE_OPTION_ANNOTATION = "kubefed.io/deleteoption"
KUBEFED_SYNC_FINALIZER = "kubefed.io/sync-controller"
KUBEFED_TYPE_FINALIZER = "core.kubefed.io/federated-type-config"
KUBEFED_CONFIG = "kubefed"
"""Name of the one KubeFedConfig."""

# -- multi-cluster services -------------------------------------------------------------------------------------------

IMPORT_NAME_LABEL = "multicluster.kubernetes.io/service-name"
SOURCE_CLUSTER_LABEL = "multicluster.kubernetes.io/source-cluster"
DERIVED_SERVICE_ANNOTATION = "multicluster.kubernetes.io/derived-service"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
SLICE_MANAGER = "hansa-mcs"
SERVICE_LABEL = "kubernetes.io/service-name"
ROUTE_ANNOTATION = "hansa.dev/route"
"""On a ServiceImport: the ways to it from there, a `Route` as JSON."""
NETWORK_ANNOTATION = "hansa.dev/network"
"""On a Cluster: clusters of one network reach each other's pods. Not set: a network of its own."""
GATEWAYS_ANNOTATION = "hansa.dev/gateways"
"""On a Cluster: `host:port` of its gateways, separated by commas."""
POD_RANGES_ANNOTATION = "hansa.dev/pod-ranges"
"""On a Cluster: CIDRs of its pods, separated by commas; addresses of others are not believed. Not set: any."""
EXPORTED_ANNOTATION = "hansa.dev/exported"
"""On a ServiceImport: the mark that it is Hansa's, and what it was made of, a `Made` as JSON."""
INSTALLED_BY_LABEL = "app.kubernetes.io/managed-by"
"""On definitions in members: whose they are."""
REVISION_LABEL = "hansa.dev/revision"
"""On definitions in members: a whole number, the higher the newer."""
SERVICES_FINALIZER = "hansa.dev/multi-cluster-services"
"""On a Cluster: it has imports of ours."""
SERVICES_LEASE = "hansa-services"
"""Lease in a cluster's execution namespace on the hub: when services of the cluster were last heard of."""
SILENT_ANNOTATION = "hansa.dev/silent-seconds"
"""On that Lease, while the cluster is not heard: for how many seconds somebody listened. A whole number."""
KARMADA_SLICE_MANAGER = "endpointslice-controller.karmada.io"
KARMADA_DISPATCHED_SLICE_MANAGER = "endpointslice-dispatch-controller.karmada.io"
GATEWAY_ADDRESSES = "hansa-gateway"
"""ConfigMap in hansa-system of a member, written by its gateway; and the Service before several, where there is one."""
GATEWAY_ADDRESSES_KEY = "addresses"
PEERS = "hansa-peers"
"""ConfigMap in hansa-system of each member."""
PEERS_KEY = "peers.json"
GATEWAY_HEALTH_KEY = "health"
"""In the same ConfigMap: how well that gateway reaches the other clusters, as JSON."""
GATEWAY_IDENTITY = "hansa-gateway-identity"
"""Secret in hansa-system of a member: tls.crt, tls.key, ca.crt."""
GATEWAY_SIGNER = "hansa.dev/gateway"
GATEWAY_AUTHORITY = "hansa-gateway-authority"
"""Secret in hansa-system of the hub: tls.crt and tls.key sign, ca.crt are all that are believed …"""
GATEWAY_AUTHORITIES = "hansa-gateway-authorities"
"""… and the ConfigMap there in which gateways find ca.crt."""
MEMBER_USER_PREFIX = "hansa:cluster:"
"""A member's own identity on the hub is the user of that prefix and its cluster's name …"""
MEMBERS_GROUP = "hansa:clusters"
"""… in this group."""
CLUSTERSET = "clusterset.local"
"""Domain of imported services, and trust domain of gateways."""

# -- Kubernetes -------------------------------------------------------------------------------------------------------

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
SERVICE_ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"
SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
"""Type of Secrets that hold a token of the account that the annotation names."""
