"""What a decision can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from hansa.api.work import TargetCluster

Reason = Literal["NoClusterFit", "Unschedulable", "SchedulerError", "QuotaExceeded"]


class Refusal(NamedTuple):
    """Why a cluster is out of question. `failure`: because something is broken, not because somebody wants it so."""

    reason: str
    failure: bool = False


Diagnosis = Mapping[str, Refusal]
"""Refusals by cluster, the first filter that refused."""


@dataclass(frozen=True, slots=True)
class Fit:
    targets: tuple[TargetCluster, ...]
    diagnosis: Diagnosis = field(default_factory=dict[str, Refusal])
    affinity_name: str = ""
    attempts: tuple[str, ...] = ()
    """What failed before, one text for each affinity term."""


@dataclass(frozen=True, slots=True)
class Unfit:
    reason: Reason
    message: str
    diagnosis: Diagnosis = field(default_factory=dict[str, Refusal])
    clears: bool = False
    """Whether the placement so far is to go: that nothing qualifies is what somebody wants, and nothing is broken."""
    attempts: tuple[str, ...] = ()
    advice: str = ""
    """The way out, where one is known."""

    @property
    def told(self) -> str:
        """The message with the way out, for condition and Event."""
        return f"{self.message} {self.advice}".rstrip()


Outcome = Fit | Unfit


def fit_error(diagnosis: Diagnosis, clusters: int) -> Unfit:
    """No cluster passes the filters."""
    counts = Counter(refusal.reason for refusal in diagnosis.values())
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items())) or "no cluster exists"
    clears = not any(refusal.failure for refusal in diagnosis.values())
    return Unfit("NoClusterFit", f"0/{clusters} clusters are available: {reasons}.", diagnosis, clears=clears)
