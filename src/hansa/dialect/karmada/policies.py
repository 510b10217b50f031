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
_Selects = tuple[str, str, str, str]
"""Namespace of the policy, apiVersion, kind and name; no name means others of the kind too."""


class Policies:
    """Keys of ClusterPropagationPolicies have no namespace."""

    def __init__(self, cache: Cache) -> None:
        self.informers: tuple[Informer, Informer] = (
            cache.informer(scheme.PROPAGATION_POLICIES),
            cache.informer(scheme.CLUSTER_PROPAGATION_POLICIES),
        )
        self._policies: dict[Key, tuple[Policy, Json]] = {}
        self._selecting: dict[_Selects, dict[Key, None]] = {}
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
        own = best(self._speaking_of(subject, subject.namespace), subject) if subject.namespace else None
        return own or best(self._speaking_of(subject, ""), subject)

    def __iter__(self) -> Iterator[Policy]:
        return (policy for policy, _ in self._policies.values())

    def _speaking_of(self, subject: Subject, namespace: str) -> Iterator[Policy]:
        """Policies of the namespace that select the object by its name, or others of its kind too."""
        kind = (namespace, subject.api_version, subject.kind)
        named, others = self._selecting.get((*kind, subject.name), {}), self._selecting.get((*kind, ""), {})
        for key in named | others:
            yield self._policies[key][0]

    def _changed(self, change: Change) -> None:
        key = change.item.key
        old = self._policies.pop(key, None)
        for selects in _selects(old[0]) if old else ():
            keys = self._selecting.get(selects, {})
            keys.pop(key, None)
            if not keys:
                self._selecting.pop(selects, None)
        if change.new is None:
            return
        read = read_policy(change.new)
        if read is None:
            return
        self._policies[key] = read
        for selects in _selects(read[0]):
            self._selecting.setdefault(selects, {})[key] = None


def read_policy(item: Item) -> tuple[Policy, Json] | None:
    """The policy with defaults, and its spec as JSON. None for one that does not fit its kind: it claims nothing."""
    try:
        document: Any = propagation.default(item.json())
        return policy_of(Item.of(document)), document["spec"]
    except (msgspec.ValidationError, AttributeError, KeyError) as error:
        log.warning("policy cannot be read: %s", error, extra={"key": str(item.key)})
        return None


def _selects(policy: Policy) -> Iterable[_Selects]:
    return {(policy.meta.namespace, each.api_version, each.kind, each.name) for each in policy.selectors}


def policy_resource(key: Key) -> Resource:
    return scheme.PROPAGATION_POLICIES if key.namespace else scheme.CLUSTER_PROPAGATION_POLICIES
