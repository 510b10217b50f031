"""Policies that take templates from others (gate PropagationPolicyPreemption)."""

from __future__ import annotations

import pytest
from tests.support.objects import DEPLOYMENTS, deployment, policy, selects
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.kube.errors import Invalid

PPS, CPPS = scheme.PROPAGATION_POLICIES, scheme.CLUSTER_PROPAGATION_POLICIES


def wide(rig: Rig, template: Json, stem: str, member: str, **spec: object) -> Json:
    selector = {**selects(template), "namespace": rig.namespace}
    return policy(rig.name(stem), None, [selector], clusters=[member], **spec)


async def at(rig: Rig, member: str) -> None:
    await rig.reaches([member], DEPLOYMENTS, "web", rig.namespace)


async def test_a_policy_of_higher_priority_takes_a_deployment_and_gives_it_back(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    low = policy("low", rig.namespace, [selects(template)], clusters=["member1"], priority=1)
    high = policy("high", rig.namespace, [selects(template)], clusters=["member2"], priority=2, preemption="Always")
    await rig.apply(template, low)
    await at(rig, "member1")
    await rig.apply(high)
    await at(rig, "member2")
    told = await rig.event("PreemptPolicySucceed", "web", rig.namespace)
    assert told["source"]["component"] == "resource-detector"
    await rig.delete(PPS, "high", rig.namespace)
    await at(rig, "member1")


async def test_a_policy_takes_from_a_cluster_wide_one_whatever_the_priorities(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, wide(rig, template, "wide", "member1", priority=9))
    await at(rig, "member1")
    own = policy("own", rig.namespace, [selects(template)], clusters=["member2"], preemption="Always")
    await rig.apply(own)
    await at(rig, "member2")
    live = await rig.get("hub", DEPLOYMENTS, "web", rig.namespace)
    assert live is not None
    assert names.CLUSTER_POLICY_ID_LABEL not in live["metadata"]["labels"]
    await rig.delete(PPS, "own", rig.namespace)
    await at(rig, "member1")


async def test_a_cluster_wide_policy_takes_from_its_like_of_lower_priority(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, wide(rig, template, "low", "member1", priority=1))
    await at(rig, "member1")
    await rig.apply(wide(rig, template, "high", "member2", priority=2, preemption="Always"))
    await at(rig, "member2")
    await rig.delete(CPPS, rig.name("high"))
    await at(rig, "member1")


async def test_a_cluster_wide_policy_never_takes_from_one_of_the_namespace(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("own", rig.namespace, [selects(template)], clusters=["member1"]))
    await at(rig, "member1")
    await rig.apply(wide(rig, template, "wide", "member2", priority=9, preemption="Always"))

    async def stays() -> None:
        assert await rig.where(DEPLOYMENTS, "web", rig.namespace) == ["member1"]

    await rig.holds(stays, seconds=3)


async def test_a_policy_that_preempts_must_name_what_it_takes(rig: Rig) -> None:
    kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
    with pytest.raises(Invalid, match=r"spec\.resourceSelectors\[0\]\.name"):
        await rig.apply(policy("greedy", rig.namespace, [kind], priority=5, preemption="Always"))


async def test_lowering_a_policy_lets_another_take_over(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    first = policy("first", rig.namespace, [selects(template)], clusters=["member1"], priority=5)
    second = policy("second", rig.namespace, [selects(template)], clusters=["member2"], priority=3, preemption="Always")
    await rig.apply(template, first)
    await at(rig, "member1")
    await rig.apply(second)
    await rig.patch(PPS, "first", {"spec": {"priority": 2}}, rig.namespace)
    await at(rig, "member2")


async def test_lowering_a_cluster_wide_policy_lets_another_take_over(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, wide(rig, template, "first", "member1", priority=5))
    await at(rig, "member1")
    await rig.apply(wide(rig, template, "second", "member2", priority=3, preemption="Always"))
    await rig.patch(CPPS, rig.name("first"), {"spec": {"priority": 2}})
    await at(rig, "member2")
