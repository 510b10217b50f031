"""What controllers read of a pod, and how they make one."""

from __future__ import annotations

import msgspec

from hansa.api.item import Item
from hansa.api.meta import Json

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class _Condition(msgspec.Struct, rename="camel"):
    type: str
    status: str
    last_transition_time: str | None = None


class _ContainerStatus(msgspec.Struct, rename="camel"):
    restart_count: int = 0


class _Status(msgspec.Struct, rename="camel"):
    phase: str = "Pending"
    conditions: list[_Condition] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    pod_ip: str = msgspec.field(name="podIP", default="")


class _Spec(msgspec.Struct, rename="camel"):
    node_name: str = ""


class _Body(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_decode = msgspec.json.Decoder(_Body).decode


class Pod:
    """A pod as controllers see it: an item, its node, phase and readiness."""

    __slots__ = ("ip", "item", "node", "phase", "ready_since", "restarts")

    def __init__(self, item: Item) -> None:
        body = _decode(item.raw)
        self.item = item
        self.node = body.spec.node_name
        self.phase = body.status.phase
        self.ip = body.status.pod_ip
        self.ready_since: str | None = None
        for entry in body.status.conditions or ():
            if entry.type == "Ready" and entry.status == "True":
                self.ready_since = entry.last_transition_time or item.meta.creation_timestamp
        self.restarts = sum(entry.restart_count for entry in body.status.container_statuses or ())

    @property
    def name(self) -> str:
        return self.item.meta.name

    @property
    def ready(self) -> bool:
        return self.ready_since is not None

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def terminating(self) -> bool:
        """Being deleted, and not finished yet."""
        return self.item.deleting and not self.finished

    @property
    def active(self) -> bool:
        """Counts towards the wanted number."""
        return not self.finished and not self.item.deleting

    @property
    def deletion_cost(self) -> int:
        try:
            return int(self.item.annotations.get(DELETION_COST, "0"))
        except ValueError:
            return 0


def pod_from_template(template: Json, owner: Item, *, name: str = "", generate_name: str = "") -> Json:
    """A pod that `owner` controls, from the template of its spec."""
    metadata = template.get("metadata") or {}
    made: Json = {"namespace": owner.meta.namespace, "ownerReferences": [owner.as_owner()]}
    if name:
        made["name"] = name
    else:
        made["generateName"] = generate_name or f"{owner.meta.name}-"
    for part in ("labels", "annotations", "finalizers"):
        if metadata.get(part):
            made[part] = metadata[part]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": dict(template.get("spec") or {})}
