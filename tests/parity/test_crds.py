"""The definitions that users' manifests and tools rely on: names, columns, subresources, defaults, choices."""

import pytest

from hansa.api.crd import all_crds, federated_crd
from hansa.api.meta import Resource

CRDS = {crd["metadata"]["name"]: crd["spec"] for crd in all_crds()}

NAMES = [
    ("propagationpolicies.policy.karmada.io", "PropagationPolicy", ["pp"], True, False),
    ("clusterpropagationpolicies.policy.karmada.io", "ClusterPropagationPolicy", ["cpp"], False, False),
    ("overridepolicies.policy.karmada.io", "OverridePolicy", ["op"], True, False),
    ("clusteroverridepolicies.policy.karmada.io", "ClusterOverridePolicy", ["cop"], False, False),
    ("clustertaintpolicies.policy.karmada.io", "ClusterTaintPolicy", None, False, False),
    ("federatedresourcequotas.policy.karmada.io", "FederatedResourceQuota", ["frq"], True, True),
    ("resourcebindings.work.karmada.io", "ResourceBinding", ["rb"], True, True),
    ("clusterresourcebindings.work.karmada.io", "ClusterResourceBinding", ["crb"], False, True),
    ("works.work.karmada.io", "Work", ["wk"], True, True),
    ("clusters.cluster.karmada.io", "Cluster", None, False, True),
    ("resourceinterpretercustomizations.config.karmada.io", "ResourceInterpreterCustomization", ["ric"], False, False),
    ("multiclusterservices.networking.karmada.io", "MultiClusterService", ["mcs"], True, True),
    ("multiclusteringresses.networking.karmada.io", "MultiClusterIngress", ["mci"], True, True),
    ("federatedhpas.autoscaling.karmada.io", "FederatedHPA", ["fhpa"], True, True),
    ("cronfederatedhpas.autoscaling.karmada.io", "CronFederatedHPA", ["cronfhpa"], True, True),
    ("workloadrebalancers.apps.karmada.io", "WorkloadRebalancer", None, False, True),
    ("remedies.remedy.karmada.io", "Remedy", None, False, False),
    ("kubefedclusters.core.kubefed.io", "KubeFedCluster", ["kfc"], True, True),
    ("federatedtypeconfigs.core.kubefed.io", "FederatedTypeConfig", ["ftc"], True, True),
    ("kubefedconfigs.core.kubefed.io", "KubeFedConfig", None, True, False),
    ("replicaschedulingpreferences.scheduling.kubefed.io", "ReplicaSchedulingPreference", ["rsp"], True, False),
    ("serviceexports.multicluster.x-k8s.io", "ServiceExport", ["svcex", "svcexport"], True, True),
    ("serviceimports.multicluster.x-k8s.io", "ServiceImport", ["svcim", "svcimport"], True, True),
]


@pytest.mark.parametrize(("name", "kind", "short_names", "namespaced", "has_status"), NAMES)
def test_names_scope_and_status(name, kind, short_names, namespaced, has_status):
    spec = CRDS[name]
    assert spec["names"]["kind"] == kind
    assert spec["names"].get("shortNames") == short_names
    assert spec["scope"] == ("Namespaced" if namespaced else "Cluster")
    assert all(("status" in v.get("subresources", {})) == has_status for v in spec["versions"])


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("propagationpolicies.policy.karmada.io", ["Conflict-Resolution", "Priority", "Age"]),
        ("resourcebindings.work.karmada.io", ["Scheduled", "FullyApplied", "Age"]),
        ("works.work.karmada.io", ["Workload-Kind", "Applied", "Age"]),
        ("kubefedclusters.core.kubefed.io", ["Age", "ready", "kubernetes-version"]),
        ("serviceimports.multicluster.x-k8s.io", ["Type", "IP", "Age"]),
    ],
)
def test_columns(name, columns):
    (*_, version) = CRDS[name]["versions"]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == columns


def field(name, path):
    schema = CRDS[name]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in path.split("."):
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    return schema


@pytest.mark.parametrize(
    ("path", "keyword", "value"),
    [
        ("spec.resourceSelectors", "minItems", 1),
        ("spec.resourceSelectors.[]", "required", ["apiVersion", "kind"]),
        ("spec.preemption", "default", "Never"),
        ("spec.preemption", "enum", ["Always", "Never"]),
        ("spec.conflictResolution", "default", "Abort"),
        ("spec.schedulerName", "default", "default-scheduler"),
        ("spec.priority", "default", 0),
        ("spec.activationPreference", "enum", ["Lazy"]),
        ("spec.placement.replicaScheduling.replicaSchedulingType", "default", "Divided"),
        ("spec.placement.replicaScheduling.replicaDivisionPreference", "enum", ["Aggregated", "Weighted"]),
        ("spec.placement.clusterAffinities.[].affinityName", "maxLength", 32),
        ("spec.placement.spreadConstraints.[].spreadByField", "enum", ["cluster", "provider", "region", "zone"]),
        ("spec.failover.application.decisionConditions.tolerationSeconds", "default", 300),
        ("spec.failover.application.purgeMode", "default", "Gracefully"),
        ("spec.schedulePriority", "required", ["priorityClassSource", "priorityClassName"]),
    ],
)
def test_fields_of_a_propagation_policy(path, keyword, value):
    assert field("propagationpolicies.policy.karmada.io", path)[keyword] == value


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
