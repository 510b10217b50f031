"""The cheap histogram shows what a histogram of the client library would."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from hansa.runtime.durations import Durations, doubling

BOUNDS = doubling(0.001, 4)


def text(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_it_looks_like_the_librarys() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Durations("x_seconds", "Time.", ["result"], BOUNDS)
    ours.register(mine)
    other = Histogram("x_seconds", "Time.", ["result"], buckets=BOUNDS, registry=theirs)
    for label, seconds in (("good", 0.0005), ("bad", 0.001), ("good", 0.003), ("good", 7.0), ("bad", 0.0)):
        mine.labels(label).observe(seconds)
        other.labels(label).observe(seconds)
    assert sorted(text(ours)) == sorted(text(theirs))


def test_what_is_observed_elsewhere_counts_too() -> None:
    registry = CollectorRegistry()
    points = Durations("point_seconds", "Time.", ["point", "result"], BOUNDS)
    steps = Durations("step_seconds", "Time.", ["step"], BOUNDS)
    registry.register(steps)
    for result, seconds in (("good", 0.0005), ("bad", 0.003)):
        series = points.labels("Filter", result)
        series.observe(seconds)
        steps.includes(series, "Filter")
    assert registry.get_sample_value("step_seconds_count", {"step": "Filter"}) == 2
    assert registry.get_sample_value("step_seconds_bucket", {"step": "Filter", "le": "0.001"}) == 1
    assert registry.get_sample_value("step_seconds_sum", {"step": "Filter"}) == 0.0035
