"""remedy.karmada.io/v1alpha1: what to do while clusters have certain conditions."""

from __future__ import annotations

from typing import Literal

from hansa.api.meta import Object, Wire


class RemedyClusterAffinity(Wire, frozen=True, kw_only=True):
    cluster_names: list[str] | None = None


class ClusterConditionRequirement(Wire, frozen=True, kw_only=True):
    condition_type: str
    operator: Literal["Equal", "NotEqual"]
    condition_status: str


class DecisionMatch(Wire, frozen=True, kw_only=True):
    cluster_condition_match: ClusterConditionRequirement | None = None


class RemedySpec(Wire, frozen=True, kw_only=True):
    cluster_affinity: RemedyClusterAffinity | None = None
    decision_matches: list[DecisionMatch] | None = None
    actions: list[str] | None = None


class Remedy(Object, frozen=True, kw_only=True):
    """Actions for clusters that match."""

    spec: RemedySpec
