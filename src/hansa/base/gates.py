"""Feature gates: Karmada's names and stages, and its `--feature-gates` grammar.

Hansa has everything on that is not withdrawn, as Karmada's own end-to-end suite runs it; a gate switches one off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALPHA = "ALPHA"
BETA = "BETA"
STAGES: Mapping[str, str] = {
    "CustomizedClusterResourceModeling": BETA,
    "ControllerPriorityQueue": BETA,
    "Failover": BETA,
    "FederatedQuotaEnforcement": ALPHA,
    "GracefulEviction": BETA,
    "MultiClusterService": ALPHA,
    "MultiplePodTemplatesScheduling": ALPHA,
    "PriorityBasedScheduling": BETA,
    "PropagateDeps": BETA,
    "PropagationPolicyPreemption": ALPHA,
    "ResourceQuotaEstimate": ALPHA,
    "SchedulingOvercommitProtection": ALPHA,
    "StatefulFailoverInjection": ALPHA,
    "WorkloadAffinity": ALPHA,
}
_GROUPS = {"AllAlpha": ALPHA, "AllBeta": BETA}
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


@dataclass(frozen=True, slots=True)
class Gates:
    """Which features are on. `off` names those that are not."""

    off: frozenset[str] = field(default_factory=frozenset[str])

    def enabled(self, name: str) -> bool:
        """Raises KeyError for a name that is no gate."""
        return bool(STAGES[name]) and name not in self.off

    @classmethod
    def parse(cls, text: str) -> Gates:
        """Of `Name=bool,...`. A gate that is named itself wins over AllAlpha and AllBeta.

        Raises ValueError, with the way out.
        """
        named: dict[str, bool] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (part.strip() for part in entry.partition("="))
            if not equals:
                raise ValueError(f"missing bool value for {name}: write {name}=true or {name}=false")
            if value not in _TRUE | _FALSE:
                raise ValueError(f"invalid value of {name}={value}: write {name}=true or {name}=false")
            if name not in STAGES and name not in _GROUPS:
                raise ValueError(f"unrecognized feature gate: {name}. Known are {', '.join([*_GROUPS, *STAGES])}")
            named[name] = value in _TRUE
        state = dict.fromkeys(STAGES, True)
        for group, stage in _GROUPS.items():
            if group in named:
                state |= {name: named[group] for name, at in STAGES.items() if at == stage}
        state |= {name: value for name, value in named.items() if name in STAGES}
        return cls(frozenset(name for name, value in state.items() if not value))
