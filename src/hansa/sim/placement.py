"""Assign pods to nodes where no scheduler runs: what fits, then the emptiest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from hansa.api.core import NodeSelectorRequirement, Taint, Toleration
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import NODES, PODS
from hansa.base.quantity import Quantity
from hansa.base.selector import Requirement
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.pod import Pod
from hansa.sim.site import Events, Site
from hansa.sim.status import with_condition, write_status

COMPONENT = "default-scheduler"
DEFAULT_SCHEDULER = "default-scheduler"
Amounts = Mapping[str, int]
"""Thousandths of cores for cpu, whole units for everything else."""


def amounts(quantities: Mapping[str, str] | None) -> dict[str, int]:
    return {
        name: Quantity.parse(str(text)).milli if name == "cpu" else Quantity.parse(str(text)).value
        for name, text in (quantities or {}).items()
    }


def requests_of(spec: Json) -> dict[str, int]:
    """What a pod needs: the sum of its containers or its largest init container, and its overhead; one pod."""
    total: Counter[str] = Counter()
    for container in spec.get("containers") or []:
        total.update(amounts((container.get("resources") or {}).get("requests")))
    for container in spec.get("initContainers") or []:
        for name, amount in amounts((container.get("resources") or {}).get("requests")).items():
            total[name] = max(total[name], amount)
    total.update(amounts(spec.get("overhead")))
    total["pods"] = 1
    return dict(total)


class Ledger:
    """Which pod takes what on which node, including what was just assigned and has not come back yet."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str, Amounts]] = {}
        self._totals: dict[str, Counter[str]] = {}

    def changed(self, change: Change) -> None:
        item = change.item
        pod = Pod(item)
        if change.new is None or pod.finished:
            self.remove(item.meta.uid)
        elif pod.node and item.meta.uid not in self._entries:
            self.put(item.meta.uid, pod.node, requests_of(item.json()["spec"]))

    def put(self, uid: str, node: str, wanted: Amounts) -> None:
        self.remove(uid)
        self._entries[uid] = (node, wanted)
        self._totals.setdefault(node, Counter()).update(wanted)

    def remove(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        if entry is not None:
            self._totals[entry[0]].subtract(entry[1])

    def used(self, node: str) -> Amounts:
        return self._totals.get(node, Counter())


@dataclass(frozen=True, slots=True)
class Scheduler:
    site: Site
    events: Events
    ledger: Ledger
    waiting: set[Key] = field(default_factory=set[Key])
    """Pods that fitted nowhere; looked at again when a node changes or a pod ends."""

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.site.store(PODS).get(key)
        if item is None or item.deleting:
            self.waiting.discard(key)
            return None
        spec = item.json()["spec"]
        if spec.get("nodeName") or spec.get("schedulingGates"):
            self.waiting.discard(key)
            return None
        wanted = requests_of(spec)
        nodes = self.site.store(NODES).list()
        verdicts = {node.meta.name: unfit(node, spec, wanted, self.ledger.used(node.meta.name)) for node in nodes}
        fitting = [node for node in nodes if not verdicts[node.meta.name]]
        if not fitting:
            await self._refuse(item, len(nodes), [reason for reason in verdicts.values() if reason])
            return None
        best = min(fitting, key=lambda node: (_load(node, self.ledger.used(node.meta.name)), node.meta.name))
        await self._bind(key, item, best.meta.name, wanted)
        return None

    async def _bind(self, key: Key, item: Item, node: str, wanted: Amounts) -> None:
        self.ledger.put(item.meta.uid, node, wanted)
        binding: Json = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": item.meta.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self.site.client.create(PODS, binding, key.namespace, name=key.name, subresource="binding")
        except BaseException:
            self.ledger.remove(item.meta.uid)
            raise
        self.waiting.discard(key)
        message = f"Successfully assigned {key} to {node}"
        self.events.event(item, "Normal", "Scheduled", message)

    async def _refuse(self, item: Item, count: int, reasons: Sequence[str]) -> None:
        self.waiting.add(item.key)
        detail = ", ".join(f"{number} {reason}" for reason, number in sorted(Counter(reasons).items()))
        message = f"0/{count} nodes are available: {detail}." if count else "no nodes available to schedule pods"
        status = item.json().get("status") or {}
        status["conditions"] = with_condition(
            status.get("conditions") or [], "PodScheduled", "False", "Unschedulable", message, self.site.now()
        )
        if await write_status(self.site.client, PODS, item, status):
            self.events.event(item, "Warning", "FailedScheduling", message)


def unfit(node: Item, spec: Json, wanted: Amounts, used: Amounts) -> str:
    """Why a pod cannot run on a node; empty when it can."""
    body = node.json()
    node_spec, status = body.get("spec") or {}, body.get("status") or {}
    if node_spec.get("unschedulable"):
        return "node(s) were unschedulable"
    tolerations = msgspec.convert(spec.get("tolerations") or [], list[Toleration])
    for taint in msgspec.convert(node_spec.get("taints") or [], list[Taint]):
        if taint.effect != "PreferNoSchedule" and not any(entry.tolerates(taint) for entry in tolerations):
            return f"node(s) had untolerated taint(s) {{{taint.key}: {taint.value or ''}}}"
    if not selects(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    available = amounts(status.get("allocatable"))
    for name, amount in wanted.items():
        if amount and used.get(name, 0) + amount > available.get(name, 0):
            return "Too many pods" if name == "pods" else f"Insufficient {name}"
    return ""


def selects(spec: Json, node: Item) -> bool:
    """nodeSelector and required node affinity."""
    labels = node.labels
    if any(labels.get(name) != value for name, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or [])


def _term_matches(term: Json, node: Item) -> bool:
    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    if not expressions and not fields:
        return False
    names = {"metadata.name": node.meta.name}
    return all(_requirement(entry).matches(node.labels) for entry in expressions) and all(
        _requirement(entry).matches(names) for entry in fields
    )


def _requirement(entry: Json) -> Requirement:
    struct = msgspec.convert(entry, NodeSelectorRequirement)
    return Requirement(struct.key, struct.operator, tuple(struct.values or ()))  # type: ignore[arg-type]


def _load(node: Item, used: Amounts) -> float:
    """How full a node is: the mean of cpu, memory and pods."""
    available = amounts((node.json().get("status") or {}).get("allocatable"))
    shares = [used.get(name, 0) / available[name] for name in ("cpu", "memory", "pods") if available.get(name)]
    return sum(shares) / len(shares) if shares else 1.0


def _edited(change: Change) -> bool:
    return change.old is not None and change.item.meta.generation != change.old.meta.generation


def scheduler_controller(site: Site) -> Controller[Key]:
    pods, nodes = site.informer(PODS), site.informer(NODES)
    ledger = Ledger()
    scheduler = Scheduler(site, site.events(COMPONENT), ledger)
    # one worker: two would promise the same room twice
    controller = Controller("sim-scheduler", scheduler, workers=1, needs=(pods, nodes))
    queue = controller.queue

    def pod_changed(change: Change) -> None:
        ledger.changed(change)
        item = change.new
        if item is None or Pod(item).finished:
            wake()
        elif not Pod(item).node and (item.key not in scheduler.waiting or _edited(change)):
            body = item.json()["spec"]
            if body.get("schedulerName", DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER:
                queue.add(item.key)

    def node_changed(change: Change) -> None:
        wake()

    def wake() -> None:
        for key in list(scheduler.waiting):
            queue.add(key)

    pods.subscribe(pod_changed)
    nodes.subscribe(node_changed)
    return controller
