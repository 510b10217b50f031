"""remedy.karmada.io/v1alpha1: what to do while clusters have certain conditions."""

from __future__ import annotations

from typing import Literal

from hansa.api.meta import Object, Wire


class RemedyClusterAffinity(Wire, frozen=True, kw_only=True):
    """Clusters by name; an empty list means none."""

    cluster_names: list[str] | None = None


class ClusterConditionRequirement(Wire, frozen=True, kw_only=True):
    """A condition of the Cluster has, or has not, a status."""

    condition_type: str
    operator: Literal["Equal", "NotEqual"]
    condition_status: str


class DecisionMatch(Wire, frozen=True, kw_only=True):
    """One reason to act."""

    cluster_condition_match: ClusterConditionRequirement | None = None


class RemedySpec(Wire, frozen=True, kw_only=True):
    """What to do for which clusters, and why.

    cluster_affinity: Not set: every cluster.
    decision_matches: One suffices; none given: always.
    actions: `TrafficControl`.
    """

    cluster_affinity: RemedyClusterAffinity | None = None
    decision_matches: list[DecisionMatch] | None = None
    actions: list[str] | None = None


class Remedy(Object, frozen=True, kw_only=True):
    """Actions for clusters that match."""

    spec: RemedySpec
