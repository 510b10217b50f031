"""ClusterOverridePolicies: for objects in and outside of namespaces."""

from __future__ import annotations

from tests.support.objects import DEPLOYMENTS, deployment, override_policy, policy, selects
from tests.support.rig import Rig

from hansa.api import scheme

REGISTRY = {
    "predicate": {"path": "/spec/template/spec/containers/0/image"},
    "component": "Registry",
    "operator": "replace",
    "value": "fictional.registry.us",
}


async def test_a_namespace_that_goes_everywhere_by_itself_is_overridden(rig: Rig) -> None:
    name = rig.name("space")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    label = {"path": "/metadata/labels", "operator": "add", "value": {"hello": "world"}}
    rule = {"overriders": {"plaintext": [label]}}
    await rig.apply(override_policy(rig.name("o"), None, [selects(namespace)], [rule]), namespace)

    async def labelled() -> None:
        for member in rig.members:
            live = await rig.get(member, scheme.NAMESPACES, name)
            assert live is not None and live["metadata"]["labels"]["hello"] == "world"

    await rig.eventually(labelled)


async def test_a_policy_without_selectors_that_comes_after_propagation_updates_the_members(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await rig.reaches(rig.members, DEPLOYMENTS, "web", rig.namespace)
    rule = {"targetCluster": {"clusterNames": rig.members}, "overriders": {"imageOverrider": [REGISTRY]}}
    await rig.apply(override_policy(rig.name("o"), None, None, [rule]))

    async def overridden() -> None:
        for member in rig.members:
            live = await rig.get(member, DEPLOYMENTS, "web", rig.namespace)
            assert live is not None
            assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "fictional.registry.us/nginx:1.19.0"

    await rig.eventually(overridden)


async def test_the_policy_of_the_namespace_has_the_last_word(rig: Rig) -> None:
    template = deployment("web", rig.namespace)

    def replicas(count: int) -> dict[str, object]:
        return {"overriders": {"plaintext": [{"path": "/spec/replicas", "operator": "replace", "value": count}]}}

    selector = {**selects(template), "namespace": rig.namespace}
    await rig.apply(
        override_policy(rig.name("o"), None, [selector], [replicas(7)]),
        override_policy("o", rig.namespace, [selects(template)], [replicas(8)]),
        template,
        policy("p", rig.namespace, [selects(template)], clusters=["member1"]),
    )

    async def eight() -> None:
        live = await rig.get("member1", DEPLOYMENTS, "web", rig.namespace)
        assert live is not None and live["spec"]["replicas"] == 8

    await rig.eventually(eight)
