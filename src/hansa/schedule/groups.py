"""Which groups of clusters are taken together: the heaviest combination that has enough clusters.

Karmada enumerates every combination. Its winner is found here without most of them, because a branch that cannot
become heavier than the best so far is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Group(NamedTuple):
    """`value` is the number of its clusters, `weight` its score."""

    name: str
    value: int
    weight: int


Path = tuple[Group, ...]


def choose(groups: Sequence[Group], least: int, most: int, target: int) -> Path | None:
    """`least` to `most` groups with at least `target` clusters, best first; None when there are none.

    Combinations are taken in the order of clusters ascending, weight descending, name; one that is enough is not
    extended. Of equal weight the one with more clusters wins, then the one found first. Where the best ones of the
    winner are enough by themselves, they are taken alone.
    """
    search = _Search(sorted(groups, key=lambda group: (group.value, -group.weight, group.name)), least, most, target)
    best = search.best()
    if best is None:
        return None
    ranked = tuple(sorted(best, key=_rank))
    shorter = (ranked[:size] for size in range(len(ranked)))
    return next((path for path in shorter if search.records(path)), ranked)


def _rank(group: Group) -> tuple[int, str]:
    return (-group.weight, group.name)


class _Search:
    def __init__(self, groups: list[Group], least: int, most: int, target: int) -> None:
        self._groups = groups
        self._least, self._most, self._target = least, most, target
        self._only_first = len(groups) == least
        self._order = {group: index for index, group in enumerate(groups)}
        self._best: tuple[int, int, Path] | None = None
        # the heaviest that the groups from an index on can add, by how many of them are taken
        self._reach = [_sums(sorted((g.weight for g in groups[i:]), reverse=True)) for i in range(len(groups) + 1)]

    def best(self) -> Path | None:
        self._extend((), 0, 0, 0)
        return self._best[2] if self._best is not None else None

    def records(self, path: Path) -> bool:
        """Whether the enumeration would stop at exactly these groups."""
        if self._only_first and len(path) < len(self._groups):
            return self._enough(path) and path == tuple(self._groups[: len(path)])
        ordered = sorted(path, key=self._order.__getitem__)
        return self._enough(ordered) and not any(self._enough(ordered[:size]) for size in range(len(ordered)))

    def _enough(self, path: Sequence[Group]) -> bool:
        return self._least <= len(path) <= self._most and sum(group.value for group in path) >= self._target

    def _extend(self, path: Path, start: int, value: int, weight: int) -> None:
        if value >= self._target and self._least <= len(path) <= self._most:
            if self._best is None or (weight, value) > self._best[:2]:
                self._best = (weight, value, path)
            return
        room = self._most - len(path)
        if room <= 0:
            return
        for index in range(start, len(self._groups)):
            reach = self._reach[index]
            if self._best is not None and weight + reach[min(room, len(reach) - 1)] < self._best[0]:
                return
            group = self._groups[index]
            self._extend((*path, group), index + 1, value + group.value, weight + group.weight)
            if self._only_first:
                return


def _sums(weights: Sequence[int]) -> list[int]:
    found = [0]
    for weight in weights:
        found.append(found[-1] + weight)
    return found
