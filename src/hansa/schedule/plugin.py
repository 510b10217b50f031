"""What a decision asks about each cluster: may it be taken, and how good is it? Ours, and those of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from hansa.schedule.outcome import Refusal
from hansa.schedule.request import Request
from hansa.schedule.snapshot import ClusterInfo

HIGHEST_SCORE = 100


class PluginError(Exception):
    """A plug-in failed, or said what it may not. The binding is not scheduled, and says so."""


def _always(_: Request) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Filter:
    """`check` gives the reason why a cluster is out of question, or None.

    `lasting`: for a given placement and kind the answer depends on the cluster alone, and on whether the binding is
    there already, so that it is remembered until the cluster changes. `applies`: False where it would refuse nobody.
    """

    name: str
    check: Callable[[Request, ClusterInfo], Refusal | None]
    lasting: bool = False
    applies: Callable[[Request], bool] = _always

    def __call__(self, request: Request, info: ClusterInfo) -> Refusal | None:
        return self.check(request, info)


@dataclass(frozen=True, slots=True)
class Score:
    """`rate` gives 0 to HIGHEST_SCORE; the points of all scores are added up. `lasting` as for filters."""

    name: str
    rate: Callable[[Request, ClusterInfo], int]
    lasting: bool = False

    def __call__(self, request: Request, info: ClusterInfo) -> int:
        return self.rate(request, info)


@dataclass(frozen=True)
class Plugins:
    """The first filter that refuses a cluster gives the reason."""

    filters: tuple[Filter, ...]
    scores: tuple[Score, ...]

    def enabled(self, switches: Iterable[str]) -> Plugins:
        """Those that Karmada's `--plugins` grammar leaves: `*` all, `name` this one, `-name` not this one.

        Raises ValueError for a name that no plug-in has.
        """
        wanted = [switch.strip() for switch in switches if switch.strip()]
        known = [plugin.name for plugin in (*self.filters, *self.scores)]
        for switch in wanted:
            if switch != "*" and switch.removeprefix("-") not in known:
                raise ValueError(f"no plug-in is named {switch.removeprefix('-')}. Known are {', '.join(known)}")

        def on(name: str) -> bool:
            return f"-{name}" not in wanted and (name in wanted or "*" in wanted)

        return Plugins(
            tuple(each for each in self.filters if on(each.name)), tuple(each for each in self.scores if on(each.name))
        )

    def also(self, filters: Iterable[Filter], scores: Iterable[Score]) -> Plugins:
        """With those of others behind. What they raise becomes a PluginError.

        Raises ValueError for a name that is taken.
        """
        found = Plugins(
            (*self.filters, *(_guarded_filter(each) for each in filters)),
            (*self.scores, *(_guarded_score(each) for each in scores)),
        )
        for kind in (found.filters, found.scores):
            names = [each.name for each in kind]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two plug-ins are named {name}: rename one of them")
        return found


def _guarded_filter(plugin: Filter) -> Filter:
    def check(request: Request, info: ClusterInfo) -> Refusal | None:
        try:
            found = cast("object", plugin.check(request, info))
        except Exception as error:
            raise PluginError(f"filter {plugin.name} failed on cluster {info.name}: {error!r}") from error
        if found is not None and not isinstance(found, Refusal):
            raise PluginError(f"filter {plugin.name} answered {found!r}: wanted a Refusal or None")
        return found

    return Filter(plugin.name, check, plugin.lasting, plugin.applies)


def _guarded_score(plugin: Score) -> Score:
    def rate(request: Request, info: ClusterInfo) -> int:
        try:
            points = cast("object", plugin.rate(request, info))
        except Exception as error:
            raise PluginError(f"score {plugin.name} failed on cluster {info.name}: {error!r}") from error
        if not isinstance(points, int) or not 0 <= points <= HIGHEST_SCORE:
            raise PluginError(f"score {plugin.name} answered {points!r}: wanted a whole number of 0 to {HIGHEST_SCORE}")
        return points

    return Score(plugin.name, rate, plugin.lasting)
