"""The clusters as a decision sees them: immutable, shared by all decisions until a cluster changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import cached_property

from hansa.api.cluster import Cluster
from hansa.schedule.capacity import Load, Room
from hansa.schedule.request import Question

_ANSWERS = 512
"""Different questions about room that one cluster keeps the answers to."""


class ClusterInfo:
    """One cluster with what decisions ask for prepared. Two are the same only if they are one."""

    __slots__ = ("_answers", "_crowded", "_kinds", "_models", "_room", "cluster", "deleting", "name", "region")

    def __init__(self, cluster: Cluster, *, models: bool = True) -> None:
        """`models` says whether resource models count (gate CustomizedClusterResourceModeling)."""
        self.cluster = cluster
        self.name = cluster.metadata.name
        self.deleting = cluster.metadata.deletion_timestamp is not None
        self.region = cluster.spec.region
        self._models = models
        self._answers: dict[Question, int] = {}
        self._crowded: dict[Question, tuple[Load, int]] = {}
        self._kinds: frozenset[tuple[str, str]] | None = None
        self._room: Room | None = None

    @property
    def kinds(self) -> frozenset[tuple[str, str]]:
        """(apiVersion, kind) of every API that the cluster has."""
        if self._kinds is None:
            self._kinds = frozenset(
                (enablement.group_version, resource.kind)
                for enablement in self.cluster.status.api_enablements or ()
                for resource in enablement.resources or ()
            )
        return self._kinds

    @property
    def room(self) -> Room | None:
        """None when the cluster has not said what it has."""
        if self._room is None and self.cluster.status.resource_summary is not None:
            self._room = Room.of(self.cluster, models=self._models)
        return self._room

    def allocatable(self, question: Question, assumed: Load = ()) -> int:
        """How many more find room. Asked once for all bindings that ask for the same, beside the same load."""
        if assumed:
            known = self._crowded.get(question)
            if known is None or known[0] is not assumed:
                if len(self._crowded) >= _ANSWERS:
                    self._crowded.clear()
                known = self._crowded[question] = (assumed, self._ask(question, assumed))
            return known[1]
        found = self._answers.get(question)
        if found is None:
            if len(self._answers) >= _ANSWERS:
                self._answers.clear()
            found = self._answers[question] = self._ask(question, ())
        return found

    def _ask(self, question: Question, assumed: Load) -> int:
        room = self.room
        if room is None:
            return 0
        if question.components:
            return room.sets(question.components, assumed)
        return room.replicas(question.demand, assumed)


class Snapshot:
    """Clusters sorted by name. Snapshots that are made from one another share what has not changed."""

    def __init__(self, clusters: tuple[ClusterInfo, ...], *, models: bool = True) -> None:
        self.clusters = clusters
        self._models = models

    @classmethod
    def of(cls, clusters: Iterable[Cluster], *, models: bool = True) -> Snapshot:
        infos = [ClusterInfo(each, models=models) for each in sorted(clusters, key=lambda each: each.metadata.name)]
        return cls(tuple(infos), models=models)

    def changed(self, cluster: Cluster) -> Snapshot:
        """With this cluster in the place of the one of its name, or as a new one."""
        info = ClusterInfo(cluster, models=self._models)
        at, there = self._find(info.name)
        found = Snapshot((*self.clusters[:at], info, *self.clusters[at + there :]), models=self._models)
        if there:
            found.__dict__["positions"] = self.positions
        return found

    def without(self, name: str) -> Snapshot:
        at, there = self._find(name)
        return Snapshot((*self.clusters[:at], *self.clusters[at + there :]), models=self._models)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Where in `clusters` each one is."""
        return {info.name: index for index, info in enumerate(self.clusters)}

    def get(self, name: str) -> ClusterInfo | None:
        at = self.positions.get(name)
        return self.clusters[at] if at is not None else None

    def _find(self, name: str) -> tuple[int, bool]:
        at = bisect_left(self.clusters, name, key=lambda info: info.name)
        return at, at < len(self.clusters) and self.clusters[at].name == name
