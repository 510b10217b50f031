import base64

import msgspec
import pytest

from hansa.api import names
from hansa.base.patch import apply_json_patch
from hansa.extension.webhook import review
from hansa.extension.webhook.configuration import ENTRIES, configurations

SELECTOR = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def policy(**spec):
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"resourceSelectors": [SELECTOR], **spec},
    }


def mutated(obj, operation="CREATE"):
    response = review.mutate({"uid": "u", "operation": operation, "namespace": "shop", "object": obj}, lambda: "id-1")
    assert response["allowed"]
    if "patch" not in response:
        return obj
    return apply_json_patch(obj, msgspec.json.decode(base64.b64decode(response["patch"])))


def test_a_new_policy_gets_its_id_finalizer_and_defaults():
    filled = mutated(policy())
    assert filled["metadata"]["labels"][names.POLICY_ID_LABEL] == "id-1"
    assert filled["metadata"]["finalizers"] == [names.POLICY_FINALIZER]
    assert filled["spec"]["resourceSelectors"][0]["namespace"] == "shop"


def test_an_update_keeps_the_id():
    stored = mutated(policy())
    assert mutated(stored, "UPDATE") == stored


def test_a_binding_gets_an_id_unless_it_has_one():
    binding = {"kind": "ResourceBinding", "metadata": {"name": "b"}, "spec": {}}
    assert mutated(binding)["metadata"]["labels"][names.BINDING_ID_LABEL] == "id-1"
    kept = {**binding, "metadata": {"name": "b", "labels": {names.BINDING_ID_LABEL: "old"}}}
    assert mutated(kept)["metadata"]["labels"][names.BINDING_ID_LABEL] == "old"


def test_all_faults_come_in_one_refusal():
    bad = mutated(policy(preemption="Always", dependentOverrides=[]))
    bad["spec"]["resourceSelectors"] = [{**SELECTOR, "namespace": "other", "name": ""}]
    response = review.validate({"uid": "u", "operation": "UPDATE", "object": bad, "oldObject": bad})
    assert not response["allowed"]
    fields = {cause["field"] for cause in response["status"]["details"]["causes"]}
    assert "spec.resourceSelectors[0].namespace" in fields and len(fields) > 1


@pytest.mark.parametrize(("value", "allowed"), [("Always", False), ("Never", True), (None, True)])
def test_protected_objects_are_not_deleted(value, allowed):
    labels = {names.DELETION_PROTECTED_LABEL: value} if value else {}
    old = {"kind": "Deployment", "metadata": {"labels": labels}}
    response = review.validate({"uid": "u", "operation": "DELETE", "object": None, "oldObject": old})
    assert response["allowed"] is allowed


def test_configurations_name_every_webhook_once():
    mutating, validating = configurations("https://127.0.0.1:9443/", b"PEM")
    urls = [w["clientConfig"]["url"] for c in (mutating, validating) for w in c["webhooks"]]
    assert len(urls) == len(set(urls)) == len(ENTRIES)
    assert "https://127.0.0.1:9443/mutate-propagationpolicy" in urls


def test_manifests_of_a_work_are_pruned_and_recorded():
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "uid": "u", "resourceVersion": "7", "annotations": {"b": "1", "a": "2"}},
        "spec": {"ttlSecondsAfterFinished": 5, "template": {"metadata": {"labels": {"job-name": "j", "app": "x"}}}},
        "status": {"active": 1},
    }
    work = {
        "kind": "Work",
        "metadata": {"name": "w"},
        "spec": {"workload": {"manifests": [job]}, "suspendDispatching": True},
    }
    filled = mutated(work)
    assert filled["spec"]["suspendDispatching"] is True
    records = (names.MANAGED_ANNOTATIONS_ANNOTATION, names.MANAGED_LABELS_ANNOTATION)
    assert filled["spec"]["workload"]["manifests"] == [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": "j",
                "labels": {names.WORK_ID_LABEL: "id-1"},
                "annotations": {
                    "a": "2",
                    "b": "1",
                    records[0]: ",".join(sorted(("a", "b", *records))),
                    records[1]: names.WORK_ID_LABEL,
                },
            },
            "spec": {"template": {"metadata": {"labels": {"app": "x"}}}},
        }
    ]
    assert mutated(filled, "UPDATE") == filled


def test_works_of_another_dialect_keep_their_manifests():
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "uid": "u"}}
    labels = {names.DIALECT_LABEL: names.KUBEFED}
    work = {
        "kind": "Work",
        "metadata": {"name": "w", "labels": labels},
        "spec": {"workload": {"manifests": [manifest]}},
    }
    assert mutated(work)["spec"]["workload"]["manifests"] == [manifest]


@pytest.mark.parametrize("workload", [None, {}, {"manifests": None}, {"manifests": ["text", 1]}])
def test_works_without_manifests_are_let_through(workload):
    work = {"kind": "Work", "metadata": {"name": "w"}, "spec": {"workload": workload}}
    assert mutated(work)["spec"]["workload"] == workload
