"""Filters and scores of the scheduler that other Python packages bring along, by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from hansa.kube.errors import ConfigError
from hansa.schedule.plugin import Filter, Plugins, Score
from hansa.schedule.survey import IN_TREE

FILTERS_GROUP = "hansa.schedule.filters"
SCORES_GROUP = "hansa.schedule.scores"


def scheduler_plugins(switches: str = "*") -> Plugins:
    """Ours and those that are installed, less those that `switches` leaves out. Raises ConfigError.

    An entry point names a Filter or a Score. One that cannot be loaded stops the start: without it objects would go
    where they must not.
    """
    filters: list[Filter] = []
    scores: list[Score] = []
    for point in sorted(entry_points(group=FILTERS_GROUP), key=lambda each: each.name):
        found = _loaded(point)
        if not isinstance(found, Filter):
            raise ConfigError(f"entry point {_shown(point)}: {found!r} is not a hansa.schedule.plugin.Filter")
        filters.append(found)
    for point in sorted(entry_points(group=SCORES_GROUP), key=lambda each: each.name):
        found = _loaded(point)
        if not isinstance(found, Score):
            raise ConfigError(f"entry point {_shown(point)}: {found!r} is not a hansa.schedule.plugin.Score")
        scores.append(found)
    try:
        return IN_TREE.also(filters, scores).enabled(switches.split(","))
    except ValueError as error:
        raise ConfigError(f"--plugins: {error}") from error


def brought_along(plugins: Plugins) -> list[str]:
    """Names of those that are not ours."""
    ours = {each.name for each in (*IN_TREE.filters, *IN_TREE.scores)}
    return [each.name for each in (*plugins.filters, *plugins.scores) if each.name not in ours]


def _loaded(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        raise ConfigError(f"entry point {_shown(point)} cannot be loaded: {error!r}; repair or remove it") from error


def _shown(point: EntryPoint) -> str:
    owner = f" of {point.dist.name}" if point.dist is not None else ""
    return f"{point.name} in group {point.group}{owner}"
