"""Each overrider, case by case, as Karmada applies it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hansa.api.cluster import Cluster
from hansa.api.meta import ObjectMeta
from hansa.api.policy import Overriders, RuleWithCluster
from hansa.override.apply import Applied, Order, apply_orders, apply_overriders, record
from hansa.override.error import OverrideError


def deployment(**container: Any) -> dict[str, Any]:
    containers = [{"name": "web", "image": "nginx:1.27", **container}, {"name": "side", "image": "busybox"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nginx", "labels": {"app": "nginx"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
    }


def applied(manifest: dict[str, Any], **overriders: Any) -> dict[str, Any]:
    return apply_overriders(manifest, msgspec.convert(overriders, Overriders))


def images(manifest: dict[str, Any]) -> list[str]:
    return [container["image"] for container in manifest["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        ({"path": "/spec/replicas", "operator": "replace", "value": 5}, ("spec", "replicas"), 5),
        ({"path": "/metadata/labels/tier", "operator": "add", "value": "x"}, ("metadata", "labels", "tier"), "x"),
        ({"path": "/metadata/labels/a~1b", "operator": "add", "value": "x"}, ("metadata", "labels", "a/b"), "x"),
        ({"path": "/spec/replicas", "operator": "replace"}, ("spec", "replicas"), None),
    ],
)
def test_plaintext(operation: dict[str, Any], path: tuple[str, ...], expected: Any) -> None:
    found: Any = applied(deployment(), plaintext=[operation])
    for key in path:
        found = found[key]
    assert found == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"path": "/spec/missing", "operator": "replace", "value": 1},
        {"path": "/spec/missing", "operator": "remove"},
        {"path": "/spec/missing/deeper", "operator": "add", "value": 1},
    ],
)
def test_plaintext_refuses_what_is_missing(operation: dict[str, Any]) -> None:
    with pytest.raises(OverrideError):
        applied(deployment(), plaintext=[operation])


def test_plaintext_is_all_or_nothing() -> None:
    manifest = deployment()
    good = {"path": "/spec/replicas", "operator": "replace", "value": 5}
    with pytest.raises(OverrideError):
        applied(manifest, plaintext=[good, {"path": "/nowhere", "operator": "remove"}])
    assert manifest == deployment()


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("add", {"app": "b", "new": "c"}, {"app": "b", "new": "c"}),
        ("replace", {"app": "b", "new": "c"}, {"app": "b"}),
        ("remove", {"app": "whatever", "new": "c"}, {}),
    ],
)
def test_labels_and_annotations(operator: str, value: dict[str, str], expected: dict[str, str]) -> None:
    overrider = {"operator": operator, "value": value}
    assert applied(deployment(), labelsOverrider=[overrider])["metadata"]["labels"] == expected
    manifest = deployment()
    manifest["metadata"]["annotations"] = {"app": "nginx"}
    assert applied(manifest, annotationsOverrider=[overrider])["metadata"]["annotations"] == expected


@pytest.mark.parametrize(
    ("before", "operator", "value", "after"),
    [
        (["a"], "add", ["b", "c"], ["a", "b", "c"]),
        (None, "add", ["b"], ["b"]),
        (["a", "b", "a"], "remove", ["a"], ["b"]),
        (None, "remove", ["a"], []),
    ],
)
def test_commands(before: Any, operator: str, value: list[str], after: list[str]) -> None:
    manifest = deployment(command=before) if before else deployment()
    overrider = {"containerName": "web", "operator": operator, "value": value}
    changed = applied(manifest, commandOverrider=[overrider])
    web, side = changed["spec"]["template"]["spec"]["containers"]
    assert web["command"] == after
    assert "command" not in side


def test_commands_of_other_kinds_are_left() -> None:
    manifest = {**deployment(), "kind": "Other"}
    overrider = {"containerName": "web", "operator": "add", "value": ["x"]}
    assert applied(manifest, argsOverrider=[overrider]) == manifest


@pytest.mark.parametrize(
    ("image", "component", "operator", "value", "expected"),
    [
        ("nginx:1.27", "Registry", "add", "registry.test", "registry.test/nginx:1.27"),
        ("a.test/nginx:1.27", "Registry", "add", ".eu", "a.test.eu/nginx:1.27"),
        ("a.test/nginx:1.27", "Registry", "replace", "b.test", "b.test/nginx:1.27"),
        ("a.test/nginx:1.27", "Registry", "remove", "", "nginx:1.27"),
        ("a.test/nginx:1.27", "Repository", "replace", "httpd", "a.test/httpd:1.27"),
        ("nginx:1.27", "Repository", "add", "-slim", "nginx-slim:1.27"),
        ("nginx:1.27", "Tag", "replace", "1.28", "nginx:1.28"),
        ("nginx:1.27", "Tag", "add", "-alpine", "nginx:1.27-alpine"),
        ("nginx:1.27", "Tag", "remove", "", "nginx"),
        ("nginx", "Tag", "add", "1.28", "nginx:1.28"),
    ],
)
def test_images(image: str, component: str, operator: str, value: str, expected: str) -> None:
    overrider = {"component": component, "operator": operator, "value": value}
    assert images(applied(deployment(image=image), imageOverrider=[overrider]))[0] == expected


def test_one_image_by_path() -> None:
    path = "/spec/template/spec/containers/1/image"
    overrider = {"component": "Tag", "operator": "replace", "value": "2", "predicate": {"path": path}}
    assert images(applied(deployment(), imageOverrider=[overrider])) == ["nginx:1.27", "busybox:2"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/spec/template/spec/containers/x/image", r"path\(x\) of rawObj's is not number"),
        ("/spec/nowhere/deeper", r"path\(deeper\) of rawObj's type is not"),
        ("/spec/replicas", r"failed to convert path\(replicas\) to string"),
    ],
)
def test_image_paths_that_lead_nowhere(path: str, message: str) -> None:
    overrider = {"component": "Tag", "operator": "replace", "value": "2", "predicate": {"path": path}}
    with pytest.raises(OverrideError, match=message):
        applied(deployment(), imageOverrider=[overrider])


def config(text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a.conf": text}}


def test_fields_that_hold_json_and_yaml() -> None:
    operations = [{"subPath": "/replicas", "operator": "replace", "value": 5}]
    overrider = {"fieldPath": "/data/a.conf", "json": operations}
    changed = applied(config('{"name": "x", "replicas": 2}'), fieldOverrider=[overrider])
    assert changed["data"]["a.conf"] == '{"name":"x","replicas":5}'
    overrider = {"fieldPath": "/data/a.conf", "yaml": operations}
    changed = applied(config("replicas: 2\nname: x\n"), fieldOverrider=[overrider])
    assert changed["data"]["a.conf"] == "name: x\nreplicas: 5\n"


def test_fields_that_are_no_text() -> None:
    overrider = {"fieldPath": "/data", "json": [{"subPath": "/x", "operator": "add", "value": 1}]}
    with pytest.raises(OverrideError, match="is not string"):
        applied(config("{}"), fieldOverrider=[overrider])


def test_overriders_have_an_order() -> None:
    changed = applied(
        deployment(),
        plaintext=[{"path": "/metadata/labels/app", "operator": "replace", "value": "plain"}],
        labelsOverrider=[{"operator": "add", "value": {"app": "label"}}],
    )
    assert changed["metadata"]["labels"]["app"] == "plain"


def test_rules_choose_clusters_and_are_recorded() -> None:
    rules = msgspec.convert(
        [
            {
                "targetCluster": {"clusterNames": ["m1"]},
                "overriders": {"plaintext": [{"path": "/spec/replicas", "operator": "replace", "value": 1}]},
            },
            {
                "targetCluster": {"clusterNames": ["m2"]},
                "overriders": {"plaintext": [{"path": "/spec/replicas", "operator": "remove"}]},
            },
        ],
        list[RuleWithCluster],
    )
    order = Order(ObjectMeta(name="p", namespace="default"), rules)
    cluster = msgspec.convert({"metadata": {"name": "m2"}}, Cluster)
    result = apply_orders(deployment(), [order], cluster)
    assert "replicas" not in result.manifest["spec"]
    assert record(result.applied) == (
        '[{"policyName":"p","overriders":{"plaintext":[{"path":"/spec/replicas","operator":"remove","value":null}]}}]'
    )
    assert record(list[Applied]()) is None
