"""Ask a member how it is, every so often, and keep its Cluster's status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from hansa.api import names, scheme
from hansa.api.cluster import Cluster, ResourceModel
from hansa.api.conditions import documents, with_condition
from hansa.api.item import Item
from hansa.api.meta import Condition, Json, Key
from hansa.base.patch import equal_json, merge_diff
from hansa.control.cluster.damping import Damping
from hansa.control.cluster.members import CLIENT_FAILED, MemberKeeper
from hansa.control.cluster.modeling import modelings
from hansa.control.cluster.summary import PodRequests, allocatable, enablements, node_summary, shown
from hansa.control.context import Context
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.runtime.controller import Requeue
from hansa.runtime.fleet import Member

PROBE_SECONDS = 5.0
READY = "Ready"
COMPLETE = "CompleteAPIEnablements"


@dataclass(frozen=True, slots=True)
class ClusterObserver:
    context: Context
    keeper: MemberKeeper
    damping: Damping
    pods: dict[str, PodRequests] = field(default_factory=dict[str, PodRequests])

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(scheme.CLUSTERS).store.get(key)
        if item is None:
            self.damping.forget(key.name)
            self.pods.pop(key.name, None)
            return None
        cluster = item.as_(Cluster)
        if cluster.spec.sync_mode != "Push" or names.CLUSTER_FINALIZER not in (item.meta.finalizers or ()):
            return None
        again = Requeue(self.context.options.cluster_status_seconds)
        member = self.context.fleet.get(key.name)
        if member is None:
            await self._report_no_client(item, cluster)
            return again
        said = cluster.condition(READY)
        observed = await probe(member)
        ready = self.damping.reported(
            key.name,
            None if said is None or said.status == "Unknown" else said.status == "True",
            observed.status == "True",
            self.context.clock.monotonic(),
        )
        if said is not None and ready != (observed.status == "True"):
            observed = said
        self.context.fleet.set_ready(key.name, ready)
        conditions = with_condition(cluster.status.conditions, observed, self.context.clock.now())
        change: Json = {}
        if ready and observed.status == "True":
            found, complete = await self._collected(member, cluster.spec.resource_models or ())
            change = found
            conditions = with_condition(conditions, complete, self.context.clock.now())
        await self._write(item, cluster, conditions, change)
        return again

    async def _report_no_client(self, item: Item, cluster: Cluster) -> None:
        fault = self.keeper.faults.get(item.meta.name)
        if fault is None:
            return
        message = f"failed to create a ClusterClient: {fault}"
        failed = Condition(type=READY, status="False", reason=CLIENT_FAILED, message=message)
        conditions = with_condition(cluster.status.conditions, failed, self.context.clock.now())
        await self._write(item, cluster, conditions, {})

    async def _collected(self, member: Member, models: Sequence[ResourceModel]) -> tuple[Json, Condition]:
        """What the member has to tell beside its readiness; what cannot be had right now is left as it was."""
        found: Json = {}
        try:
            version = await member.client.raw("GET", "/version", timeout_seconds=PROBE_SECONDS)
            found["kubernetesVersion"] = msgspec.json.decode(version.body)["gitVersion"]
            await member.discovery.refresh()
            resources = await member.discovery.resources()
        except (ApiError, Unreachable, msgspec.DecodeError, KeyError):
            return found, enablement_condition(0, complete=False)
        found["apiEnablements"] = enablements(resources)
        nodes, pods = member.cache.informer(scheme.NODES), member.cache.informer(scheme.PODS)
        if nodes.synced and pods.synced:
            requests = self.pods.setdefault(member.name, PodRequests())
            allocated, allocating = requests.totals(pods.store)
            found["nodeSummary"] = node_summary(nodes.store)
            summary: Json = {
                "allocatable": shown(allocatable(nodes.store)),
                "allocated": shown(allocated),
                "allocating": shown(allocating),
            }
            if models and self.context.options.gates.enabled("CustomizedClusterResourceModeling"):
                summary["allocatableModelings"] = modelings(models, nodes.store, requests.by_node())
            found["resourceSummary"] = summary
        return found, enablement_condition(len(found["apiEnablements"]), complete=member.discovery.complete)

    async def _write(self, item: Item, cluster: Cluster, conditions: list[Condition], found: Json) -> None:
        """Only what differs; lists and maps that are reported are replaced as a whole."""
        old: Json = item.json().get("status") or {}
        change: Json = {}
        if conditions != list(cluster.status.conditions or ()):
            change["conditions"] = documents(conditions)
        for name, value in found.items():
            before = old.get(name)
            if before is None:
                change[name] = value
            elif not equal_json(before, value):
                change[name] = merge_diff(before, value) if isinstance(value, dict) else value
        if not change:
            return
        try:
            await self.context.hub.patch_status(scheme.CLUSTERS, item, change)
        except NotFound:
            return


async def probe(member: Member) -> Condition:
    """The Ready condition that one look at the member gives: `/readyz`, or `/healthz` where there is none."""
    try:
        try:
            await member.client.raw("GET", "/readyz", timeout_seconds=PROBE_SECONDS)
        except NotFound:
            await member.client.raw("GET", "/healthz", timeout_seconds=PROBE_SECONDS)
    except Unreachable:
        return Condition(type=READY, status="False", reason="ClusterNotReachable", message="cluster is not reachable")
    except ApiError:
        message = "cluster is reachable but health endpoint responded without ok"
        return Condition(type=READY, status="False", reason="ClusterNotReady", message=message)
    message = "cluster is healthy and ready to accept workloads"
    return Condition(type=READY, status="True", reason="ClusterReady", message=message)


def enablement_condition(count: int, *, complete: bool) -> Condition:
    if count == 0:
        message = "collected empty APIEnablements from the cluster"
        return Condition(type=COMPLETE, status="False", reason="Empty", message=message)
    if not complete:
        message = f"might collect partial APIEnablements({count}) from the cluster"
        return Condition(type=COMPLETE, status="False", reason="Partial", message=message)
    message = "collected complete APIEnablements from the cluster"
    return Condition(type=COMPLETE, status="True", reason="Complete", message=message)
