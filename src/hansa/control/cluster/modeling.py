"""How many of a member's nodes are of which grade of its Cluster's resource models, by what they have free.

As Karmada counts, but for one thing: a node without room for another pod is left out, and the others are still counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hansa.api.cluster import ResourceModel
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.quantity import Quantity
from hansa.control.cluster.summary import Resources, allocatable

_NONE = Quantity.of(0)


def modelings(models: Sequence[ResourceModel], nodes: Iterable[Item], used: Mapping[str, Resources]) -> list[Json]:
    """An entry for each grade, ascending. `used` is what pods on each node ask for, `pods` among it."""
    ordered = sorted(models, key=lambda model: model.grade)
    counts = [0] * len(ordered)
    for node in nodes:
        has, taken = allocatable([node]), used.get(node.meta.name, {})
        free = {name: total.nano - taken.get(name, _NONE).nano for name, total in has.items()}
        if free.get("pods", 0) > 0:
            counts[_grade(ordered, free)] += 1
    return [{"grade": model.grade, "count": count} for model, count in zip(ordered, counts, strict=True)]


def _grade(models: Sequence[ResourceModel], free: Mapping[str, int]) -> int:
    """The highest whose least of every resource is free; the first where none is."""
    names = {each.name for model in models for each in model.ranges}
    best = len(models) - 1
    for name in names:
        fits = [i for i, model in enumerate(models) if _least(model, name) <= free.get(name, 0)]
        best = min(best, max(fits, default=0))
    return best


def _least(model: ResourceModel, name: str) -> int:
    return next((Quantity.parse(each.min).nano for each in model.ranges if each.name == name), 0)
