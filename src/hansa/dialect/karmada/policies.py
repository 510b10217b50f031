"""Policies of the hub: decoded once for each version, found by the kinds that they select."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from hansa.admit import propagation
from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key, Resource
from hansa.match.policy import Policy, best, policy_of
from hansa.match.selector import Subject
from hansa.runtime.cache import Cache
from hansa.runtime.informer import Change, Informer

log = logging.getLogger(__name__)


class Policies:
    """Keys of ClusterPropagationPolicies have no namespace."""

    def __init__(self, cache: Cache) -> None:
        self.informers: tuple[Informer, Informer] = (
            cache.informer(scheme.PROPAGATION_POLICIES),
            cache.informer(scheme.CLUSTER_PROPAGATION_POLICIES),
        )
        self._policies: dict[Key, tuple[Policy, Json]] = {}
        self._by_kind: dict[tuple[str, str, str], dict[Key, None]] = {}
        for informer in self.informers:
            informer.subscribe(self._changed)

    def get(self, key: Key) -> Policy | None:
        found = self._policies.get(key)
        return found[0] if found else None

    def spec(self, key: Key) -> Json:
        """The policy's spec as JSON, defaults filled in. Raises KeyError."""
        return self._policies[key][1]

    def best(self, subject: Subject) -> Policy | None:
        """The policy that an unclaimed object belongs to: one of its namespace, else a cluster-wide one."""
        own = best(self._of_kind(subject, subject.namespace), subject) if subject.namespace else None
        return own or best(self._of_kind(subject, ""), subject)

    def __iter__(self) -> Iterator[Policy]:
        return (policy for policy, _ in self._policies.values())

    def _of_kind(self, subject: Subject, namespace: str) -> Iterator[Policy]:
        for key in self._by_kind.get((namespace, subject.api_version, subject.kind), ()):
            yield self._policies[key][0]

    def _changed(self, change: Change) -> None:
        key = change.item.key
        old = self._policies.pop(key, None)
        for kind in _kinds(old[0]) if old else ():
            keys = self._by_kind.get(kind)
            if keys is not None:
                keys.pop(key, None)
        if change.new is None:
            return
        read = read_policy(change.new)
        if read is None:
            return
        self._policies[key] = read
        for kind in _kinds(read[0]):
            self._by_kind.setdefault(kind, {})[key] = None


def read_policy(item: Item) -> tuple[Policy, Json] | None:
    """The policy with defaults, and its spec as JSON. None for one that does not fit its kind: it claims nothing."""
    try:
        document: Any = propagation.default(item.json())
        return policy_of(Item.of(document)), document["spec"]
    except (msgspec.ValidationError, AttributeError, KeyError) as error:
        log.warning("policy cannot be read: %s", error, extra={"key": str(item.key)})
        return None


def _kinds(policy: Policy) -> Iterable[tuple[str, str, str]]:
    return {(policy.meta.namespace, selector.api_version, selector.kind) for selector in policy.selectors}


def policy_resource(key: Key) -> Resource:
    return scheme.PROPAGATION_POLICIES if key.namespace else scheme.CLUSTER_PROPAGATION_POLICIES
