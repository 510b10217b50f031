"""Which override policies mean an object, in the order in which they are applied.

The closest policy comes last, so that it has the last word; among equals the last by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hansa.api.item import Item
from hansa.api.meta import Key, ObjectMeta
from hansa.api.policy import ClusterOverridePolicy, OverridePolicy, Overriders, RuleWithCluster
from hansa.match.selector import BY_KIND, NO_MATCH, Selector, Subject, priority, selector_of


@dataclass(frozen=True, slots=True)
class Overrides:
    """An OverridePolicy, or a ClusterOverridePolicy when `meta.namespace` is empty."""

    meta: ObjectMeta
    selectors: tuple[Selector, ...] | None
    """None: every object in reach of the policy."""
    rules: tuple[RuleWithCluster, ...]

    @property
    def key(self) -> Key:
        return self.meta.key

    @property
    def cluster_wide(self) -> bool:
        return not self.meta.namespace

    def closeness(self, subject: Subject) -> int:
        """How closely the policy means the object (see `match.selector`)."""
        if not self.cluster_wide and self.meta.namespace != subject.namespace:
            return NO_MATCH
        return BY_KIND if self.selectors is None else priority(self.selectors, subject)


def overrides_of(item: Item) -> Overrides:
    """Raises msgspec.ValidationError when the policy does not have its kind's shape."""
    spec = item.as_(OverridePolicy if item.kind == "OverridePolicy" else ClusterOverridePolicy).spec
    selectors = tuple(selector_of(entry) for entry in spec.resource_selectors or ()) or None
    rules = tuple(spec.override_rules or ())
    if not rules:
        # the form before v1.0: one rule, recorded as applied even when it has nothing to apply
        rules = (RuleWithCluster(overriders=spec.overriders or Overriders(), target_cluster=spec.target_cluster),)
    return Overrides(item.meta, selectors, rules)


def applicable(policies: Iterable[Overrides], subject: Subject) -> list[Overrides]:
    """Those that mean the object. Cluster-wide policies and those of a namespace are to be asked apart."""
    ranked = ((policy.closeness(subject), policy.meta.name, policy) for policy in policies)
    chosen = sorted((entry for entry in ranked if entry[0] > NO_MATCH), key=lambda entry: entry[:2])
    return [policy for _, _, policy in chosen]
