"""What became of a federated object in each cluster, told in its status."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.work import AggregatedStatusItem, ResourceBinding
from hansa.base.clock import parse_rfc3339, rfc3339
from hansa.base.names import cluster_of
from hansa.dialect.kubefed import status as outcomes
from hansa.dialect.kubefed.compile import is_ignored
from hansa.dialect.kubefed.federation import Federation
from hansa.dialect.kubefed.placement import InvalidPlacement
from hansa.dialect.kubefed.registry import FederatedKey
from hansa.dialect.kubefed.status import Outcome, outcomes_in, status_of
from hansa.dialect.kubefed.types import FederatedType
from hansa.interpret.convention.federated import InvalidOverrides, OverridesFailed, object_for
from hansa.interpret.convention.kubefed import ALREADY_THERE, LABEL_FALSE
from hansa.kube.errors import NotFound
from hansa.runtime.controller import Requeue

PATIENCE_SECONDS = 30.0
"""KubeFed gives all operations of one pass so long; then what is outstanding has timed out."""
RECHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Projector:
    federation: Federation

    async def reconcile(self, key: FederatedKey) -> Requeue | None:
        found = self.federation.registry.find(key)
        if found is None or is_ignored(*found):
            return None
        type_, item = found
        federated = item.json()
        outcome = self._outcome(type_, item, federated)
        if outcome is None:
            return Requeue(RECHECK_SECONDS)
        now = rfc3339(self.federation.clock.now())
        status = status_of(federated.get("status"), item.meta.generation, outcome, now)
        if status is None:
            return None
        try:
            await self.federation.hub.patch_status(type_.federated, item, status)
        except NotFound:
            return None
        self._tell(item, federated, outcome)
        return None

    def _outcome(self, type_: FederatedType, item: Item, federated: Json) -> Outcome | None:
        """None while operations are under way that may still end well."""
        try:
            clusters, federates = self.federation.placed(type_, federated)
        except InvalidPlacement:
            return Outcome({}, outcomes.COMPUTE_PLACEMENT_FAILED)
        binding = self.federation.binding(type_, item.key)
        reported: dict[str, AggregatedStatusItem] = {}
        leaving: list[str] = []
        if binding is not None:
            entries = binding.as_(ResourceBinding).status.aggregated_status or ()
            reported = {entry.cluster_name: entry for entry in entries}
            leaving = [
                cluster
                for work in self.federation.works(binding.key)
                if (cluster := cluster_of(work.meta.namespace)) and cluster not in clusters and work.deleting
            ]
        members = self.federation.members()
        found: dict[str, str] = {}
        for name in sorted(clusters):
            if not members[name].ready:
                found[name] = outcomes.CLUSTER_NOT_READY
                continue
            result = self._in_cluster(type_, item, federated, name, reported.get(name))
            if result is None:
                return None
            found[name] = result
        found |= dict.fromkeys(leaving, outcomes.WAITING_FOR_REMOVAL)
        return Outcome(
            found,
            "" if federates else outcomes.NAMESPACE_NOT_FEDERATED,
            _remote(reported) if self.federation.collects_raw_status and type_.collects_status else None,
        )

    def _in_cluster(
        self, type_: FederatedType, item: Item, federated: Json, name: str, reported: AggregatedStatusItem | None
    ) -> str | None:
        """The outcome in one ready cluster; None while it is open."""
        try:
            object_for(federated, type_.target.gvk, name)
        except (InvalidOverrides, OverridesFailed):
            return outcomes.APPLY_OVERRIDES_FAILED
        if reported is not None and reported.applied:
            return outcomes.OK
        message = reported.applied_message if reported is not None else ""
        if LABEL_FALSE in message:
            return outcomes.MANAGED_LABEL_FALSE
        if ALREADY_THERE in message:
            return outcomes.ALREADY_EXISTS
        exists = name in outcomes_in(federated.get("status"))
        if message:
            return outcomes.UPDATE_FAILED if exists else outcomes.CREATION_FAILED
        created = parse_rfc3339(item.meta.creation_timestamp or "1970-01-01T00:00:00Z")
        if (self.federation.clock.now() - created).total_seconds() < PATIENCE_SECONDS:
            return None
        return outcomes.UPDATE_TIMED_OUT if exists else outcomes.CREATION_TIMED_OUT

    def _tell(self, item: Item, federated: Json, outcome: Outcome) -> None:
        """One Event for each cluster in which something new came about."""
        before = outcomes_in(federated.get("status"))
        for name, result in outcome.clusters.items():
            if before.get(name) == result:
                continue
            about = f'{item.kind.removeprefix("Federated")} "{item.key}" in cluster "{name}"'
            if result == outcomes.OK:
                known = name in before
                reason = "UpdateInCluster" if known else "CreateInCluster"
                self._event(item, "Normal", reason, f"{'Updating' if known else 'Creating'} {about}")
            elif result == outcomes.CLUSTER_NOT_READY:
                self._event(item, "Warning", outcomes.CLUSTER_NOT_READY, f"cluster {name} is not ready")
            elif result == outcomes.WAITING_FOR_REMOVAL:
                self._event(item, "Normal", "WaitForRemovalInCluster", f"Waiting for removal of {about}")
            else:
                reason = "UpdateInClusterFailed" if name in before else "CreateInClusterFailed"
                self._event(item, "Warning", reason, f"Failed to propagate {about}: {result}")

    def _event(self, item: Item, type_: str, reason: str, message: str) -> None:
        self.federation.recorder.event(item, "Normal" if type_ == "Normal" else "Warning", reason, message)


def _remote(reported: dict[str, AggregatedStatusItem]) -> dict[str, Json]:
    return {name: msgspec.to_builtins(entry.status) for name, entry in reported.items() if entry.status is not None}


def key_of_binding(federation: Federation, binding: Item) -> FederatedKey | None:
    """The federated object behind a binding of this dialect."""
    reference = binding.as_(ResourceBinding).spec.resource
    for type_ in federation.registry.running():
        if type_.federated.kind == reference.kind and type_.federated.api_version == reference.api_version:
            return FederatedKey(type_.name, reference.namespace, reference.name)
    return None
