"""Dependencies where time and writes are counted: restarts, what is not known, what is written how often."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment, policy, selects

from hansa.api import names, scheme

pytestmark = pytest.mark.looptime(resolution=2**-20)
NAMESPACE = "default"
POD = {"volumes": [{"name": "v", "configMap": {"name": "dep"}}]}


async def started(federation: Any) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    template = deployment("web", NAMESPACE, replicas=1, pod=POD)
    own = policy("p", NAMESPACE, [selects(template)], clusters=["member1"], propagateDeps=True)
    await federation.apply(config_map("dep", NAMESPACE), template, own)
    await federation.settle()
    assert await federation.get("member1", CONFIG_MAPS, "dep", NAMESPACE) is not None


async def test_a_restart_writes_nothing(federation: Any) -> None:
    await started(federation)
    await federation.restart()
    federation.plane.forget_writes()
    await federation.settle()
    assert federation.plane.writes == []


async def test_a_dependency_costs_no_more_writes_than_a_template(federation: Any) -> None:
    await federation.join("member1")
    await federation.settle()
    template = deployment("web", NAMESPACE, replicas=1, pod=POD)
    own = policy("p", NAMESPACE, [selects(template)], clusters=["member1"], propagateDeps=True)
    await federation.apply(template, own)
    await federation.settle()
    federation.plane.forget_writes()
    await federation.apply(config_map("dep", NAMESPACE))
    await federation.settle()
    forward = [write for write in federation.plane.writes if not write.endswith("/status")]
    # binding, Work, member
    assert len(forward) == 3, forward


async def test_a_policy_that_claims_a_dependency_later_adds_its_clusters(federation: Any) -> None:
    await started(federation)
    dep = config_map("dep", NAMESPACE)
    await federation.apply(policy("own", NAMESPACE, [selects(dep)], clusters=["member2"]))
    await federation.settle()
    for member in ("member1", "member2"):
        assert await federation.get(member, CONFIG_MAPS, "dep", NAMESPACE) is not None, member
    await federation.clients["hub"].delete(DEPLOYMENTS, "web", NAMESPACE, propagation="Background")
    await federation.settle()
    assert await federation.get("member1", CONFIG_MAPS, "dep", NAMESPACE) is None
    assert await federation.get("member2", CONFIG_MAPS, "dep", NAMESPACE) is not None


async def test_an_unknown_dependent_holds_a_release_up(federation: Any) -> None:
    """A binding that `requiredBy` names but nobody knows may want to keep what we would delete."""
    await started(federation)
    stranger = {"namespace": NAMESPACE, "name": "stranger-deployment", "clusters": [{"name": "member2"}]}
    hub = federation.clients["hub"]
    live = (await hub.get(scheme.RESOURCE_BINDINGS, "dep-configmap", NAMESPACE)).json()
    entries = [*live["spec"]["requiredBy"], stranger]
    await hub.patch(scheme.RESOURCE_BINDINGS, "dep-configmap", NAMESPACE, {"spec": {"requiredBy": entries}})
    await federation.settle()
    await hub.patch(scheme.PROPAGATION_POLICIES, "p", NAMESPACE, {"spec": {"propagateDeps": False}})
    await federation.settle()
    after = (await hub.get(scheme.RESOURCE_BINDINGS, "dep-configmap", NAMESPACE)).json()
    assert after["spec"]["requiredBy"] == entries
    assert await federation.get("member1", CONFIG_MAPS, "dep", NAMESPACE) is not None
    dependent = (await hub.get(scheme.RESOURCE_BINDINGS, "web-deployment", NAMESPACE)).json()
    assert names.DEPENDENCIES_FINALIZER in dependent["metadata"]["finalizers"]
