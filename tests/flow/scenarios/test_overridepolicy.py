"""OverridePolicies: what is different in some members."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.objects import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    config_map,
    deployment,
    metadata,
    override_policy,
    pod_template,
    policy,
    selects,
)
from tests.support.rig import Check, Rig

from hansa.api import scheme
from hansa.api.meta import Json, Resource

EVERYWHERE: Json = {}
REGISTRY = {"component": "Registry", "operator": "replace", "value": "fictional.registry.us"}
ALL_IMAGES = [
    REGISTRY,
    {"component": "Repository", "operator": "replace", "value": "busybox"},
    {"component": "Tag", "operator": "replace", "value": "1.0"},
]
FIRST_IMAGE = {"predicate": {"path": "/spec/template/spec/containers/0/image"}, **REGISTRY}


def legacy(name: str, namespace: str, selectors: list[Json] | None, overriders: Json) -> Json:
    """The form before overrideRules."""
    document = override_policy(name, namespace, selectors, [])
    document["spec"] = {
        **({} if selectors is None else {"resourceSelectors": selectors}),
        "targetCluster": EVERYWHERE,
        "overriders": overriders,
    }
    return document


def formed(form: str, namespace: str, selectors: list[Json] | None, overriders: Json) -> Json:
    if form == "legacy":
        return legacy("o", namespace, selectors, overriders)
    return override_policy("o", namespace, selectors, [{"targetCluster": EVERYWHERE, "overriders": overriders}])


def everywhere(rig: Rig, resource: Resource, name: str, check: Any) -> Check:
    async def holds() -> None:
        for member in rig.members:
            live = await rig.get(member, resource, name, rig.namespace)
            assert live is not None
            check(live)

    return holds


def images(live: Json) -> list[str]:
    pod = live["spec"] if live["kind"] == "Pod" else live["spec"]["template"]["spec"]
    return [container["image"] for container in pod["containers"]]


@pytest.mark.parametrize("part", ["labels", "annotations"])
async def test_labels_and_annotations_are_replaced_added_and_removed(rig: Rig, part: str) -> None:
    template = deployment("web", rig.namespace, **{part: {"foo": "foo", "bar": "bar"}})  # type: ignore[arg-type]
    overrider = [
        {"operator": "replace", "value": {"foo": "exist", "non-exist": "non-exist"}},
        {"operator": "add", "value": {"app": "nginx"}},
        {"operator": "remove", "value": {"bar": "bar"}},
    ]
    own = legacy("o", rig.namespace, [selects(template)], {f"{part}Overrider": overrider})
    await rig.apply(own, template, policy("p", rig.namespace, [selects(template)]))

    def check(live: Json) -> None:
        found = live["metadata"][part]
        assert (found["foo"], found["app"]) == ("exist", "nginx")
        assert not {"bar", "non-exist"} & set(found)

    await rig.eventually(everywhere(rig, DEPLOYMENTS, "web", check))
    told = await rig.event("ApplyOverridePolicySucceed", "web", rig.namespace)
    assert told["source"]["component"] == "override-manager"


@pytest.mark.parametrize("form", ["legacy", "rules"])
@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
async def test_all_images_are_replaced_part_by_part(rig: Rig, form: str, kind: str) -> None:
    if kind == "Deployment":
        resource, template = DEPLOYMENTS, deployment("web", rig.namespace)
    else:
        body = pod_template("web")["spec"]
        resource = PODS
        template = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata("web", rig.namespace), "spec": body}
    own = formed(form, rig.namespace, [selects(template)], {"imageOverrider": ALL_IMAGES})
    await rig.apply(own, template, policy("p", rig.namespace, [selects(template)]))

    def check(live: Json) -> None:
        assert images(live) == ["fictional.registry.us/busybox:1.0"]

    await rig.eventually(everywhere(rig, resource, "web", check))
    await rig.event("ApplyOverridePolicySucceed", "web", rig.namespace)


async def test_one_image_is_replaced_by_its_path(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    template["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "busybox:1.0"})
    own = formed("rules", rig.namespace, [selects(template)], {"imageOverrider": [FIRST_IMAGE]})
    await rig.apply(own, template, policy("p", rig.namespace, [selects(template)]))

    def check(live: Json) -> None:
        assert images(live) == ["fictional.registry.us/nginx:1.19.0", "busybox:1.0"]

    await rig.eventually(everywhere(rig, DEPLOYMENTS, "web", check))


async def test_json_within_a_field_is_patched(rig: Rig) -> None:
    inner = {
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.19.0"}]}}}
    }
    template = config_map("web", rig.namespace, {"deploy.json": json.dumps(inner)})
    patch = [
        {"operator": "replace", "subPath": "/spec/replicas", "value": 5},
        {"operator": "add", "subPath": "/spec/template/spec/containers/-", "value": {"name": "nginx-helper"}},
        {"operator": "remove", "subPath": "/spec/template/spec/containers/0/image"},
    ]
    own = formed(
        "rules",
        rig.namespace,
        [selects(template)],
        {"fieldOverrider": [{"fieldPath": "/data/deploy.json", "json": patch}]},
    )
    await rig.apply(own, template, policy("p", rig.namespace, [selects(template)]))

    def check(live: Json) -> None:
        text = live["data"]["deploy.json"]
        assert '"replicas":5' in text and '"name":"nginx-helper"' in text
        assert '"image":"nginx:1.19.0"' not in text

    await rig.eventually(everywhere(rig, CONFIG_MAPS, "web", check))


async def test_yaml_within_a_field_is_patched(rig: Rig) -> None:
    inner = (
        "server:\n  listen: 80\n  server_name: localhost 127.0.0.1\n  location /:\n    root: /usr/share/nginx/html\n"
        "    index:\n      - index.html\n      - index.htm\n  error_page:\n    - code: 500\n    - code: 502\n"
    )
    template = config_map("web", rig.namespace, {"nginx.yaml": inner})
    patch = [
        {"operator": "replace", "subPath": "/server/location ~1/root", "value": "/var/www/html"},
        {"operator": "add", "subPath": "/server/error_page/-", "value": {"code": 400}},
        {"operator": "remove", "subPath": "/server/location ~1/index"},
    ]
    own = formed(
        "rules",
        rig.namespace,
        [selects(template)],
        {"fieldOverrider": [{"fieldPath": "/data/nginx.yaml", "yaml": patch}]},
    )
    await rig.apply(own, template, policy("p", rig.namespace, [selects(template)]))

    def check(live: Json) -> None:
        text = live["data"]["nginx.yaml"]
        assert "root: /var/www/html" in text and "code: 400" in text
        assert "- index.html" not in text

    await rig.eventually(everywhere(rig, CONFIG_MAPS, "web", check))


@pytest.mark.parametrize("form", ["legacy", "rules"])
async def test_without_selectors_everything_is_meant(rig: Rig, form: str) -> None:
    template = deployment("web", rig.namespace)
    own = formed(form, rig.namespace, None, {"imageOverrider": [FIRST_IMAGE]})
    await rig.apply(own, template, policy("p", rig.namespace, [selects(template)]))

    def check(live: Json) -> None:
        assert images(live) == ["fictional.registry.us/nginx:1.19.0"]

    await rig.eventually(everywhere(rig, DEPLOYMENTS, "web", check))


async def test_an_override_that_comes_after_propagation_updates_the_members(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)
    await rig.apply(formed("rules", rig.namespace, None, {"imageOverrider": [FIRST_IMAGE]}))

    def check(live: Json) -> None:
        assert images(live) == ["fictional.registry.us/nginx:1.19.0"]

    await rig.eventually(everywhere(rig, DEPLOYMENTS, "web", check))


# -- beyond the suite -------------------------------------------------------------------------------------------------


async def test_an_override_of_some_clusters_leaves_the_others_alone_and_ends_with_its_policy(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    rule = {
        "targetCluster": {"clusterNames": ["member2"]},
        "overriders": {"plaintext": [{"path": "/spec/replicas", "operator": "replace", "value": 1}]},
    }
    await rig.apply(
        override_policy("o", rig.namespace, [selects(template)], [rule]),
        template,
        policy("p", rig.namespace, [selects(template)]),
    )

    async def replicas(*wanted: int) -> None:
        found = [await rig.get(member, DEPLOYMENTS, "web", rig.namespace) for member in rig.members]
        assert [live["spec"]["replicas"] for live in found if live is not None] == list(wanted)

    await rig.eventually(lambda: replicas(3, 1, 3))
    await rig.delete(scheme.OVERRIDE_POLICIES, "o", rig.namespace)
    await rig.eventually(lambda: replicas(3, 3, 3))


async def test_a_broken_override_is_told_and_stops_only_what_it_selects(rig: Rig) -> None:
    broken, sound = config_map("broken", rig.namespace), config_map("sound", rig.namespace)
    rule = {"overriders": {"plaintext": [{"path": "/data/missing/deeper", "operator": "replace", "value": "x"}]}}
    await rig.apply(
        override_policy("o", rig.namespace, [selects(broken)], [rule]),
        broken,
        sound,
        policy("p", rig.namespace, [selects(broken), selects(sound)]),
    )
    await rig.reaches(rig.members, CONFIG_MAPS, "sound", rig.namespace)
    told = await rig.event("ApplyOverridePolicyFailed", "broken", rig.namespace)
    assert f"override policy({rig.namespace}/o)" in told["message"]
    assert await rig.where(CONFIG_MAPS, "broken", rig.namespace) == []
