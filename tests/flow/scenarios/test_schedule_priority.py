"""The scheduler's queue order, named by a PriorityClass (gate PriorityBasedScheduling)."""

from __future__ import annotations

from tests.support.objects import deployment, metadata, policy, selects
from tests.support.rig import Rig

from hansa.api import scheme
from hansa.api.meta import Json


def source(name: str) -> Json:
    return {"priorityClassSource": "KubePriorityClass", "priorityClassName": name}


def priority_class(name: str, value: int) -> Json:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": metadata(name),
        "value": value,
    }


async def test_the_binding_has_the_value_of_the_class(rig: Rig) -> None:
    name = rig.name("urgent")
    template = deployment("web", rig.namespace)
    own = policy("p", rig.namespace, [selects(template)], schedulePriority=source(name))
    await rig.apply(priority_class(name, 1000), template, own)

    async def seen() -> None:
        binding = await rig.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", rig.namespace)
        assert binding is not None and binding["spec"]["schedulePriority"] == {"priority": 1000}

    await rig.eventually(seen)


async def test_without_the_class_there_is_no_binding_and_an_event_says_so(rig: Rig) -> None:
    name = rig.name("missing")
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], schedulePriority=source(name)))
    told = await rig.event("ApplyPolicyFailed", "web", rig.namespace)
    assert f'priorityclasses.scheduling.k8s.io "{name}" not found' in told["message"]
    assert await rig.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", rig.namespace) is None
    await rig.apply(priority_class(name, 7))

    async def seen() -> None:
        assert await rig.get("hub", scheme.RESOURCE_BINDINGS, "web-deployment", rig.namespace) is not None

    await rig.eventually(seen)
