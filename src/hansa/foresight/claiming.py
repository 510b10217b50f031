"""Which policy has an object, and why the others have not."""

from __future__ import annotations

from collections.abc import Sequence

from hansa.api.item import Item
from hansa.dialect.karmada.policies import read_policy
from hansa.dialect.karmada.scope import is_template
from hansa.foresight.explanation import ClaimTold, Rival
from hansa.match.claim import claim_of
from hansa.match.policy import Policy, best
from hansa.match.preempt import may_preempt
from hansa.match.selector import BY_KIND, BY_LABELS, BY_NAME, Subject

_CLOSENESS = {BY_KIND: "its kind", BY_LABELS: "its labels", BY_NAME: "its name"}


def told(template: Item, items: Sequence[Item], skipped_namespaces: Sequence[str]) -> ClaimTold:
    subject = Subject.of(template)
    read = [found[0] for item in items if (found := read_policy(item)) is not None]
    policies = {policy.key: policy for policy in read}
    claim = claim_of(template.meta)
    holder = policies.get(claim.policy) if claim is not None else None
    rivals = tuple(
        Rival(policy=shown(policy), why=_lost(policy, holder, subject))
        for policy in policies.values()
        if policy is not holder and _speaks_of(policy, subject)
    )
    if holder is not None:
        return ClaimTold(policy=shown(holder), why=_won(holder, subject), rivals=rivals)
    if claim is not None:
        why = f"it is claimed by policy {claim.policy}, which is gone or cannot be read"
    elif not is_template(template, skipped_namespaces):
        why = f"objects in namespace {template.meta.namespace} are never propagated"
    elif any(policy.matches(subject) for policy in policies.values()):
        why = "a policy selects it, and has not claimed it yet"
    else:
        why = "no policy selects it"
    return ClaimTold(policy="", why=why, rivals=rivals)


def shown(policy: Policy) -> str:
    kind = "ClusterPropagationPolicy" if policy.cluster_wide else "PropagationPolicy"
    return f"{kind} {policy.key}"


def _speaks_of(policy: Policy, subject: Subject) -> bool:
    return any((entry.api_version, entry.kind) == (subject.api_version, subject.kind) for entry in policy.selectors)


def _won(policy: Policy, subject: Subject) -> str:
    closeness = policy.closeness(subject)
    if not closeness:
        return "its selectors no longer mean the object, so it will let go of it"
    lazy = ", and acts when the object itself changes (Lazy)" if policy.lazy else ""
    return f"selects it by {_CLOSENESS[closeness]}, priority {policy.spec.priority}{lazy}"


def _lost(policy: Policy, holder: Policy | None, subject: Subject) -> str:
    """Asked of the rules in the order in which they hold."""
    if not policy.matches(subject):
        return _mismatch(policy, subject)
    if policy.deleting:
        return "is being deleted"
    if holder is None:
        return "selects it, and has not claimed it yet"
    if policy.spec.preemption == "Always":
        if not may_preempt(policy, holder):
            return f"wants to take it over (preemption: Always), and may not: {_no_preemption(policy, holder)}"
        if policy.closeness(subject) == BY_NAME:
            return "is about to take it over (preemption: Always)"
    if better := _ranks_before(policy, holder, subject):
        return f"would come first ({better}), but came later and takes nothing over (preemption: {_mode(policy)})"
    return _behind(policy, holder, subject)


def _mode(policy: Policy) -> str:
    return policy.spec.preemption or "Never"


def _no_preemption(policy: Policy, holder: Policy) -> str:
    if policy.cluster_wide and not holder.cluster_wide:
        return "a cluster-wide policy takes nothing from a policy of a namespace"
    return f"its priority {policy.spec.priority} is not higher than {holder.spec.priority}"


def _ranks_before(policy: Policy, holder: Policy, subject: Subject) -> str:
    if policy.cluster_wide != holder.cluster_wide:
        return "a policy of the namespace" if holder.cluster_wide else ""
    if best((policy, holder), subject) is not policy:
        return ""
    return _difference(policy, holder, subject)


def _difference(policy: Policy, other: Policy, subject: Subject) -> str:
    """What decides between two of one scope."""
    if policy.spec.priority != other.spec.priority:
        return f"priority {policy.spec.priority} against {other.spec.priority}"
    mine, its = policy.closeness(subject), other.closeness(subject)
    if mine != its:
        return f"selects it by {_CLOSENESS[mine]}, the other by {_CLOSENESS.get(its, 'nothing')}"
    return f"name {policy.meta.name} against {other.meta.name}"


def _behind(policy: Policy, holder: Policy, subject: Subject) -> str:
    if policy.cluster_wide and not holder.cluster_wide:
        return "selects it too, but a policy of its namespace goes first"
    return f"selects it too, but comes second: {_difference(policy, holder, subject)}"


def _mismatch(policy: Policy, subject: Subject) -> str:
    """Of several selectors of the kind, the first tells."""
    entry = next(e for e in policy.selectors if (e.api_version, e.kind) == (subject.api_version, subject.kind))
    if entry.fault:
        return f"its label selector cannot be read: {entry.fault}"
    if entry.namespace and entry.namespace != subject.namespace:
        return f"selects {subject.kind} in namespace {entry.namespace}"
    if entry.name:
        return f"selects {subject.kind} {entry.name}"
    return f"its label selector does not match the labels of {subject.kind} {subject.name}"
