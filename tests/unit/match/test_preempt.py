"""Who may take a template from whom, row by row."""

from __future__ import annotations

import pytest

from hansa.api.meta import ObjectMeta
from hansa.api.policy import PropagationSpec, ResourceSelector
from hansa.match.policy import Policy
from hansa.match.preempt import may_preempt, roused


def policy(name: str, namespace: str = "ns", priority: int = 0, preemption: str = "Always") -> Policy:
    selectors = [ResourceSelector(api_version="v1", kind="ConfigMap")]
    spec = PropagationSpec(resource_selectors=selectors, priority=priority, preemption=preemption)  # type: ignore[arg-type]
    return Policy(ObjectMeta(name=name, namespace=namespace), spec, ())


@pytest.mark.parametrize(
    ("taker", "holder", "may"),
    [
        (policy("a", priority=2), policy("b", priority=1), True),
        (policy("a", priority=1), policy("b", priority=1), False),
        (policy("a", priority=1), policy("b", priority=2), False),
        (policy("a", priority=0), policy("b", "", priority=9), True),
        (policy("a", "", priority=2), policy("b", "", priority=1), True),
        (policy("a", "", priority=1), policy("b", "", priority=1), False),
        (policy("a", "", priority=9), policy("b", priority=0), False),
        (policy("a", priority=2, preemption="Never"), policy("b", priority=1), False),
        (policy("a", priority=2), policy("a", priority=2), False),
    ],
)
def test_rules_of_preemption(taker: Policy, holder: Policy, may: bool) -> None:
    assert may_preempt(taker, holder) is may


def test_those_between_the_old_and_the_new_priority_are_roused_the_highest_first() -> None:
    lowered = policy("l", priority=1)
    every = [
        policy("low", priority=1),
        policy("mid", priority=3),
        policy("high", priority=4),
        policy("top", priority=5),
        policy("never", priority=3, preemption="Never"),
        policy("elsewhere", "other", priority=3),
        policy("wide", "", priority=3),
    ]
    assert [one.meta.name for one in roused(every, lowered, 5)] == ["high", "mid"]
