"""cluster.karmada.io/v1alpha1: a member of the federation, how to reach it, and how it is."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from hansa.api.core import Int32, LocalSecretReference, Quantity, ResourceList, Taint
from hansa.api.meta import REQUIRED, Condition, Object, Wire


class ResourceModelRange(Wire, frozen=True, kw_only=True):
    """`min` belongs to the range, `max` does not."""

    name: str
    min: Quantity
    max: Quantity


class ResourceModel(Wire, frozen=True, kw_only=True):
    """A class of nodes by size.

    grade: Higher is bigger.
    """

    grade: Annotated[int, Meta(ge=0)]
    ranges: list[ResourceModelRange]


class ClusterSpec(Wire, frozen=True, kw_only=True):
    """How to reach the member, and what and where it is.

    id: UID of its kube-system namespace.
    sync_mode: Who writes to the member: the hub, or an agent beside it.
    api_endpoint: URL of its API server.
    secret_ref: Secret with `token` and `caBundle`.
    impersonator_secret_ref: Secret with the token of an account that may impersonate.
    insecure_skip_tls_verification: True: its certificate is not checked.
    proxy_url: Proxy on the way there.
    proxy_header: Headers for that proxy.
    provider: Who runs it.
    zone: Deprecated: use zones.
    taints: What workloads must tolerate to go, or to stay, there.
    resource_models: Classes of nodes, ascending and without gaps.
    """

    id: Annotated[str, Meta(max_length=128000)] = ""
    sync_mode: Annotated[Literal["Push", "Pull"], Meta(extra_json_schema={REQUIRED: True})] = "Push"
    api_endpoint: str = ""
    secret_ref: LocalSecretReference | None = None
    impersonator_secret_ref: LocalSecretReference | None = None
    insecure_skip_tls_verification: bool = field(name="insecureSkipTLSVerification", default=False)
    proxy_url: str = field(name="proxyURL", default="")
    proxy_header: dict[str, str] | None = None
    provider: str = ""
    region: str = ""
    zone: str = ""
    zones: list[str] | None = None
    taints: list[Taint] | None = None
    resource_models: list[ResourceModel] | None = None

    @property
    def all_zones(self) -> list[str]:
        """Zones, with the deprecated single one counted in."""
        return self.zones or ([self.zone] if self.zone else [])


class ApiResourceName(Wire, frozen=True, kw_only=True):
    """A resource that the member serves."""

    name: str
    kind: str


class ApiEnablement(Wire, frozen=True, kw_only=True):
    """Resources of one group and version that the member serves."""

    group_version: str
    resources: list[ApiResourceName] | None = None


class NodeSummary(Wire, frozen=True, kw_only=True):
    """How many nodes there are, and how many are ready."""

    total_num: Int32 = 0
    ready_num: Int32 = 0


class AllocatableModeling(Wire, frozen=True, kw_only=True):
    """How many nodes are of a grade."""

    grade: int
    count: int


class ResourceSummary(Wire, frozen=True, kw_only=True):
    """Capacity of all nodes together.

    allocatable: What pods may have.
    allocating: What pods wait for that have no node yet.
    allocated: What pods on nodes have.
    allocatable_modelings: Nodes by grade.
    """

    allocatable: ResourceList | None = None
    allocating: ResourceList | None = None
    allocated: ResourceList | None = None
    allocatable_modelings: list[AllocatableModeling] | None = None


# Karmada's server does not check conditions of Clusters, and Go clients write null for a time that is not set
_ANY_CONDITION = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "string"},
        "reason": {"type": "string"},
        "message": {"type": "string"},
        "lastTransitionTime": {"type": "string", "format": "date-time", "nullable": True},
        "observedGeneration": {"type": "integer", "format": "int64"},
    },
    "required": ["type", "status"],
}


class ClusterStatus(Wire, frozen=True, kw_only=True):
    """How the member is.

    kubernetes_version: Version of its API server.
    api_enablements: What it serves.
    remedy_actions: What remedies ask for at present.
    """

    kubernetes_version: str = ""
    api_enablements: list[ApiEnablement] | None = None
    conditions: Annotated[list[Condition], Meta(extra_json_schema={"items": _ANY_CONDITION})] | None = None
    node_summary: NodeSummary | None = None
    resource_summary: ResourceSummary | None = None
    remedy_actions: list[str] | None = None


class Cluster(Object, frozen=True, kw_only=True):
    """One member cluster."""

    spec: Annotated[ClusterSpec, Meta(extra_json_schema={REQUIRED: True})] = ClusterSpec()
    status: ClusterStatus = ClusterStatus()

    def condition(self, type_: str) -> Condition | None:
        return next((c for c in self.status.conditions or () if c.type == type_), None)

    @property
    def ready(self) -> bool:
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"
