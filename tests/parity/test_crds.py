"""The definitions that users' manifests and tools rely on: names, columns, subresources, defaults, choices."""

import pytest

from hansa.api.crd import all_crds, federated_crd
from hansa.api.meta import Resource

CRDS = {crd["metadata"]["name"]: crd["spec"] for crd in all_crds()}

KARMADA = ["karmada-io"]
NAMES = [
    # name, kind, short names, categories, namespaced, status subresource, columns
    ("propagationpolicies.policy.karmada.io", "PropagationPolicy", ["pp"], KARMADA, True, False,
     ["CONFLICT-RESOLUTION", "PRIORITY", "AGE"]),
    ("clusterpropagationpolicies.policy.karmada.io", "ClusterPropagationPolicy", ["cpp"], KARMADA, False, False,
     ["CONFLICT-RESOLUTION", "PRIORITY", "AGE"]),
    ("overridepolicies.policy.karmada.io", "OverridePolicy", ["op"], KARMADA, True, False, None),
    ("clusteroverridepolicies.policy.karmada.io", "ClusterOverridePolicy", ["cop"], KARMADA, False, False, None),
    ("clustertaintpolicies.policy.karmada.io", "ClusterTaintPolicy", None, None, False, False, None),
    ("federatedresourcequotas.policy.karmada.io", "FederatedResourceQuota", None, KARMADA, True, True,
     ["OVERALL", "OVERALL_USED"]),
    ("resourcebindings.work.karmada.io", "ResourceBinding", ["rb"], KARMADA, True, True,
     ["SCHEDULED", "FULLYAPPLIED", "AGE"]),
    ("clusterresourcebindings.work.karmada.io", "ClusterResourceBinding", ["crb"], KARMADA, False, True,
     ["SCHEDULED", "FULLYAPPLIED", "AGE"]),
    ("works.work.karmada.io", "Work", ["wk"], KARMADA, True, True, ["WORKLOAD-KIND", "APPLIED", "AGE"]),
    ("clusters.cluster.karmada.io", "Cluster", None, None, False, True,
     ["Version", "Mode", "Ready", "Age", "Zones", "Region", "Provider", "API-Endpoint", "Proxy-URL"]),
    ("resourceinterpretercustomizations.config.karmada.io", "ResourceInterpreterCustomization", ["ric"], KARMADA,
     False, False, ["TARGET-API-VERSION", "TARGET-KIND", "AGE"]),
    ("resourceinterpreterwebhookconfigurations.config.karmada.io", "ResourceInterpreterWebhookConfiguration", None,
     KARMADA, False, False, None),
    ("multiclusterservices.networking.karmada.io", "MultiClusterService", ["mcs"], KARMADA, True, True, None),
    ("multiclusteringresses.networking.karmada.io", "MultiClusterIngress", ["mci"], KARMADA, True, True, None),
    ("federatedhpas.autoscaling.karmada.io", "FederatedHPA", ["fhpa"], KARMADA, True, True,
     ["REFERENCE-KIND", "REFERENCE-NAME", "MINPODS", "MAXPODS", "REPLICAS", "AGE"]),
    ("cronfederatedhpas.autoscaling.karmada.io", "CronFederatedHPA", ["cronfhpa"], KARMADA, True, True,
     ["REFERENCE-KIND", "REFERENCE-NAME", "AGE"]),
    ("workloadrebalancers.apps.karmada.io", "WorkloadRebalancer", None, None, False, True, None),
    ("remedies.remedy.karmada.io", "Remedy", None, KARMADA, False, False, None),
    ("resourceregistries.search.karmada.io", "ResourceRegistry", None, KARMADA, False, True, None),
    ("kubefedclusters.core.kubefed.io", "KubeFedCluster", ["kfc"], None, True, True,
     ["age", "ready", "kubernetes-version"]),
    ("federatedtypeconfigs.core.kubefed.io", "FederatedTypeConfig", ["ftc"], None, True, True, None),
    ("kubefedconfigs.core.kubefed.io", "KubeFedConfig", None, None, True, False, None),
    ("propagatedversions.core.kubefed.io", "PropagatedVersion", None, None, True, True, None),
    ("clusterpropagatedversions.core.kubefed.io", "ClusterPropagatedVersion", None, None, False, True, None),
    ("federatedservicestatuses.core.kubefed.io", "FederatedServiceStatus", None, None, True, False, None),
    ("replicaschedulingpreferences.scheduling.kubefed.io", "ReplicaSchedulingPreference", ["rsp"], None, True, False,
     None),
    ("serviceexports.multicluster.x-k8s.io", "ServiceExport", ["svcex", "svcexport"], None, True, True, ["Age"]),
    ("serviceimports.multicluster.x-k8s.io", "ServiceImport", ["svcim", "svcimport"], None, True, True,
     ["Type", "IP", "Age"]),
    ("serviceroutingpolicies.networking.hansa.dev", "ServiceRoutingPolicy", ["srp"], None, True, True,
     ["Mode", "Prefer", "Accepted", "Age"]),
]  # fmt: skip


def test_the_table_is_complete():
    assert {row[0] for row in NAMES} == CRDS.keys()


@pytest.mark.parametrize(("name", "kind", "short_names", "categories", "namespaced", "has_status", "columns"), NAMES)
def test_how_a_kind_is_found_and_shown(name, kind, short_names, categories, namespaced, has_status, columns):
    spec = CRDS[name]
    names = spec["names"]
    assert names["kind"] == kind
    assert names["listKind"] == f"{kind}List"
    assert names["singular"] == kind.lower()
    assert names.get("shortNames") == short_names
    assert names.get("categories") == categories
    assert spec["scope"] == ("Namespaced" if namespaced else "Cluster")
    for version in spec["versions"]:
        assert version.get("subresources", {}).keys() == ({"status"} if has_status else set())
        shown = [column["name"] for column in version.get("additionalPrinterColumns", [])]
        assert shown == (columns or [])


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("propagationpolicies.policy.karmada.io", [("v1alpha1", True)]),
        ("resourcebindings.work.karmada.io", [("v1alpha2", True)]),
        ("works.work.karmada.io", [("v1alpha1", True)]),
        ("kubefedclusters.core.kubefed.io", [("v1beta1", True)]),
        ("serviceimports.multicluster.x-k8s.io", [("v1beta1", True), ("v1alpha1", False)]),
    ],
)
def test_versions(name, versions):
    assert [(version["name"], version["storage"]) for version in CRDS[name]["versions"]] == versions


def field(name, path):
    schema = CRDS[name]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in path.split(".") if path else ():
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    return schema


PP = "propagationpolicies.policy.karmada.io"
OP = "overridepolicies.policy.karmada.io"
RB = "resourcebindings.work.karmada.io"
WORK = "works.work.karmada.io"
CLUSTER = "clusters.cluster.karmada.io"
CRON = "cronfederatedhpas.autoscaling.karmada.io"
INTERPRETER = "resourceinterpreterwebhookconfigurations.config.karmada.io"
IMPORT = "serviceimports.multicluster.x-k8s.io"
PURGE_REASON = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"


@pytest.mark.parametrize(
    ("name", "path", "keyword", "value"),
    [
        (PP, "", "required", ["spec"]),
        (PP, "spec", "required", ["resourceSelectors"]),
        (PP, "spec.resourceSelectors", "minItems", 1),
        (PP, "spec.resourceSelectors.[]", "required", ["apiVersion", "kind"]),
        (PP, "spec.resourceSelectors.[].labelSelector", "x-kubernetes-map-type", "atomic"),
        (PP, "spec.preemption", "default", "Never"),
        (PP, "spec.preemption", "enum", ["Always", "Never"]),
        (PP, "spec.conflictResolution", "default", "Abort"),
        (PP, "spec.conflictResolution", "enum", ["Abort", "Overwrite"]),
        (PP, "spec.schedulerName", "default", "default-scheduler"),
        (PP, "spec.priority", "default", 0),
        (PP, "spec.priority", "format", "int32"),
        (PP, "spec.activationPreference", "enum", ["Lazy"]),
        (PP, "spec.placement.replicaScheduling.replicaSchedulingType", "default", "Divided"),
        (PP, "spec.placement.replicaScheduling.replicaDivisionPreference", "enum", ["Aggregated", "Weighted"]),
        (PP, "spec.placement.replicaScheduling.weightPreference.dynamicWeight", "enum", ["AvailableReplicas"]),
        (PP, "spec.placement.replicaScheduling.weightPreference.staticWeightList.[].weight", "minimum", 1),
        (PP, "spec.placement.clusterAffinities.[].affinityName", "maxLength", 32),
        (PP, "spec.placement.clusterAffinities.[].affinityName", "minLength", 1),
        (PP, "spec.placement.clusterAffinities.[].overflowAffinities.[]", "required", ["affinityName"]),
        (PP, "spec.placement.clusterAffinity.fieldSelector.matchExpressions.[]", "required", ["key", "operator"]),
        (PP, "spec.placement.spreadConstraints.[].spreadByField", "enum", ["cluster", "provider", "region", "zone"]),
        (PP, "spec.placement.workloadAffinity.antiAffinity", "required", ["groupByLabelKey"]),
        (PP, "spec.failover.application", "required", ["decisionConditions"]),
        (PP, "spec.failover.application.decisionConditions.tolerationSeconds", "default", 300),
        (PP, "spec.failover.application.purgeMode", "default", "Gracefully"),
        (PP, "spec.failover.application.statePreservation.rules.[]", "required", ["aliasLabelName", "jsonPath"]),
        (PP, "spec.failover.cluster.purgeMode", "enum", ["Directly", "Gracefully"]),
        (PP, "spec.schedulePriority", "required", ["priorityClassSource", "priorityClassName"]),
        (PP, "spec.schedulePriority.priorityClassSource", "enum", ["KubePriorityClass"]),
        (OP, "spec.overrideRules.[]", "required", ["overriders"]),
        (OP, "spec.overrideRules.[].overriders.imageOverrider.[]", "required", ["component", "operator"]),
        (OP, "spec.overrideRules.[].overriders.imageOverrider.[].component", "enum", ["Registry", "Repository", "Tag"]),
        (OP, "spec.overrideRules.[].overriders.argsOverrider.[].operator", "enum", ["add", "remove"]),
        (OP, "spec.overrideRules.[].overriders.labelsOverrider.[]", "required", ["operator", "value"]),
        (OP, "spec.overrideRules.[].overriders.fieldOverrider.[]", "required", ["fieldPath"]),
        (OP, "spec.overrideRules.[].overriders.fieldOverrider.[].json.[]", "required", ["subPath", "operator"]),
        ("clustertaintpolicies.policy.karmada.io", "spec.taints", "minItems", 1),
        ("clustertaintpolicies.policy.karmada.io", "spec.taints.[]", "required", ["key", "effect"]),
        ("federatedresourcequotas.policy.karmada.io", "spec", "required", ["overall"]),
        ("federatedresourcequotas.policy.karmada.io", "spec.staticAssignments.[]", "required", ["clusterName", "hard"]),
        (RB, "spec", "required", ["resource"]),
        (RB, "spec.resource", "required", ["apiVersion", "kind", "name"]),
        (RB, "spec.conflictResolution", "default", "Abort"),
        (RB, "spec.schedulePriority.priority", "default", 0),
        (RB, "spec.components.[].name", "maxLength", 32),
        (RB, "spec.clusters.[]", "required", ["name"]),
        (RB, "spec.gracefulEvictionTasks.[]", "required", ["fromCluster", "producer", "reason"]),
        (RB, "spec.gracefulEvictionTasks.[].reason", "pattern", PURGE_REASON),
        (RB, "spec.gracefulEvictionTasks.[].reason", "maxLength", 32),
        (RB, "spec.gracefulEvictionTasks.[].message", "maxLength", 1024),
        (RB, "status.aggregatedStatus.[]", "required", ["clusterName"]),
        (RB, "status.aggregatedStatus.[].health", "enum", ["Healthy", "Unhealthy", "Unknown"]),
        (WORK, "", "required", ["spec"]),
        (WORK, "status.manifestStatuses.[].identifier", "required", ["ordinal", "version", "kind", "name", "resource"]),
        (WORK, "status.conditions.[].reason", "pattern", PURGE_REASON),
        (WORK, "status.conditions.[].status", "enum", ["True", "False", "Unknown"]),
        (CLUSTER, "", "required", ["spec"]),
        (CLUSTER, "spec", "required", ["syncMode"]),
        (CLUSTER, "spec.id", "maxLength", 128000),
        (CLUSTER, "spec.syncMode", "enum", ["Pull", "Push"]),
        (CLUSTER, "spec.resourceModels.[]", "required", ["grade", "ranges"]),
        (CLUSTER, "status.conditions.[].lastTransitionTime", "nullable", True),
        (INTERPRETER, "", "required", ["webhooks"]),
        (INTERPRETER, "webhooks.[]", "required", ["name", "clientConfig", "interpreterContextVersions"]),
        (INTERPRETER, "webhooks.[].rules.[]", "required", ["operations", "apiGroups", "apiVersions", "kinds"]),
        ("resourceinterpretercustomizations.config.karmada.io", "spec", "required", ["target", "customizations"]),
        (
            "resourceinterpretercustomizations.config.karmada.io",
            "spec.customizations.retention",
            "required",
            ["luaScript"],
        ),
        ("multiclusterservices.networking.karmada.io", "spec", "required", ["types"]),
        ("multiclusterservices.networking.karmada.io", "spec.ports.[]", "required", ["port"]),
        ("federatedhpas.autoscaling.karmada.io", "spec", "required", ["scaleTargetRef", "maxReplicas"]),
        (CRON, "spec.rules.[]", "required", ["name", "schedule"]),
        (CRON, "spec.rules.[].name", "maxLength", 32),
        (CRON, "spec.rules.[].suspend", "default", False),
        (CRON, "spec.rules.[].successfulHistoryLimit", "minimum", 1),
        (CRON, "spec.rules.[].successfulHistoryLimit", "default", 3),
        (CRON, "spec.rules.[].failedHistoryLimit", "minimum", 0),
        ("workloadrebalancers.apps.karmada.io", "spec.workloads", "minItems", 1),
        ("remedies.remedy.karmada.io", "spec.decisionMatches.[].clusterConditionMatch.operator", "enum",
         ["Equal", "NotEqual"]),
        ("resourceregistries.search.karmada.io", "spec", "required", ["targetCluster", "resourceSelectors"]),
        ("kubefedclusters.core.kubefed.io", "spec", "required", ["apiEndpoint", "secretRef"]),
        ("kubefedclusters.core.kubefed.io", "status.conditions.[]", "required", ["type", "status", "lastProbeTime"]),
        ("federatedtypeconfigs.core.kubefed.io", "spec", "required", ["targetType", "federatedType", "propagation"]),
        ("federatedtypeconfigs.core.kubefed.io", "status", "required", ["observedGeneration", "propagationController"]),
        ("kubefedconfigs.core.kubefed.io", "spec", "required", ["scope"]),
        ("propagatedversions.core.kubefed.io", "status", "required", ["templateVersion", "overridesVersion"]),
        ("replicaschedulingpreferences.scheduling.kubefed.io", "spec", "required", ["targetKind", "totalReplicas"]),
        (IMPORT, "spec", "required", ["type", "ports"]),
        (IMPORT, "spec.type", "enum", ["ClusterSetIP", "Headless"]),
        (IMPORT, "spec.ports", "x-kubernetes-list-type", "atomic"),
        (IMPORT, "spec.ips", "maxItems", 2),
        (IMPORT, "status.clusters", "x-kubernetes-list-map-keys", ["cluster"]),
        (IMPORT, "status.conditions", "x-kubernetes-list-map-keys", ["type"]),
        (IMPORT, "status.endpointSliceObjects", "enum", ["Absent", "Present"]),
    ],
)  # fmt: skip
def test_fields(name, path, keyword, value):
    assert field(name, path).get(keyword) == value


def test_an_override_takes_a_value_of_any_type():
    plaintext = field("overridepolicies.policy.karmada.io", "spec.overrideRules.[].overriders.plaintext.[]")
    assert plaintext["properties"]["value"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert plaintext["required"] == ["path", "operator"]
    assert plaintext["properties"]["operator"]["enum"] == ["add", "remove", "replace"]


def test_the_wire_word_for_the_affinity_in_use_is_karmadas():
    assert "schedulerObservingAffinityName" in field("resourcebindings.work.karmada.io", "status")["properties"]


def test_works_keep_manifests_of_any_shape():
    manifest = field("works.work.karmada.io", "spec.workload.manifests.[]")
    assert manifest == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def test_a_federated_type_is_what_kubefedctl_makes():
    spec = federated_crd(Resource("apps", "v1", "deployments", "Deployment", True), ("deploy",), True)["spec"]
    assert spec["names"]["plural"] == "federateddeployments"
    assert spec["names"]["shortNames"] == ["fdeploy"]
    schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema["required"] == ["spec"]
    assert schema["properties"]["spec"]["properties"]["retainReplicas"] == {"type": "boolean"}
    namespace = federated_crd(Resource("", "v1", "namespaces", "Namespace", False))["spec"]
    assert namespace["scope"] == "Namespaced"


def every_field(schema, path=""):
    for name, inner in (schema.get("properties") or {}).items():
        yield f"{path}.{name}", inner
        yield from every_field(inner, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield f"{path}[]", schema[part]
            yield from every_field(schema[part], f"{path}[]")


@pytest.mark.parametrize("name", sorted(CRDS))
def test_schemas_are_structural(name):
    for version in CRDS[name]["versions"]:
        for path, inner in every_field(version["schema"]["openAPIV3Schema"]):
            typed = {"type", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"} & inner.keys()
            assert typed, path
            assert "$ref" not in inner and "oneOf" not in inner, path
