"""May a policy take a template from the policy that has it? (gate PropagationPolicyPreemption)"""

from __future__ import annotations

from collections.abc import Iterable

from hansa.match.policy import Policy


def may_preempt(policy: Policy, holder: Policy) -> bool:
    """A policy of a namespace takes from any cluster-wide one, and from its like of lower priority; never upwards."""
    if policy.spec.preemption != "Always" or policy.deleting or policy.key == holder.key:
        return False
    if policy.cluster_wide != holder.cluster_wide:
        return holder.cluster_wide
    return policy.spec.priority > holder.spec.priority


def roused(policies: Iterable[Policy], lowered: Policy, before: int) -> list[Policy]:
    """Policies that get their chance because `lowered` had the priority `before`: the highest first."""
    after = lowered.spec.priority
    found = [
        policy
        for policy in policies
        if policy.spec.preemption == "Always"
        and policy.meta.namespace == lowered.meta.namespace
        and after < policy.spec.priority < before
    ]
    return sorted(found, key=lambda policy: (-policy.spec.priority, policy.meta.name))
