"""Tell each member's gateway who the others are: ConfigMap hansa-peers, where there is a namespace hansa-system."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hansa.api import names, scheme
from hansa.api.meta import Json, Key
from hansa.api.routing import Peer, Peers
from hansa.runtime.controller import Requeue
from hansa.service.hub import Hub
from hansa.service.places import Places
from hansa.service.views import Views
from hansa.service.write import create

CONFIG_MAP = Key(names.HANSA_NAMESPACE, names.PEERS)


@dataclass(frozen=True, slots=True)
class PeerWriter:
    """Keys are names of clusters."""

    hub: Hub
    places: Places
    views: Views

    async def reconcile(self, key: Key) -> Requeue | None:
        view, member = self.views.known(key.name), self.hub.fleet.get(key.name)
        if view is None or member is None or not member.ready or not view.has_namespace(names.HANSA_NAMESPACE):
            return None
        if not self.places.is_member(key.name):
            return None
        wanted = msgspec.json.encode(self._peers(key.name)).decode()
        live = view.config_maps.store.get(CONFIG_MAP)
        if live is None:
            document: Json = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": CONFIG_MAP.name, "namespace": CONFIG_MAP.namespace},
                "data": {names.PEERS_KEY: wanted},
            }
            await create(view.client, scheme.CONFIGMAPS, document)
        elif (live.json().get("data") or {}).get(names.PEERS_KEY) != wanted:
            patch: Json = {
                "metadata": {"resourceVersion": live.meta.resource_version},
                "data": {names.PEERS_KEY: wanted},
            }
            await view.client.patch(scheme.CONFIGMAPS, CONFIG_MAP.name, CONFIG_MAP.namespace, patch)
        return None

    def _peers(self, cluster: str) -> Peers:
        own = self.places.get(cluster)
        others: list[Peer] = []
        for name in sorted(self.places.names()):
            if name != cluster:
                place = self.places.get(name)
                gateways = self.places.gateways(name)
                others.append(Peer(cluster=name, region=place.region, network=place.network, gateways=gateways))
        return Peers(
            cluster=cluster, clusterset=names.CLUSTERSET, region=own.region, network=own.network, peers=tuple(others)
        )
