"""Where clusters are, from the hub's Clusters and what gateways say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.combine.routing import Place
from hansa.combine.source import Network, parse_ranges
from hansa.runtime.informer import Informer
from hansa.service.hub import Hub
from hansa.service.views import View


@dataclass(frozen=True, slots=True)
class Places:
    clusters: Informer

    @classmethod
    def of(cls, hub: Hub) -> Places:
        return cls(hub.cache.informer(scheme.CLUSTERS))

    def names(self) -> list[str]:
        """Clusters that are members, and not about to leave."""
        return [item.meta.name for item in self.clusters.store if not item.deleting]

    def is_member(self, cluster: str) -> bool:
        item = self._item(cluster)
        return item is not None and not item.deleting

    def get(self, cluster: str, view: View | None = None) -> Place:
        """With the addresses of its gateway, as far as `view` shows them. Who has left is nowhere in particular."""
        item = self._item(cluster)
        if item is None:
            return Place(cluster)
        gateways = addresses(view.gateway_addresses()) if view is not None else ()
        region = item.as_(Cluster).spec.region
        return Place(cluster, region, item.annotations.get(names.NETWORK_ANNOTATION, ""), gateways)

    def gateways(self, cluster: str) -> tuple[str, ...]:
        """`host:port` of each of its gateways, by which the others reach it."""
        item = self._item(cluster)
        text = item.annotations.get(names.GATEWAYS_ANNOTATION, "") if item is not None else ""
        return tuple(filter(None, (entry.strip() for entry in text.split(","))))

    def ranges_text(self, cluster: str) -> str:
        item = self._item(cluster)
        return item.annotations.get(names.POD_RANGES_ANNOTATION, "") if item is not None else ""

    def ranges(self, cluster: str) -> tuple[Network, ...]:
        """Raises ValueError, which names the entry that is no CIDR."""
        return parse_ranges(self.ranges_text(cluster))

    def _item(self, cluster: str) -> Item | None:
        return self.clusters.store.get(Key("", cluster))


def concerns_services(old: Item, new: Item) -> bool:
    """Whether a change of a Cluster may change any way to a service."""
    ranges = old.annotations.get(names.POD_RANGES_ANNOTATION) != new.annotations.get(names.POD_RANGES_ANNOTATION)
    return ranges or _moves(old, new)


def concerns_peers(old: Item, new: Item) -> bool:
    """Whether a change of a Cluster is one that gateways are told of."""
    gateways = old.annotations.get(names.GATEWAYS_ANNOTATION) != new.annotations.get(names.GATEWAYS_ANNOTATION)
    return gateways or _moves(old, new)


def _moves(old: Item, new: Item) -> bool:
    """It is about to leave, or is elsewhere."""
    network = old.annotations.get(names.NETWORK_ANNOTATION) != new.annotations.get(names.NETWORK_ANNOTATION)
    region = old.meta.generation != new.meta.generation and old.as_(Cluster).spec.region != new.as_(Cluster).spec.region
    return network or region or old.deleting != new.deleting


def addresses(text: str) -> tuple[str, ...]:
    """Addresses separated by commas; what is no address is left out."""
    found: list[str] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(str(ip_address(entry)))
        except ValueError:
            continue
    return tuple(found)
