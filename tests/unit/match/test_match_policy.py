"""Matching, priorities and claims: Karmada's detector."""

from __future__ import annotations

from typing import Any

import pytest

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.match.claim import claim_of, claim_patch, claimed, release_patch
from hansa.match.overrides import applicable, overrides_of
from hansa.match.policy import Policy, best, policy_of
from hansa.match.selector import BY_KIND, BY_LABELS, BY_NAME, NO_MATCH, Subject

NGINX = Subject("apps/v1", "Deployment", "default", "nginx", {"app": "nginx"})


def policy(name: str, *selectors: dict[str, Any], namespace: str = "default", priority: int = 0, **meta: Any) -> Policy:
    kind = "PropagationPolicy" if namespace else "ClusterPropagationPolicy"
    label = names.POLICY_ID_LABEL if namespace else names.CLUSTER_POLICY_ID_LABEL
    entries = [{"apiVersion": "apps/v1", "kind": "Deployment", **selector} for selector in selectors or ({},)]
    return policy_of(
        Item.of(
            {
                "apiVersion": "policy.karmada.io/v1alpha1",
                "kind": kind,
                "metadata": {"name": name, "namespace": namespace, "labels": {label: f"id-{name}"}, **meta},
                "spec": {"resourceSelectors": entries, "priority": priority},
            }
        )
    )


BY_LABEL = {"labelSelector": {"matchLabels": {"app": "nginx"}}}


@pytest.mark.parametrize(
    ("selector", "closeness"),
    [
        ({}, BY_KIND),
        (BY_LABEL, BY_LABELS),
        ({"labelSelector": {}}, BY_LABELS),
        ({"name": "nginx"}, BY_NAME),
        ({"name": "nginx", "labelSelector": {"matchLabels": {"app": "other"}}}, BY_NAME),
        ({"name": "other", **BY_LABEL}, NO_MATCH),
        ({"namespace": "other"}, NO_MATCH),
        ({"kind": "StatefulSet"}, NO_MATCH),
        ({"apiVersion": "apps/v1beta1"}, NO_MATCH),
        ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "Nonsense"}]}}, NO_MATCH),
    ],
)
def test_closeness_of_one_selector(selector: dict[str, Any], closeness: int) -> None:
    assert policy("p", selector).closeness(NGINX) == closeness


def test_closest_policy_wins_then_the_name() -> None:
    kind, label, name = policy("a-kind"), policy("b-label", BY_LABEL), policy("c-name", {"name": "nginx"})
    assert best([kind, label, name], NGINX) is name
    assert best([kind, label], NGINX) is label
    assert best([policy("b"), policy("a")], NGINX).meta.name == "a"  # type: ignore[union-attr]
    assert best([policy("elsewhere", namespace="other")], NGINX) is None


def test_explicit_priority_goes_before_closeness() -> None:
    assert best([policy("high", priority=2), policy("near", {"name": "nginx"}, priority=1)], NGINX).meta.name == "high"  # type: ignore[union-attr]


def test_a_policy_that_ends_claims_nothing() -> None:
    assert best([policy("gone", deletionTimestamp="2026-01-01T00:00:00Z")], NGINX) is None


def template(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> Item:
    meta = {"name": "nginx", "namespace": "default", "labels": labels or {}, "annotations": annotations or {}}
    return Item.of({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta})


def test_claim_and_release_are_inverse() -> None:
    from hansa.base.patch import apply_merge_patch

    mine = policy("mine")
    free = template({"app": "nginx"}, {"note": "x"})
    patch = claim_patch(free.meta, mine)
    assert patch is not None
    owned = Item.of(apply_merge_patch(free.json(), patch))
    claim = claim_of(owned.meta)
    assert claim is not None and (claim.id, claim.policy) == ("id-mine", Key("default", "mine"))
    assert claimed(owned.meta, mine) and claim_patch(owned.meta, mine) is None
    back = release_patch(owned.meta, "id-mine", cluster_wide=False)
    assert back is not None
    assert apply_merge_patch(owned.json(), back)["metadata"] == free.json()["metadata"]
    assert release_patch(owned.meta, "another", cluster_wide=False) is None


def test_a_namespaces_policy_takes_from_a_cluster_wide_one() -> None:
    from hansa.base.patch import apply_merge_patch

    wide = policy("wide", namespace="")
    free = template()
    owned = Item.of(apply_merge_patch(free.json(), claim_patch(free.meta, wide)))
    assert claim_of(owned.meta).cluster_wide  # type: ignore[union-attr]
    taken = Item.of(apply_merge_patch(owned.json(), claim_patch(owned.meta, policy("mine"))))
    assert names.CLUSTER_POLICY_ID_LABEL not in taken.labels
    assert names.CLUSTER_POLICY_NAME_ANNOTATION not in taken.annotations
    assert claim_of(taken.meta).policy == Key("default", "mine")  # type: ignore[union-attr]


def test_an_incomplete_claim_is_none() -> None:
    assert claim_of(template({names.POLICY_ID_LABEL: "x"}).meta) is None
    assert claim_of(template({}, {names.POLICY_NAME_ANNOTATION: "x"}).meta) is None


def test_override_policies_come_closest_last() -> None:
    def override(name: str, selectors: list[dict[str, Any]] | None) -> Any:
        return overrides_of(
            Item.of(
                {
                    "apiVersion": "policy.karmada.io/v1alpha1",
                    "kind": "OverridePolicy",
                    "metadata": {"name": name, "namespace": "default"},
                    "spec": {"resourceSelectors": selectors, "overrideRules": []},
                }
            )
        )

    kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
    policies = [
        override("a", [{**kind, "name": "nginx"}]),
        override("b", None),
        override("d", [kind]),
        override("c", [{**kind, **BY_LABEL}]),
        override("e", [{**kind, "name": "other"}]),
    ]
    assert [policy.meta.name for policy in applicable(policies, NGINX)] == ["b", "d", "c", "a"]
