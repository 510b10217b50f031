"""Dividing a number of replicas over weighted clusters (Webster's method, as Karmada does).

One seat at a time goes to the cluster with the highest `weight / (2 * seats + 1)`. A tie goes to the cluster with fewer
seats, then by name; which end of the alphabet is first depends on the binding's UID, so that the odd replicas of many
workloads do not all land on the same cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heapreplace

from hansa.base.names import fnv1a32


def divide(
    total: int, weights: Mapping[str, int], previous: Mapping[str, int] | None = None, uid: str = ""
) -> dict[str, int]:
    """`total` seats by `weights`, added to `previous`. Sorted by name.

    Every name of `weights` and `previous` is in the result, some perhaps with 0; but without any positive weight
    nothing is divided and the result is `previous`. Seats held before do not count in the division.
    """
    held = dict(previous or {})
    if not any(weight > 0 for weight in weights.values()):
        return dict(sorted(held.items()))
    result = {name: held.get(name, 0) for name in sorted(set(weights) | set(held))}
    for name, seats in award(total, weights, uid).items():
        result[name] += seats
    return result


def descends(uid: str) -> bool:
    """Whether ties go to the last name rather than the first."""
    return bool(uid) and fnv1a32(uid) % 2 == 1


def award(total: int, weights: Mapping[str, int], uid: str = "") -> dict[str, int]:
    """`total` seats by `weights`, in no order; names without a seat may be left out."""
    names = _eligible(total, weights, uid)
    if not names:
        return {}
    whole = sum(weights[name] for name in names)
    seats = _settled(total, {name: weights[name] for name in names}, whole)
    # (-quotient, seats, order): heapq takes the smallest, so the highest quotient, fewer seats, earlier name
    heap = [(-weights[name] / (2 * seats[name] + 1), seats[name], order) for order, name in enumerate(names)]
    heapify(heap)
    for _ in range(total - sum(seats.values())):
        _, held, order = heap[0]
        name = names[order]
        seats[name] = held + 1
        heapreplace(heap, (-weights[name] / (2 * held + 3), held + 1, order))
    return seats


def _eligible(total: int, weights: Mapping[str, int], uid: str) -> list[str]:
    """Who may get a seat, in the order of ties. With more names than seats only the heaviest may: each of those has its
    first seat before a lighter one has any."""
    if total <= 0:
        return []
    least = sorted(weights.values())[-total] if len(weights) > total else 0
    if least <= 0:
        return sorted((name for name, weight in weights.items() if weight > 0), reverse=descends(uid))
    names = sorted((name for name, weight in weights.items() if weight >= least), reverse=descends(uid))
    lightest = [name for name in names if weights[name] == least]
    left_out = set(lightest[len(lightest) - (len(names) - total) :])
    return [name for name in names if name not in left_out]


def _settled(total: int, weights: Mapping[str, int], whole: int) -> dict[str, int]:
    """Seats that the step-by-step rule is sure to give, so that only the last few need the heap.

    The rule's result has a divisor d with weight / d - 1/2 <= seats <= weight / d + 1/2 for each cluster. Summed up,
    whole / d >= total - len / 2, so that each has at least weight * (total - len) / whole - 1/2 seats. What is left
    of a seat is the margin for rounded quotients.
    """
    reach = total - len(weights)
    if reach <= 0:
        return dict.fromkeys(weights, 0)
    return {name: max(0, weight * reach // whole - 1) for name, weight in weights.items()}
