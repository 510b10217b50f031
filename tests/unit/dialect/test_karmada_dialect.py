"""Which objects can be templates, what their changes mean, and how bindings are made and changed."""

from __future__ import annotations

from typing import Any

import pytest

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Resource
from hansa.base.gates import Gates
from hansa.base.patch import apply_merge_patch
from hansa.dialect.karmada.claimer import Why
from hansa.dialect.karmada.compile import changes, compiled, only_version_differs
from hansa.dialect.karmada.detector import why_of
from hansa.dialect.karmada.policies import read_policy
from hansa.dialect.karmada.scope import is_skipped_kind, is_template, templates
from hansa.interpret.question import Needs
from hansa.kube.discovery import ApiResource
from hansa.runtime.informer import Change

VERBS = frozenset({"create", "delete", "list", "watch"})


def template(version: str = "1", generation: int = 0, **members: Any) -> Item:
    metadata = {
        "name": "c",
        "namespace": "default",
        "uid": "u",
        "resourceVersion": version,
        "generation": generation,
        **members.pop("metadata", {}),
    }
    return Item.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **members})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (template("1", data={"a": "1"}), template("2", data={"a": "2"}), Why.USER),
        (template("1", status={"a": "1"}), template("2", status={"a": "2"}), None),
        (template("1", 3, status={"a": "1"}), template("2", 3, status={"a": "2"}), None),
        (template("1", 3), template("2", 4), None),
        (template("1", 3, spec=1), template("2", 4, spec=2), Why.USER),
        (template("1"), template("2", metadata={"labels": {names.POLICY_ID_LABEL: "x"}}), Why.KARMADA),
        (template("1", 3), template("2", 3, metadata={"labels": {names.POLICY_ID_LABEL: "x"}}), Why.KARMADA),
        (template("1", 3), template("2", 3, metadata={"labels": {"app": "x"}}), Why.USER),
        (template("1"), template("2", metadata={"labels": {names.SKIP_AUTO_PROPAGATION_LABEL: "true"}}), Why.USER),
        (None, template("1"), Why.USER),
        (template("1"), None, None),
    ],
)
def test_what_a_change_asks_for(old: Item | None, new: Item | None, why: Why | None) -> None:
    found = why_of(Change(old, new))
    if old is not None and new is not None and old.meta.generation != new.meta.generation and why is None:
        # a generation that moves without a visible change is nobody's edit, but nothing is lost by a look
        assert found in (None, Why.KARMADA)
        return
    assert found is why


def test_the_first_list_is_no_change() -> None:
    assert why_of(Change(None, template(), initial=True)) is Why.FOUND


def test_kinds_and_namespaces_that_are_never_templates() -> None:
    deployments = ApiResource(scheme.DEPLOYMENTS, VERBS)
    found = templates(
        [
            deployments,
            ApiResource(scheme.DEPLOYMENTS._replace(version="v1beta1"), VERBS, preferred=False),
            ApiResource(scheme.WORKS, VERBS),
            ApiResource(scheme.EVENTS, VERBS),
            ApiResource(scheme.LEASES, VERBS),
            ApiResource(
                Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", False), frozenset({"create"})
            ),
        ],
        (),
    )
    assert found == [scheme.DEPLOYMENTS]
    assert is_skipped_kind(scheme.DEPLOYMENTS, ["apps"])
    assert is_skipped_kind(scheme.DEPLOYMENTS, ["apps/v1"])
    assert is_skipped_kind(scheme.DEPLOYMENTS, ["apps/v1/Deployment,DaemonSet"])
    assert not is_skipped_kind(scheme.DEPLOYMENTS, ["apps/v1/DaemonSet", "v1/Pod"])
    assert is_skipped_kind(scheme.PODS, ["v1/Pod,Node"])
    for namespace, counts in {
        "default": True,
        "kube-system": False,
        "karmada-es-m1": False,
        "karmada-system": False,
    }.items():
        assert is_template(template(metadata={"namespace": namespace}), ("kube-.*",)) is counts


def policy(**spec: Any) -> Item:
    selectors = [{"apiVersion": "v1", "kind": "ConfigMap"}]
    return Item.of(
        {
            "apiVersion": "policy.karmada.io/v1alpha1",
            "kind": "PropagationPolicy",
            "metadata": {"name": "p", "namespace": "default", "labels": {names.POLICY_ID_LABEL: "id"}},
            "spec": {"resourceSelectors": selectors, **spec},
        }
    )


def binding(item: Item, needs: Needs | None = None, priority: int | None = None, **spec: Any) -> dict[str, Any]:
    read = read_policy(policy(**spec))
    assert read is not None
    return compiled(item, *read, needs, priority, Gates()).binding


def test_binding_of_a_template() -> None:
    made = binding(template("7"), Needs(2, None), 5, placement={"clusterAffinity": {"clusterNames": ["m1"]}})
    assert made["metadata"]["name"] == "c-configmap"
    assert made["metadata"]["finalizers"] == [names.BINDING_FINALIZER]
    assert made["metadata"]["ownerReferences"][0]["controller"] is True
    assert made["spec"] == {
        "placement": {"clusterAffinity": {"clusterNames": ["m1"]}},
        "resource": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "namespace": "default",
            "name": "c",
            "uid": "u",
            "resourceVersion": "7",
        },
        "replicas": 2,
        "schedulePriority": {"priority": 5},
    }


@pytest.mark.parametrize(
    ("off", "told"),
    [
        ((), {"namespace": "default", "resourceRequest": {"cpu": "1"}, "priorityClassName": "high"}),
        (("ResourceQuotaEstimate",), {"resourceRequest": {"cpu": "1"}}),
    ],
)
def test_what_quotas_are_looked_up_by_is_told_while_they_are_estimated(
    off: tuple[str, ...], told: dict[str, Any]
) -> None:
    read = read_policy(policy())
    assert read is not None
    needs = Needs(1, {"resourceRequest": {"cpu": "1"}, "priorityClassName": "high"})
    made = compiled(template("7"), *read, needs, None, Gates(frozenset(off))).binding
    assert made["spec"]["replicaRequirements"] == told


def test_nothing_changes_without_a_reason() -> None:
    made = binding(template("7"), propagateDeps=True, suspension={"dispatching": True})
    assert changes(made, Item.of(made)) is None
    newer = changes(binding(template("8"), propagateDeps=True, suspension={"dispatching": True}), Item.of(made))
    assert newer == {"spec": {"resource": {"resourceVersion": "8"}}}
    assert only_version_differs(newer)
    assert not only_version_differs({"spec": {"resource": {"resourceVersion": "8"}, "replicas": 2}})


def test_changes_leave_what_belongs_to_others() -> None:
    made = binding(
        template("7"), suspension={"dispatching": True}, propagateDeps=True, preserveResourcesOnDeletion=True
    )
    made["metadata"]["labels"]["their"] = "label"
    made["metadata"]["labels"][names.CLUSTER_POLICY_ID_LABEL] = "old"
    made["spec"] |= {"clusters": [{"name": "m1"}], "suspension": {"dispatching": True, "scheduling": True}}
    patch = changes(binding(template("7")), Item.of(made))
    assert patch is not None
    after = apply_merge_patch(made, patch)
    assert after["spec"]["clusters"] == [{"name": "m1"}]
    assert after["spec"]["suspension"] == {"scheduling": True}
    assert "propagateDeps" not in after["spec"]
    assert "preserveResourcesOnDeletion" not in after["spec"]
    assert after["metadata"]["labels"]["their"] == "label"
    assert names.CLUSTER_POLICY_ID_LABEL not in after["metadata"]["labels"]


def test_a_policy_that_cannot_be_read_claims_nothing() -> None:
    assert read_policy(policy(priority="high")) is None
