"""Policies as matching sees them, and which of several one object belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Key, ObjectMeta
from hansa.api.policy import ClusterPropagationPolicy, PropagationPolicy, PropagationSpec
from hansa.match.selector import NO_MATCH, Selector, Subject, priority, selector_of


@dataclass(frozen=True, slots=True)
class Policy:
    """A PropagationPolicy, or a ClusterPropagationPolicy when `meta.namespace` is empty."""

    meta: ObjectMeta
    spec: PropagationSpec
    selectors: tuple[Selector, ...]

    @property
    def key(self) -> Key:
        return self.meta.key

    @property
    def cluster_wide(self) -> bool:
        return not self.meta.namespace

    @property
    def id(self) -> str:
        """The permanent id; empty until admission has given one."""
        label = names.CLUSTER_POLICY_ID_LABEL if self.cluster_wide else names.POLICY_ID_LABEL
        return (self.meta.labels or {}).get(label, "")

    @property
    def deleting(self) -> bool:
        return self.meta.deletion_timestamp is not None

    @property
    def lazy(self) -> bool:
        return self.spec.activation_preference == "Lazy"

    def matches(self, subject: Subject) -> bool:
        return self.closeness(subject) > NO_MATCH

    def closeness(self, subject: Subject) -> int:
        """How closely the policy means the object (see `match.selector`)."""
        if not self.cluster_wide and self.meta.namespace != subject.namespace:
            return NO_MATCH
        return priority(self.selectors, subject)


def policy_of(item: Item) -> Policy:
    """Raises msgspec.ValidationError when the policy does not have its kind's shape."""
    struct = item.as_(PropagationPolicy if item.kind == "PropagationPolicy" else ClusterPropagationPolicy)
    return Policy(item.meta, struct.spec, tuple(selector_of(entry) for entry in struct.spec.resource_selectors))


def best(policies: Iterable[Policy], subject: Subject) -> Policy | None:
    """The policy that the object belongs to: highest explicit priority, then closest, then first by name.

    Policies that are being deleted claim nothing. Policies of one namespace and cluster-wide ones are to be asked
    apart: the former win whatever the priorities.
    """
    candidates = (
        (-policy.spec.priority, -closeness, policy.meta.name, policy)
        for policy in policies
        if not policy.deleting and (closeness := policy.closeness(subject)) > NO_MATCH
    )
    return min(candidates, key=lambda candidate: candidate[:3], default=(0, 0, "", None))[3]
