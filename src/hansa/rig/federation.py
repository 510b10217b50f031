"""A hub and its members, started together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hansa.api.meta import Json
from hansa.rig.binaries import Binaries, find_binaries
from hansa.rig.cluster import HUB, MEMBER, RealCluster, Role

HUB_NAME = "hub"


class RealFederation:
    """Clusters in subfolders of `directory`, named `hub` and as the members. Nothing is joined yet.

    `durable=False` is for rigs that are thrown away.
    """

    def __init__(
        self,
        directory: Path,
        members: Sequence[str],
        *,
        binaries: Binaries | None = None,
        durable: bool = True,
        member_role: Role = MEMBER,
        api_server_arguments: Sequence[str] = (),
    ) -> None:
        binaries = binaries or find_binaries()

        def cluster(name: str, role: Role) -> RealCluster:
            return RealCluster(
                name,
                directory / name,
                binaries,
                role=role,
                durable=durable,
                api_server_arguments=api_server_arguments,
            )

        self.hub = cluster(HUB_NAME, HUB)
        self.members = {name: cluster(name, member_role) for name in members}

    @property
    def clusters(self) -> list[RealCluster]:
        """The hub first."""
        return [self.hub, *self.members.values()]

    def kubeconfig(self) -> Json:
        """One document with a context for each cluster; the current one is the hub's."""
        documents = [cluster.kubeconfig() for cluster in self.clusters]
        merged = {part: [entry for document in documents for entry in document[part]] for part in _PARTS}
        return {"apiVersion": "v1", "kind": "Config", **merged, "current-context": self.hub.name}

    async def start(self) -> None:
        """Start all at once. When one fails, all are stopped and its error is raised."""
        outcomes = await asyncio.gather(*(cluster.start() for cluster in self.clusters), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            await self.stop()
            raise failures[0]

    async def stop(self) -> None:
        await asyncio.gather(*(cluster.stop() for cluster in self.clusters))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


_PARTS = ("clusters", "users", "contexts")
