"""networking.hansa.dev/v1alpha1, and what the hub tells each member about the ways to a service.

The hub carries descriptions, never traffic. What it tells a member lies in objects of that member, so that DNS and
gateway there go on while the hub is gone: a `Route` in an annotation of the ServiceImport, and `Peers` in a ConfigMap.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hansa.api import names
from hansa.api.core import Int32
from hansa.api.mcs import Conditions
from hansa.api.meta import Object, Wire

Mode = Literal["direct", "proxy", "hybrid"]
Percent = Annotated[Int32, Meta(ge=1, le=100)]
Weight = Annotated[Int32, Meta(ge=1, le=1000)]


class ClusterWeight(Wire, frozen=True, kw_only=True):
    """How much of what leaves a cluster goes to this one, compared to the others of its tier."""

    cluster: str
    weight: Weight


class ServiceRoutingPolicySpec(Wire, frozen=True, kw_only=True):
    """Where requests for an imported service go, and who may import it. All fields are optional.

    mode: `direct`: to the pods of all clusters; `proxy`: always through the cluster's gateway; `hybrid`: to local pods
      while enough of them are ready, else through the gateway. Not set: `hybrid` where clusters do not share a network.
    prefer: `local`: own cluster first, then its region, then the rest; `region`: own region first; `none`: all alike.
    min_local: Local pods that must be ready for `hybrid` to stay local. Not set: 1.
    min_healthy_percent: Below so many healthy endpoints of a tier, the next one takes a part. Not set: 71.
    weights: Instead of the number of ready pods.
    exclude: Clusters that get no requests from others.
    failover_only: Clusters that get requests when all others are out.
    consumer_clusters: Clusters that may import the service. Not set: all.
    """

    mode: Mode | None = None
    prefer: Literal["local", "region", "none"] | None = None
    min_local: Annotated[Int32, Meta(ge=1)] | None = None
    min_healthy_percent: Percent | None = None
    weights: Annotated[list[ClusterWeight], Meta(max_length=500)] | None = None
    exclude: Annotated[list[str], Meta(max_length=500)] | None = None
    failover_only: Annotated[list[str], Meta(max_length=500)] | None = None
    consumer_clusters: Annotated[list[str], Meta(max_length=500)] | None = None


class ServiceRoutingPolicyStatus(Wire, frozen=True, kw_only=True):
    """Whether it holds: condition `Accepted`."""

    observed_generation: int = 0
    conditions: Conditions | None = None


class ServiceRoutingPolicy(Object, frozen=True, kw_only=True):
    """Routing of the exported service of the same name and namespace. On the hub."""

    spec: ServiceRoutingPolicySpec
    status: ServiceRoutingPolicyStatus | None = None


# -- what members are told --------------------------------------------------------------------------------------------


class Backend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cluster that serves the ports with the labels in `ports`, as seen from one importing cluster.

    tier: 0 is tried first. weight: compared to the other backends of the tier; 0 while it drains.
    """

    cluster: str
    tier: int
    weight: int
    ports: tuple[str, ...]


class RoutePort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A port of the import. `listen`: where the member's gateway takes requests for it; 0 for none."""

    name: str
    port: int
    protocol: str = "TCP"
    listen: int = 0

    @property
    def label(self) -> str:
        """Its name in server names: its number when it has no name."""
        return self.name or str(self.port)


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ways from one cluster to an imported service: JSON in annotation ROUTE_ANNOTATION of the ServiceImport.

    own: Tier and weight of the cluster itself where it exports too; None where it does not.
    consumers: Clusters whose gateways may come in; None for every member.
    """

    mode: Mode
    ports: tuple[RoutePort, ...] = ()
    backends: tuple[Backend, ...] = ()
    own: Backend | None = None
    consumers: tuple[str, ...] | None = None
    min_healthy_percent: int = 71
    session_affinity_seconds: int = 0
    """Above 0: a client stays with its backend."""


class Peer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another cluster of the federation. `gateways`: `host:port` of each of its gateways."""

    cluster: str
    region: str = ""
    network: str = ""
    gateways: tuple[str, ...] = ()


class Peers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All members as one of them is told: JSON in key `peers.json` of ConfigMap PEERS in namespace hansa-system.

    Who is not among `peers` (and is not `cluster` itself) is no member, and its certificate no longer counts.
    """

    cluster: str
    clusterset: str
    region: str = ""
    network: str = ""
    peers: tuple[Peer, ...] = ()


def gateway_identity(cluster: str) -> str:
    """The URI in the certificate of that cluster's gateways."""
    return f"spiffe://{names.CLUSTERSET}/cluster/{cluster}/gateway"


def server_name(port: str, service: str, namespace: str) -> str:
    """What one gateway asks another for. `port`: `RoutePort.label`. There is no cluster in it: a gateway hands on to
    pods of its own cluster only, so that no loop can arise."""
    return f"{port}.{service}.{namespace}.svc.{names.CLUSTERSET}"
