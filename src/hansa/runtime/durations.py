"""A histogram of durations that costs a seventh of a microsecond each: for what happens thousands of times a second.

It belongs to one event loop, which also serves the metrics; so it needs no lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


def doubling(first: float, count: int, factor: float = 2.0) -> tuple[float, ...]:
    """Upper bounds of so many buckets, each `factor` times the last."""
    return tuple(first * factor**number for number in range(count))


class Series:
    """The observations with one set of labels."""

    __slots__ = ("_bounds", "counts", "sum_seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.sum_seconds += seconds


class Durations(Collector):
    """To be registered by whoever makes it. `bounds` are those of the buckets, in seconds, without the infinite one."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._bounds = bounds
        self._series: dict[tuple[str, ...], list[Series]] = {}

    def labels(self, *values: str) -> Series:
        """To be kept by whoever observes."""
        found = self._series.setdefault(values, [])
        if not found:
            found.append(Series(self._bounds))
        return found[0]

    def includes(self, series: Series, *values: str) -> None:
        """What is observed there, for another histogram with the same bounds, counts here too."""
        self._series.setdefault(values, []).append(series)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, several in sorted(self._series.items()):
            counts = map(sum, zip(*(series.counts for series in several), strict=True))
            buckets = list(zip(names, accumulate(counts), strict=True))
            family.add_metric(values, buckets=buckets, sum_value=sum(series.sum_seconds for series in several))
        return [family]
