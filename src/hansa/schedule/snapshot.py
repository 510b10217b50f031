"""The clusters as a decision sees them: immutable, shared by all decisions until a cluster changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from hansa.api.cluster import Cluster
from hansa.schedule.capacity import Load, Room
from hansa.schedule.request import Question


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

    @cached_property
    def room(self) -> Room | None:
        return Room.of(self.cluster)

    def allocatable(self, question: Question, assumed: Load) -> int:
        """How many more find room. Asked once for all bindings that ask for the same."""
        if self.room is None:
            return 0
        if assumed:
            return self._ask(self.room, question, assumed)
        known = self._answers.get(question)
        if known is None:
            known = self._answers[question] = self._ask(self.room, question, ())
        return known

    @cached_property
    def _answers(self) -> dict[Question, int]:
        return {}

    @staticmethod
    def _ask(room: Room, question: Question, assumed: Load) -> int:
        if question.components:
            return room.sets(question.components, assumed)
        return room.replicas(question.demand, assumed)


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
