"""Many exports, one service: the oldest export decides where values cannot be merged (KEP-1645, conflict resolution).

What an import says already has an age too, that of the oldest export that it was made of. So a value stays when the
export that brought it goes, as long as anybody else holds it, and an older export that shows up late still wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hansa.base.field import shown
from hansa.combine.export import Age, Export, Offer, Port
from hansa.combine.wording import some


class Conflict(NamedTuple):
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Incumbent:
    """What is imported so far. `since`: age of the oldest export that it was made of."""

    offer: Offer
    since: Age


@dataclass(frozen=True, slots=True)
class Merged:
    offer: Offer
    since: Age
    conflicts: tuple[Conflict, ...] = ()


class _Property(NamedTuple):
    """A value that cannot be merged: the oldest holder's wins. `attribute` of an Offer, `field` in messages."""

    attribute: str
    field: str
    reason: str

    def of(self, offer: Offer) -> Any:
        return getattr(offer, self.attribute)


_TYPE = _Property("type", "type", "TypeConflict")
_AFFINITY = _Property("session_affinity", "sessionAffinity", "SessionAffinityConflict")
_AFFINITY_CONFIG = _Property("session_affinity_config", "sessionAffinityConfig", "SessionAffinityConfigConflict")
_PROPERTIES = (
    _TYPE,
    _AFFINITY,
    _AFFINITY_CONFIG,
    _Property("internal_traffic_policy", "internalTrafficPolicy", "InternalTrafficPolicyConflict"),
    _Property("traffic_distribution", "trafficDistribution", "TrafficDistributionConflict"),
    _Property("labels", "exportedLabels", "LabelsConflict"),
    _Property("annotations", "exportedAnnotations", "AnnotationsConflict"),
)


@dataclass(frozen=True, slots=True)
class _Holders:
    """Who holds which values: exports, oldest first, and beside them the incumbent where others hold what it says."""

    exports: Sequence[Export]
    incumbent: Incumbent | None
    silent: bool

    def oldest(self, value: _Property) -> tuple[Any, str]:
        """The value that wins, and the cluster whose export brought it; empty when that export is gone."""
        first = self.exports[0]
        chosen = value.of(first.offer)
        if self.incumbent is not None and self.incumbent.since < first.age:
            kept = value.of(self.incumbent.offer)
            if kept != chosen and (self.silent or any(value.of(export.offer) == kept for export in self.exports)):
                return kept, ""
        return chosen, first.cluster

    def ports(self) -> tuple[Port, ...]:
        """The union by age: neither a name nor a number with its protocol is there twice."""
        entries = [((export.age, False), port) for export in self.exports for port in export.offer.ports]
        if self.incumbent is not None:
            held = {port for _, port in entries}
            kept = [port for port in self.incumbent.offer.ports if self.silent or port in held]
            entries += [((self.incumbent.since, True), port) for port in kept]
        found: list[Port] = []
        for _, port in sorted(entries, key=lambda entry: entry[0]):  # stable: a Service's own order stays
            if not any(port.name == other.name or port.identity[1:] == other.identity[1:] for other in found):
                found.append(port)
        return tuple(found)

    def families(self) -> tuple[str, ...]:
        """Those that all share; where there are none, the oldest's. Nobody can tell while one is silent."""
        if self.silent and self.incumbent is not None:
            return self.incumbent.offer.ip_families
        offers = [export.offer for export in self.exports]
        first = offers[0].ip_families
        return tuple(family for family in first if all(family in offer.ip_families for offer in offers)) or first


def merge(exports: Collection[Export], incumbent: Incumbent | None = None, *, silent: bool = False) -> Merged | None:
    """The service that `exports` make, in whatever order they come; None when nobody exports it.

    silent: There are exporters of the incumbent that cannot be asked now: they are taken to hold all that it says.
    """
    if not exports:
        return Merged(incumbent.offer, incumbent.since) if silent and incumbent is not None else None
    found = sorted(exports, key=lambda export: export.age)
    holders = _Holders(found, incumbent, silent)
    won = {value: holders.oldest(value) for value in _PROPERTIES}
    offer = Offer(
        ports=holders.ports(),
        ip_families=holders.families(),
        **{value.attribute: chosen for value, (chosen, _) in won.items()},
    )
    if offer.session_affinity == "None":
        offer = replace(offer, session_affinity_config=None)
    conflicts = [
        _port_conflict(found, offer.ports),
        *(_conflict(value, found, *won[value]) for value in _PROPERTIES if _matters(value, offer)),
        _family_conflict(found, offer.ip_families),
    ]
    since = min(found[0].age, incumbent.since) if incumbent is not None else found[0].age
    return Merged(offer, since, tuple(each for each in conflicts if each is not None))


def _matters(value: _Property, merged: Offer) -> bool:
    """Session affinity is nothing to a headless service, and its configuration nothing without affinity."""
    if value is _AFFINITY:
        return not merged.headless
    return value is not _AFFINITY_CONFIG or not (merged.headless or merged.session_affinity == "None")


def _conflict(value: _Property, exports: Sequence[Export], chosen: Any, winner: str) -> Conflict | None:
    others = [export.cluster for export in exports if value.of(export.offer) != chosen]
    if not others:
        return None
    whose = f"the oldest export, of cluster {winner}, has it" if winner else "it was there first"
    agree = len(exports) - len(others)
    return Conflict(
        value.reason,
        f"{value.field}: {shown(chosen)} holds, as {whose}: {_of(agree, exports)} agree, not {some(others)}",
    )


def _port_conflict(exports: Sequence[Export], merged: Sequence[Port]) -> Conflict | None:
    tally = Counter(port for export in exports for port in export.offer.ports)
    if all(count == len(exports) for count in tally.values()):
        return None
    lost = [
        f"{port} of {export.cluster} is left out"
        for export in exports
        for port in export.offer.ports
        if port not in merged
    ]
    partly = [f"{port} is in {_of(tally[port], exports)}" for port in merged if 0 < tally[port] < len(exports)]
    return Conflict("PortConflict", f"ports: the oldest export's hold: {some([*lost, *partly], '; ')}")


def _family_conflict(exports: Sequence[Export], merged: Sequence[str]) -> Conflict | None:
    """Only when clients of a family that is offered would reach a part of the backends."""
    others = [export.cluster for export in exports if not set(merged) <= set(export.offer.ip_families)]
    if not others:
        return None
    agree = len(exports) - len(others)
    families = ", ".join(merged)
    return Conflict(
        "IPFamilyConflict", f"ipFamilies: {families} holds: {_of(agree, exports)} have it, not {some(others)}"
    )


def _of(count: int, exports: Sequence[Export]) -> str:
    return f"{count} of {len(exports)} clusters"
