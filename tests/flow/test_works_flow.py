"""Bindings and their Works where caches are behind and members come late."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment, policy, selects

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key, Resource
from hansa.kube.transport import Answer

pytestmark = pytest.mark.looptime(resolution=2**-20)
NAMESPACE = "default"


async def test_a_binding_that_the_cache_has_not_seen_keeps_its_id(federation: Any, monkeypatch: Any) -> None:
    await federation.join("member1")
    await federation.settle()
    template = config_map("web", NAMESPACE)
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)]))
    await federation.settle()
    before = await federation.get("hub", scheme.RESOURCE_BINDINGS, "web-configmap", NAMESPACE)
    store = federation.plane.cache.informer(scheme.RESOURCE_BINDINGS).store
    get, blind = store.get, [True, True, True]

    def behind(key: Key) -> Item | None:
        return None if key.name == "web-configmap" and blind and blind.pop() else get(key)

    monkeypatch.setattr(store, "get", behind)
    await federation.apply(config_map("web", NAMESPACE, {"user": "edited"}))
    await federation.settle()
    assert not blind
    after = await federation.get("hub", scheme.RESOURCE_BINDINGS, "web-configmap", NAMESPACE)
    identity = names.BINDING_ID_LABEL
    assert after["metadata"]["labels"][identity] == before["metadata"]["labels"][identity]
    live = await federation.get("member1", CONFIG_MAPS, "web", NAMESPACE)
    assert live["data"] == {"user": "edited"}
    await federation.hub.delete(CONFIG_MAPS, "web", NAMESPACE)
    await federation.settle()
    assert all("web" not in w["metadata"]["name"] for w in await federation.works("member1"))
    assert await federation.get("member1", CONFIG_MAPS, "web", NAMESPACE) is None


async def test_a_member_that_joins_later_gets_the_namespaces_that_are_there(federation: Any) -> None:
    await federation.join("member1")
    await federation.settle()
    await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "early"}})
    await federation.settle()
    await federation.join("member2")
    await federation.settle()
    for member in ("member1", "member2"):
        assert await federation.get(member, scheme.NAMESPACES, "early") is not None, member


def refuse(federation: Any, monkeypatch: Any, method: str, ending: str, times: int) -> list[int]:
    """The hub fails so many such requests of the control plane; what is left of them is returned."""
    wire = federation.plane.wire
    request, failures = wire.request, [503] * times

    async def flaky(asked: str, path: str, **options: Any) -> Answer:
        if asked == method and path.endswith(ending) and failures:
            return Answer(failures.pop(), {}, b"{}")
        return await request(asked, path, **options)

    monkeypatch.setattr(wire, "request", flaky)
    return failures


async def released_late(federation: Any, monkeypatch: Any, template: Json, resource: Resource) -> tuple[Json, Json]:
    """What hub and member have of `template` after its policy went while the hub failed its release three times."""
    await federation.join("member1")
    await federation.settle()
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)]))
    await federation.settle()
    name = template["metadata"]["name"]
    failures = refuse(federation, monkeypatch, "PATCH", f"/{resource.plural}/{name}", 3)
    await federation.hub.delete(scheme.PROPAGATION_POLICIES, "p", NAMESPACE)
    await federation.settle()
    assert not failures
    released = await federation.get("hub", resource, name, NAMESPACE)
    assert names.POLICY_ID_LABEL not in (released["metadata"].get("labels") or {})
    return released, await federation.get("member1", resource, name, NAMESPACE)


async def test_a_template_that_is_released_late_leaves_no_marks_in_members(federation: Any, monkeypatch: Any) -> None:
    """The binding was rendered while its template still bore the claim."""
    _, live = await released_late(federation, monkeypatch, config_map("web", NAMESPACE), CONFIG_MAPS)
    assert names.POLICY_ID_LABEL not in live["metadata"]["labels"]
    assert names.POLICY_NAME_ANNOTATION not in live["metadata"]["annotations"]


@pytest.mark.parametrize("how", ["deleted", "edited"])
async def test_what_happens_to_an_object_before_its_kind_is_watched_is_put_right(
    federation: Any, monkeypatch: Any, how: str
) -> None:
    await federation.join("member1")
    await federation.settle()
    wire = federation.plane.members["member1"]
    request = wire.request

    async def slow_list(method: str, path: str, **options: Any) -> Answer:
        if method == "GET" and path.endswith("/configmaps"):
            await asyncio.sleep(1)
        return await request(method, path, **options)

    monkeypatch.setattr(wire, "request", slow_list)
    template = config_map("web", NAMESPACE)
    await federation.apply(template, policy("p", NAMESPACE, [selects(template)]))
    await asyncio.sleep(0.5)
    member = federation.clients["member1"]
    if how == "deleted":
        await member.delete(CONFIG_MAPS, "web", NAMESPACE)
    else:
        await member.patch(CONFIG_MAPS, "web", NAMESPACE, {"data": {"user": "somebody"}})
    await federation.settle()
    live = await federation.get("member1", CONFIG_MAPS, "web", NAMESPACE)
    assert live is not None
    assert live["data"] == template["data"]


async def test_members_learn_the_generation_that_a_late_release_made(federation: Any, monkeypatch: Any) -> None:
    """Annotations of a Deployment count as a change, and `kubectl rollout status` waits until all have observed it."""
    released, live = await released_late(federation, monkeypatch, deployment("web", NAMESPACE), DEPLOYMENTS)
    assert live["metadata"]["annotations"][names.TEMPLATE_GENERATION_ANNOTATION] == str(
        released["metadata"]["generation"]
    )
