"""Members' objects have other hands on them too: what is theirs stays theirs, what is ours is put back."""

from __future__ import annotations

import copy

from tests.support.objects import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    SERVICES,
    config_map,
    deployment,
    metadata,
    policy,
    selects,
    service,
)
from tests.support.rig import Rig

from hansa.api import scheme
from hansa.api.meta import Json, Resource

AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True)
RETAIN_REPLICAS = "resourcetemplate.karmada.io/retain-replicas"


async def placed(rig: Rig, resource: Resource, template: Json) -> None:
    name = template["metadata"]["name"]
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], clusters=["member1"]))
    await rig.reaches(["member1"], resource, name, rig.namespace)


async def in_member(rig: Rig, resource: Resource, name: str) -> Json:
    live = await rig.get("member1", resource, name, rig.namespace)
    assert live is not None
    return live


async def test_a_label_and_an_annotation_of_somebody_else_survive_edits_of_the_template(rig: Rig) -> None:
    await placed(rig, CONFIG_MAPS, config_map("web", rig.namespace, labels={"a": "b"}))
    theirs = {"metadata": {"labels": {"team": "blue"}, "annotations": {"note": "mine"}}}
    await rig.patch(CONFIG_MAPS, "web", theirs, rig.namespace, server="member1")
    await rig.patch(
        CONFIG_MAPS, "web", {"data": {"user": "edited"}, "metadata": {"labels": {"a": None}}}, rig.namespace
    )

    async def merged() -> None:
        live = await in_member(rig, CONFIG_MAPS, "web")
        assert live["data"] == {"user": "edited"}
        assert live["metadata"]["labels"]["team"] == "blue" and live["metadata"]["annotations"]["note"] == "mine"
        assert "a" not in live["metadata"]["labels"]

    await rig.eventually(merged)


async def test_what_is_ours_is_put_back(rig: Rig) -> None:
    await placed(rig, CONFIG_MAPS, config_map("web", rig.namespace, labels={"a": "b"}))
    drift = {"data": {"user": "drifted"}, "metadata": {"labels": {"a": "c"}}}
    await rig.patch(CONFIG_MAPS, "web", drift, rig.namespace, server="member1")

    async def back() -> None:
        live = await in_member(rig, CONFIG_MAPS, "web")
        assert live["data"] == {"user": "karmada"} and live["metadata"]["labels"]["a"] == "b"

    await rig.eventually(back)


async def test_what_is_deleted_in_a_member_is_made_again(rig: Rig) -> None:
    await placed(rig, CONFIG_MAPS, config_map("web", rig.namespace))
    before = await in_member(rig, CONFIG_MAPS, "web")
    await rig.delete(CONFIG_MAPS, "web", rig.namespace, server="member1")

    async def again() -> None:
        live = await in_member(rig, CONFIG_MAPS, "web")
        assert live["metadata"]["uid"] != before["metadata"]["uid"]

    await rig.eventually(again)


async def test_fields_that_the_member_chose_survive(rig: Rig) -> None:
    await placed(rig, SERVICES, service("web", rig.namespace))
    before = await in_member(rig, SERVICES, "web")
    await rig.patch(SERVICES, "web", {"spec": {"sessionAffinity": "ClientIP"}}, rig.namespace)

    async def changed() -> None:
        live = await in_member(rig, SERVICES, "web")
        assert live["spec"]["sessionAffinity"] == "ClientIP"
        assert live["spec"]["clusterIP"] == before["spec"]["clusterIP"]

    await rig.eventually(changed)


async def test_finalizers_of_somebody_else_survive(rig: Rig) -> None:
    await placed(rig, CONFIG_MAPS, config_map("web", rig.namespace))
    theirs = {"metadata": {"finalizers": ["example.io/guard"]}}
    await rig.patch(CONFIG_MAPS, "web", theirs, rig.namespace, server="member1")
    await rig.patch(CONFIG_MAPS, "web", {"data": {"user": "edited"}}, rig.namespace)

    async def merged() -> None:
        live = await in_member(rig, CONFIG_MAPS, "web")
        assert live["data"] == {"user": "edited"} and live["metadata"]["finalizers"] == ["example.io/guard"]

    await rig.eventually(merged)
    await rig.patch(CONFIG_MAPS, "web", {"metadata": {"finalizers": None}}, rig.namespace, server="member1")


async def test_replicas_that_an_autoscaler_of_the_member_sets_stay_where_the_template_says_so(rig: Rig) -> None:
    template = deployment("web", rig.namespace, replicas=2, labels={RETAIN_REPLICAS: "true"})
    await placed(rig, DEPLOYMENTS, template)
    await rig.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, rig.namespace, server="member1")
    changed = copy.deepcopy(template)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.27"
    await rig.apply(changed)

    async def kept() -> None:
        live = await in_member(rig, DEPLOYMENTS, "web")
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"
        assert live["spec"]["replicas"] == 5

    await rig.eventually(kept)


async def test_without_that_word_replicas_are_ours(rig: Rig) -> None:
    await placed(rig, DEPLOYMENTS, deployment("web", rig.namespace, replicas=2))
    await rig.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, rig.namespace, server="member1")

    async def back() -> None:
        live = await in_member(rig, DEPLOYMENTS, "web")
        assert live["spec"]["replicas"] == 2

    await rig.eventually(back)


async def test_an_autoscaler_and_its_target_go_together(rig: Rig) -> None:
    template = deployment("web", rig.namespace, replicas=2, labels={RETAIN_REPLICAS: "true"})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata("web", rig.namespace),
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": 2,
            "maxReplicas": 6,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                }
            ],
        },
    }
    await rig.apply(
        template,
        autoscaler,
        policy("p", rig.namespace, [selects(template), selects(autoscaler)], clusters=["member1", "member2"]),
    )
    await rig.reaches(["member1", "member2"], AUTOSCALERS, "web", rig.namespace)
    scale = {"spec": {"replicas": 4}}
    await rig.patch(DEPLOYMENTS, "web", scale, rig.namespace, server="member1", subresource="scale")

    async def stays() -> None:
        live = await in_member(rig, DEPLOYMENTS, "web")
        assert live["spec"]["replicas"] == 4

    await rig.eventually(stays)
    await rig.holds(stays, seconds=3)
    hub = await rig.get("hub", scheme.RESOURCE_BINDINGS, "web-horizontalpodautoscaler", rig.namespace)
    assert hub is not None
