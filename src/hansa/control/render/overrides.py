"""Override policies of the hub, decoded once for each version, found by reach."""

from __future__ import annotations

import logging

import msgspec

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.match.overrides import Overrides, applicable, overrides_of
from hansa.match.selector import Subject
from hansa.override.apply import Order
from hansa.runtime.cache import Cache
from hansa.runtime.informer import Change, Informer

log = logging.getLogger(__name__)


class OverridePolicies:
    """ClusterOverridePolicies first, then those of the object's namespace, each in the order of application."""

    def __init__(self, cache: Cache) -> None:
        self.informers: tuple[Informer, Informer] = (
            cache.informer(scheme.CLUSTER_OVERRIDE_POLICIES),
            cache.informer(scheme.OVERRIDE_POLICIES),
        )
        self._by_namespace: dict[str, dict[Key, Overrides]] = {}
        for informer in self.informers:
            informer.subscribe(self._changed)

    def orders(self, subject: Subject, *, cluster_wide_only: bool = False) -> tuple[list[Order], list[Order]]:
        """(of ClusterOverridePolicies, of OverridePolicies) that mean the object."""
        own = {} if cluster_wide_only or not subject.namespace else self._by_namespace.get(subject.namespace, {})
        return _orders(self._by_namespace.get("", {}), subject), _orders(own, subject)

    def _changed(self, change: Change) -> None:
        key = change.item.key
        policies = self._by_namespace.setdefault(key.namespace, {})
        policies.pop(key, None)
        if change.new is not None and (read := read_overrides(change.new)) is not None:
            policies[key] = read
        if not policies:
            self._by_namespace.pop(key.namespace, None)


def read_overrides(item: Item) -> Overrides | None:
    """None for a policy that does not fit its kind: it hurts itself alone."""
    try:
        return overrides_of(item)
    except msgspec.ValidationError as error:
        log.warning("override policy cannot be read: %s", error, extra={"key": str(item.key)})
        return None


def _orders(policies: dict[Key, Overrides], subject: Subject) -> list[Order]:
    return [Order(policy.meta, policy.rules) for policy in applicable(policies.values(), subject)]
