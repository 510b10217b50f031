"""The clusters as a decision sees them: immutable, shared by all decisions until a cluster changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from hansa.api.cluster import Cluster


@dataclass(frozen=True)
class ClusterInfo:
    """One cluster with what filters ask for prepared."""

    cluster: Cluster

    @property
    def name(self) -> str:
        return self.cluster.metadata.name

    @property
    def deleting(self) -> bool:
        return self.cluster.metadata.deletion_timestamp is not None

    @cached_property
    def kinds(self) -> frozenset[tuple[str, str]]:
        """(apiVersion, kind) of every API that the cluster has."""
        return frozenset(
            (enablement.group_version, resource.kind)
            for enablement in self.cluster.status.api_enablements or ()
            for resource in enablement.resources or ()
        )


@dataclass(frozen=True)
class Snapshot:
    """Clusters sorted by name."""

    clusters: tuple[ClusterInfo, ...]

    @classmethod
    def of(cls, clusters: Iterable[Cluster]) -> Snapshot:
        return cls(tuple(ClusterInfo(each) for each in sorted(clusters, key=lambda each: each.metadata.name)))

    @cached_property
    def by_name(self) -> dict[str, ClusterInfo]:
        return {info.name: info for info in self.clusters}
