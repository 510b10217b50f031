"""How many more replicas a cluster can take, by what its status says it has free (Karmada's general estimator).

Amounts are whole numbers: thousandths for cpu, units for everything else, as the API rounds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from hansa.api.cluster import Cluster, ResourceSummary
from hansa.base.quantity import Quantity, QuantityError

PODS_PER_NODE = 110
"""What a node of a resource model is taken to hold."""

Amounts = Mapping[str, int]


class Demand(NamedTuple):
    """What one replica asks for, sorted by resource; only what is above zero."""

    requests: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, requests: Mapping[str, str | int | float] | None) -> Demand:
        """What cannot be read as a quantity is left out: the template's own kind refuses it elsewhere."""
        found = {name: _amount(name, text) for name, text in (requests or {}).items()}
        return cls(tuple(sorted((name, amount) for name, amount in found.items() if amount > 0)))


Load = Sequence[tuple[Demand, int]]
"""Replicas by what each of them asks for."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a cluster has left. `nodes` are those of its resource model, smallest first; None without a model."""

    free: Amounts
    pods: int
    nodes: tuple[tuple[Amounts, int], ...] | None

    @classmethod
    def of(cls, cluster: Cluster, *, models: bool = True) -> Room | None:
        """None when the cluster has not said what it has. `models` says whether its resource model counts."""
        summary = cluster.status.resource_summary
        if summary is None:
            return None
        free = {
            name: _amount(name, total) - _used(summary, name) for name, total in (summary.allocatable or {}).items()
        }
        return cls(free, free.get("pods", 0), _nodes(cluster, summary) if models else None)

    def replicas(self, demand: Demand, assumed: Load = ()) -> int:
        """How many replicas of `demand` find room beside those that are `assumed` to be on their way."""
        pods = self.pods - sum(count for _, count in assumed)
        if pods <= 0:
            return 0
        if not demand.requests:
            return pods
        if self.nodes is not None:
            nodes = _Nodes(self.nodes)
            for others, count in assumed:
                nodes.place(others, count)
            return nodes.place(demand, pods)
        free = self._left(assumed)
        return min(pods, *(max(0, free.get(name, 0) // amount) for name, amount in demand.requests))

    def sets(self, components: Load, assumed: Load = ()) -> int:
        """How many times all `components` together find room."""
        pods = self.pods - sum(count for _, count in assumed)
        each = sum(count for _, count in components)
        if pods <= 0:
            return 0
        if each == 0:
            return pods
        bound = pods // each
        needed: dict[str, int] = {}
        for demand, count in components:
            for name, amount in demand.requests:
                needed[name] = needed.get(name, 0) + amount * count
        free = self._left(assumed)
        for name, amount in needed.items():
            if amount > 0:
                bound = min(bound, max(0, free.get(name, 0) // amount))
        if self.nodes is None or bound == 0:
            return bound
        nodes = _Nodes(self.nodes)
        for others, count in assumed:
            nodes.place(others, count)
        for done in range(bound):
            if any(nodes.place(demand, count) < count for demand, count in components):
                return done
        return bound

    def _left(self, assumed: Load) -> Amounts:
        if not assumed:
            return self.free
        free = dict(self.free)
        for demand, count in assumed:
            for name, amount in demand.requests:
                free[name] = free.get(name, 0) - amount * count
        return free


class _Nodes:
    """Virtual nodes in groups of equal ones; replicas go to the first that has room."""

    def __init__(self, groups: Iterable[tuple[Amounts, int]]) -> None:
        self._groups = [(capacity, PODS_PER_NODE, count) for capacity, count in groups]

    def place(self, demand: Demand, wanted: int) -> int:
        """How many of the `wanted` replicas found room; they stay."""
        placed = 0
        after: list[tuple[Amounts, int, int]] = []
        for capacity, pods, count in self._groups:
            each = min(pods, *(capacity.get(name, 0) // amount for name, amount in demand.requests), wanted)
            if each <= 0 or placed == wanted:
                after.append((capacity, pods, count))
                continue
            full, rest = divmod(min(wanted - placed, each * count), each)
            placed += full * each + rest
            if full:
                after.append((_without(capacity, demand, each), pods - each, full))
            if rest:
                after.append((_without(capacity, demand, rest), pods - rest, 1))
            if untouched := count - full - bool(rest):
                after.append((capacity, pods, untouched))
        self._groups = after
        return placed


def _without(capacity: Amounts, demand: Demand, replicas: int) -> Amounts:
    left = dict(capacity)
    for name, amount in demand.requests:
        left[name] -= amount * replicas
    return left


def _nodes(cluster: Cluster, summary: ResourceSummary) -> tuple[tuple[Amounts, int], ...] | None:
    """None when there is no model, or the status does not fit it."""
    counts = {modeling.grade: modeling.count for modeling in summary.allocatable_modelings or ()}
    models = cluster.spec.resource_models or ()
    if not counts or not models or any(count < 0 for count in counts.values()):
        return None
    return tuple(
        ({each.name: _amount(each.name, each.min) for each in model.ranges}, counts[model.grade])
        for model in sorted(models, key=lambda model: model.grade)
        if counts.get(model.grade)
    )


def _used(summary: ResourceSummary, name: str) -> int:
    return sum(_amount(name, part[name]) for part in (summary.allocated, summary.allocating) if part and name in part)


@lru_cache(maxsize=4096)
def _amount(name: str, text: str | int | float) -> int:
    try:
        quantity = Quantity.parse(text)
    except QuantityError:
        return 0
    return quantity.milli if name == "cpu" else quantity.value
