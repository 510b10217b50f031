"""The arithmetic of a Deployment's rollout: how many pods each ReplicaSet should have next. Pure.

Follows the documented behaviour of Deployments: never more than `replicas + maxSurge` pods, never fewer available ones
than `replicas - maxUnavailable`; pods that are not available go first; scaling in the middle of a rollout is shared in
proportion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hansa.api.item import Item
from hansa.api.meta import Json

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a Deployment's spec asks for, with percentages resolved."""

    replicas: int
    recreate: bool
    surge: int
    unavailable: int

    @property
    def maximum(self) -> int:
        """Pods that may exist at once; what the max-replicas annotation says."""
        return self.replicas + self.surge

    @classmethod
    def of(cls, spec: Json) -> Wanted:
        replicas = int(spec.get("replicas", 1))
        strategy = spec.get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return cls(replicas, True, 0, 0)
        rolling = strategy.get("rollingUpdate") or {}
        surge = resolve(rolling.get("maxSurge", "25%"), replicas, up=True)
        unavailable = resolve(rolling.get("maxUnavailable", "25%"), replicas, up=False)
        if surge == 0 and unavailable == 0:
            unavailable = 1  # or nothing could ever move
        return cls(replicas, False, surge, min(unavailable, replicas) if replicas else 0)


@dataclass(frozen=True, slots=True)
class Revision:
    """One ReplicaSet of a Deployment."""

    item: Item
    replicas: int
    """spec.replicas"""
    actual: int
    ready: int
    available: int
    terminating: int
    observed: bool
    """Its controller has seen its latest spec."""

    @classmethod
    def of(cls, item: Item) -> Revision:
        body = item.json()
        status = body.get("status") or {}
        return cls(
            item=item,
            replicas=int(body["spec"].get("replicas", 1)),
            actual=int(status.get("replicas", 0)),
            ready=int(status.get("readyReplicas", 0)),
            available=int(status.get("availableReplicas", 0)),
            terminating=int(status.get("terminatingReplicas") or 0),
            observed=int(status.get("observedGeneration", 0)) >= item.meta.generation,
        )

    @property
    def name(self) -> str:
        return self.item.meta.name

    @property
    def number(self) -> int:
        return int_annotation(self.item, REVISION) or 0

    @property
    def age_key(self) -> tuple[str, str]:
        """Sorts the oldest first."""
        return (self.item.meta.creation_timestamp or "", self.name)

    def at(self, replicas: int) -> Revision:
        return replace(self, replicas=replicas)


def resolve(value: int | str, total: int, *, up: bool) -> int:
    """An IntOrString: a number, or a percentage of `total`."""
    if isinstance(value, int):
        return value
    if value.endswith("%"):
        share = int(value[:-1]) * total / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value)


def int_annotation(item: Item, name: str) -> int | None:
    try:
        return int(item.annotations[name])
    except (KeyError, ValueError):
        return None


def new_replicas(wanted: Wanted, every: Sequence[Revision], new_now: int) -> int:
    """How far the new ReplicaSet may grow now."""
    if wanted.recreate:
        return wanted.replicas
    if new_now >= wanted.replicas:
        return wanted.replicas
    room = wanted.maximum - sum(revision.replicas for revision in every)
    if room <= 0:
        return new_now
    return min(new_now + room, wanted.replicas)


def shrink_old(wanted: Wanted, new: Revision, old: Sequence[Revision]) -> dict[str, int]:
    """New sizes, by name, of the old ReplicaSets that may lose pods now."""
    total = sum(revision.replicas for revision in (*old, new))
    least = wanted.replicas - wanted.unavailable
    budget = total - least - (new.replicas - new.available)
    if budget <= 0:
        return {}
    sizes = {revision.name: revision.replicas for revision in old}
    oldest_first = sorted(old, key=lambda revision: revision.age_key)
    for revision in oldest_first:
        useless = max(0, sizes[revision.name] - revision.available)
        taken = min(budget, useless)
        sizes[revision.name] -= taken
        budget -= taken
    available = sum(revision.available for revision in (*old, new))
    spare = max(0, available - least)
    for revision in oldest_first:
        taken = min(sizes[revision.name], spare)
        sizes[revision.name] -= taken
        spare -= taken
    return {revision.name: sizes[revision.name] for revision in old if sizes[revision.name] != revision.replicas}


def is_scaling(wanted: Wanted, every: Sequence[Revision]) -> bool:
    """Whether `spec.replicas` changed since the ReplicaSets were last sized."""
    desired = (int_annotation(revision.item, DESIRED_REPLICAS) for revision in every if revision.replicas > 0)
    return any(size is not None and size != wanted.replicas for size in desired)


def scale(wanted: Wanted, new: Revision | None, old: Sequence[Revision]) -> dict[str, int]:
    """New sizes, by name, when only the number of replicas changed (also while paused)."""
    every = [*old, new] if new is not None else list(old)
    active = [revision for revision in every if revision.replicas > 0]
    single = _active_or_latest(active, new, old)
    if single is not None:
        return {single.name: wanted.replicas} if single.replicas != wanted.replicas else {}
    if new is not None and _saturated(wanted, new):
        return {revision.name: 0 for revision in old if revision.replicas > 0}
    if wanted.recreate:
        return {}
    return _in_proportion(wanted, active)


def _active_or_latest(active: list[Revision], new: Revision | None, old: Sequence[Revision]) -> Revision | None:
    if len(active) > 1:
        return None
    if active:
        return active[0]
    if new is not None:
        return new
    return max(old, key=lambda revision: revision.age_key, default=None)


def _saturated(wanted: Wanted, new: Revision) -> bool:
    desired = int_annotation(new.item, DESIRED_REPLICAS)
    return new.replicas == wanted.replicas == desired == new.available


def _in_proportion(wanted: Wanted, active: list[Revision]) -> dict[str, int]:
    allowed = wanted.maximum if wanted.replicas > 0 else 0
    to_add = allowed - sum(revision.replicas for revision in active)
    # growing favours the newest among equals, shrinking takes from the oldest
    order = sorted(active, key=lambda revision: revision.age_key, reverse=to_add > 0)
    order.sort(key=lambda revision: revision.replicas, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for revision in order:
        share = _share(wanted, revision, to_add, added) if to_add else 0
        sizes[revision.name] = revision.replicas + share
        added += share
    if order and to_add != added:
        first = order[0].name
        sizes[first] = max(0, sizes[first] + to_add - added)
    return {revision.name: sizes[revision.name] for revision in order if sizes[revision.name] != revision.replicas}


def _share(wanted: Wanted, revision: Revision, to_add: int, added: int) -> int:
    if revision.replicas == 0 or to_add == added:
        return 0
    left = to_add - added
    if wanted.replicas == 0:
        fraction = -revision.replicas
    else:
        before = int_annotation(revision.item, MAX_REPLICAS) or wanted.maximum
        fraction = round_half_away(revision.replicas * wanted.maximum / before) - revision.replicas
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def round_half_away(value: float) -> int:
    """Halves away from zero, unlike Python's round."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)
