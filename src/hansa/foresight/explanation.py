"""Why an object is where it is, as a value that can be printed or stored."""

from __future__ import annotations

from collections.abc import Mapping

from hansa.api.meta import Wire
from hansa.foresight.plan import FieldChange


class Rival(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A policy that selects objects of this kind, and why it does not have this one."""

    policy: str
    why: str


class ClaimTold(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """`policy` is empty when none has the object."""

    policy: str
    why: str
    rivals: tuple[Rival, ...] = ()


class ClusterTold(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """One cluster in a decision.

    refusals: `Filter: reason` of every filter that is against it.
    score: The sum of `points`, by score; None and none when a filter is against it.
    room: How many more replicas find room; None when it was not asked.
    arriving: Pods for which room is kept, beside that: placed a moment ago, and not in the cluster's status yet.
    """

    name: str
    replicas: int | None = None
    selected: bool = False
    refusals: tuple[str, ...] = ()
    score: int | None = None
    points: Mapping[str, int] = {}
    room: int | None = None
    arriving: int = 0
    why: str = ""


class AttemptTold(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """One affinity term; the only one has no name."""

    term: str
    clusters: tuple[ClusterTold, ...]
    steps: tuple[str, ...] = ()
    failure: str = ""


class DecisionTold(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """`said` is the binding's own condition; `attempts` are how it would be decided now."""

    said: str
    stands: str
    attempts: tuple[AttemptTold, ...] = ()


class OverrideTold(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What one rule of one policy changes in one cluster; `fault` when it cannot be applied."""

    cluster: str
    policy: str
    rule: int
    fields: tuple[FieldChange, ...] = ()
    fault: str = ""


class MemberTold(Wire, frozen=True, kw_only=True, omit_defaults=False):
    cluster: str
    replicas: int | None
    applied: bool
    health: str
    message: str = ""


class Explanation(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """`lacking`: what the asker may not read, so that it is not part of this."""

    object: str
    binding: str
    claim: ClaimTold
    decision: DecisionTold | None
    overrides: tuple[OverrideTold, ...] = ()
    members: tuple[MemberTold, ...] = ()
    waiting: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
