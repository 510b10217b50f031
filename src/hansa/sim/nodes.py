"""Simulated nodes: registered with capacity, region and zone, kept alive by Leases, lost and found on demand."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.scheme import LEASES, NODES, PODS
from hansa.base.clock import rfc3339_micro
from hansa.base.names import fnv1a32
from hansa.kube.errors import AlreadyExists, ApiError, Conflict, NotFound, Unreachable
from hansa.sim.site import Site

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
HOSTNAME = "kubernetes.io/hostname"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
DEFAULT_CAPACITY: Mapping[str, str] = {
    "cpu": "16",
    "memory": "64Gi",
    "ephemeral-storage": "200Gi",
    "pods": "110",
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
}


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A node to be."""

    name: str
    address: str
    pod_range: str
    region: str = ""
    zone: str = ""
    capacity: Mapping[str, str] = field(default_factory=lambda: DEFAULT_CAPACITY)
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    taints: Sequence[Json] = ()


def plan_nodes(
    member: str,
    count: int,
    *,
    region: str = "",
    zones: Sequence[str] = (),
    capacity: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    pods: str | None = None,
) -> list[NodePlan]:
    """`count` nodes, spread over the zones in turn. Members get pod ranges of their own, derived from their names.

    `pods`: a range to take instead, whose quarters but the first are the nodes'. Raises ValueError for more than three.
    """
    block = fnv1a32(member) % 4096  # 10.128.0.0/9 holds 2,048 ranges of 16 nodes
    ranges = _derived_ranges(block, count) if pods is None else _quarters(pods, count)
    most = {} if pods is None else {"pods": str(_quarters(pods, 1)[0].num_addresses - 2)}
    return [
        NodePlan(
            name=f"{member}-node-{number + 1}",
            address=str(ipaddress.ip_address(int(ipaddress.ip_address("172.24.0.0")) + block * 16 + number % 16 + 2)),
            pod_range=str(pod_range),
            region=region,
            zone=zones[number % len(zones)] if zones else "",
            capacity={**DEFAULT_CAPACITY, **most, **(capacity or {})},
            labels=dict(labels or {}),
        )
        for number, pod_range in enumerate(ranges)
    ]


def _derived_ranges(block: int, count: int) -> list[ipaddress.IPv4Network]:
    first = int(ipaddress.IPv4Network("10.128.0.0/9")[0]) + (block % 2048) * 4096
    return [ipaddress.IPv4Network((first + (number % 16) * 256, 24)) for number in range(count)]


def _quarters(pods: str, count: int) -> list[ipaddress.IPv4Network]:
    quarters = list(ipaddress.IPv4Network(pods).subnets(2))[1:]
    if count > len(quarters):
        raise ValueError(f"{pods} is divided among {len(quarters)} nodes, not {count}")
    return quarters[:count]


class Nodes:
    """The nodes of one member, as their kubelets would keep them."""

    def __init__(self, site: Site, plans: Sequence[NodePlan]) -> None:
        self.plans = {plan.name: plan for plan in plans}
        self._site = site
        self._lost: set[str] = set()
        self._version = ""

    def alive(self, name: str) -> NodePlan | None:
        """The plan of a node that is ours and not lost."""
        return None if name in self._lost else self.plans.get(name)

    def lose(self, name: str) -> None:
        """The node falls silent. After the grace period `run` has it marked as unreachable. Raises KeyError."""
        self._lost.add(self.plans[name].name)

    def find(self, name: str) -> None:
        """The node is back."""
        self._lost.discard(name)

    async def register(self) -> None:
        """Create what is missing, and bring labels and capacity up to date. Raises ApiError, Unreachable."""
        answer = await self._site.client.raw("GET", "/version")
        self._version = str(msgspec.json.decode(answer.body)["gitVersion"])
        for plan in self.plans.values():
            await self._register(plan)
            await self._renew(plan)

    async def run(self) -> None:
        """Register, then renew Leases until cancelled."""
        pause = 0.2
        while True:
            try:
                await self.register()
                break
            except (ApiError, Unreachable) as error:
                log.debug("cannot register nodes: %s", error, extra={"member": self._site.name})
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)
        silent: dict[str, float] = {}
        marked: set[str] = set()
        while True:
            await asyncio.sleep(self._site.timing.heartbeat_seconds)
            for plan in self.plans.values():
                try:
                    await self._beat(plan, silent, marked)
                except (ApiError, Unreachable) as error:
                    log.debug("no heartbeat: %s", error, extra={"member": self._site.name, "node": plan.name})

    async def _beat(self, plan: NodePlan, silent: dict[str, float], marked: set[str]) -> None:
        now = asyncio.get_running_loop().time()
        if plan.name not in self._lost:
            silent.pop(plan.name, None)
            if plan.name in marked:
                await self._mark(plan, ready=True)
                marked.discard(plan.name)
            await self._renew(plan)
            return
        since = silent.setdefault(plan.name, now - self._site.timing.heartbeat_seconds)
        if plan.name not in marked and now - since >= self._site.timing.node_grace_seconds:
            await self._mark(plan, ready=False)
            marked.add(plan.name)

    async def _register(self, plan: NodePlan) -> None:
        client, now = self._site.client, self._site.now()
        node = self._node(plan, now)
        try:
            live = await client.create(NODES, node)
        except AlreadyExists:
            patch = {"metadata": {"labels": node["metadata"]["labels"]}}
            live = await client.patch(NODES, plan.name, None, patch)
        if not (live.json().get("status") or {}).get("nodeInfo"):
            await client.patch(NODES, plan.name, None, {"status": node["status"]}, subresource="status")
        # admission taints every new node as not ready; who takes that away runs in few of our clusters
        taints = live.json()["spec"].get("taints") or []
        kept = [taint for taint in taints if taint["key"] != NOT_READY]
        if len(kept) < len(taints):
            await client.patch(NODES, plan.name, None, {"spec": {"taints": kept or None}})

    def _node(self, plan: NodePlan, now: str) -> Json:
        labels = {
            "beta.kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            HOSTNAME: plan.name,
            **({names.REGION_LABEL: plan.region} if plan.region else {}),
            **({names.ZONE_LABEL: plan.zone} if plan.zone else {}),
            **plan.labels,
        }
        spec: Json = {
            "podCIDR": plan.pod_range,
            "podCIDRs": [plan.pod_range],
            "providerID": f"hansa://{self._site.name}/{plan.name}",
        }
        if plan.taints:
            spec["taints"] = list(plan.taints)
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": plan.name, "labels": labels},
            "spec": spec,
            "status": {
                "capacity": dict(plan.capacity),
                "allocatable": dict(plan.capacity),
                "addresses": [
                    {"type": "InternalIP", "address": plan.address},
                    {"type": "Hostname", "address": plan.name},
                ],
                "conditions": _healthy(now),
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "nodeInfo": {
                    "architecture": "amd64",
                    "bootID": "",
                    "containerRuntimeVersion": "simulated://1",
                    "kernelVersion": "simulated",
                    "kubeProxyVersion": "",
                    "kubeletVersion": self._version,
                    "machineID": plan.name,
                    "operatingSystem": "linux",
                    "osImage": "simulated",
                    "systemUUID": "",
                },
            },
        }

    async def _renew(self, plan: NodePlan) -> None:
        client, moment = self._site.client, rfc3339_micro(self._site.clock.now())
        spec: Json = {"holderIdentity": plan.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": moment}
        try:
            await client.patch(LEASES, plan.name, LEASE_NAMESPACE, {"spec": spec})
        except NotFound:
            node = await client.get(NODES, plan.name)
            metadata: Json = {
                "name": plan.name,
                "namespace": LEASE_NAMESPACE,
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": plan.name, "uid": node.meta.uid}],
            }
            lease: Json = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": spec,
            }
            try:
                await client.create(LEASES, lease)
            except (AlreadyExists, Conflict):
                return

    async def _mark(self, plan: NodePlan, *, ready: bool) -> None:
        """What the node lifecycle controller writes when a kubelet falls silent or speaks again."""
        client, now = self._site.client, self._site.now()
        live = await client.get(NODES, plan.name)
        conditions = _healthy(now) if ready else _unknown(live, now)
        await client.patch(NODES, plan.name, None, {"status": {"conditions": conditions}}, subresource="status")
        taints = [taint for taint in live.json()["spec"].get("taints") or [] if taint["key"] != UNREACHABLE]
        if not ready:
            taints += [
                {"key": UNREACHABLE, "effect": "NoSchedule", "timeAdded": now},
                {"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": now},
            ]
        await client.patch(NODES, plan.name, None, {"spec": {"taints": taints or None}})
        if not ready:
            await self._pods_unready(plan, now)

    async def _pods_unready(self, plan: NodePlan, now: str) -> None:
        """Nobody knows any more whether the pods of a silent node serve: their Services leave them out."""
        client = self._site.client
        for item in (await client.list(PODS, fields=f"spec.nodeName={plan.name}")).items:
            conditions = (item.json().get("status") or {}).get("conditions") or []
            if any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions):
                changed = [
                    entry if entry["type"] != "Ready" else {**entry, "status": "False", "lastTransitionTime": now}
                    for entry in conditions
                ]
                patch: Json = {"status": {"conditions": changed}}
                await client.patch(PODS, item.meta.name, item.meta.namespace, patch, subresource="status")


_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def _healthy(now: str) -> list[Json]:
    return [
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        for type_, status, reason, message in _CONDITIONS
    ]


def _unknown(live: Item, now: str) -> list[Json]:
    before = {entry["type"]: entry for entry in (live.json().get("status") or {}).get("conditions") or []}
    return [
        {
            "type": type_,
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastHeartbeatTime": before.get(type_, {}).get("lastHeartbeatTime", now),
            "lastTransitionTime": now,
        }
        for type_, *_ in _CONDITIONS
    ]
