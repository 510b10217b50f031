"""What the gateway reads in its own member. Nothing is concluded from what has not been read whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.mcs import ServiceExport
from hansa.api.meta import Key
from hansa.api.routing import Peers, Route
from hansa.kube.client import Client
from hansa.runtime.informer import Change, Informer
from hansa.service.gateway.site import fault_of
from hansa.service.served import follow

log = logging.getLogger(__name__)

DRAIN_SECONDS = 15.0
"""A service that is exported no more is served for so long: until other clusters have heard of it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known, each part complete."""

    peers: Peers
    routes: Mapping[Key, Route]
    exported: frozenset[Key]
    slices: list[Item]


class Sources:
    """Informers of one member. `changed` is called after every change that may matter."""

    def __init__(self, member: Client, changed: Callable[[], None]) -> None:
        self._member = member
        self._changed = changed
        own = f"{names.MANAGED_BY_LABEL}!={names.SLICE_MANAGER}"
        named = f"metadata.name={names.PEERS}"
        self._peers = Informer(member, scheme.CONFIGMAPS, namespace=names.HANSA_NAMESPACE, fields=named)
        self._imports = Informer(member, scheme.SERVICE_IMPORTS)
        self._exports = Informer(member, scheme.SERVICE_EXPORTS)
        self._slices = Informer(member, scheme.ENDPOINT_SLICES, labels=own)
        self._informers = (self._peers, self._imports, self._exports, self._slices)
        self._known_peers: Peers | None = None
        self._routes: dict[Key, Route] = {}
        self._exported: set[Key] = set()
        self._draining: dict[Key, float] = {}
        self._peers.subscribe(self._hear_peers)
        self._imports.subscribe(self._hear_import)
        self._exports.subscribe(self._hear_export)
        self._slices.subscribe(lambda _: changed())
        for informer in self._informers:
            informer.on_listed(changed)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                name = f"gateway informer {informer.resource.group_resource}"
                group.create_task(follow(self._member, informer), name=name)

    def facts(self) -> Facts | None:
        """None while a part of it is not known."""
        if self._known_peers is None or not all(informer.synced for informer in self._informers):
            return None
        now = asyncio.get_running_loop().time()
        draining = {key for key, until in self._draining.items() if until > now}
        return Facts(
            self._known_peers, dict(self._routes), frozenset(self._exported | draining), list(self._slices.store)
        )

    def waiting(self) -> str:
        """What is missing; empty when everything is known."""
        missing = [informer.resource.group_resource for informer in self._informers if not informer.synced]
        if not missing and self._known_peers is None:
            missing = [f"ConfigMap {names.HANSA_NAMESPACE}/{names.PEERS}"]
        return f"not read yet in the member: {', '.join(missing)}" if missing else ""

    # -- within -------------------------------------------------------------------------------------------------------

    def _hear_peers(self, change: Change) -> None:
        """Without the ConfigMap nothing is known of the members; that does not mean that there are none."""
        if change.new is None:
            return
        try:
            text = (change.new.json().get("data") or {}).get(names.PEERS_KEY, "")
            self._known_peers = msgspec.json.decode(text, type=Peers)
        except msgspec.MsgspecError as error:
            log.error("%s cannot be read, what it said before stays: %s", names.PEERS, error)
        self._changed()

    def _hear_import(self, change: Change) -> None:
        key = change.item.key
        if change.new is None:
            self._routes.pop(key, None)
        elif (text := change.new.annotations.get(names.ROUTE_ANNOTATION)) is not None:
            try:
                route = msgspec.json.decode(text, type=Route)
                fault = fault_of(route)
            except msgspec.MsgspecError as error:
                route, fault = None, str(error)
            if route is None or fault:
                log.error("route of ServiceImport %s is of no use, the one before stays: %s", key, fault)
            else:
                self._routes[key] = route
        self._changed()

    def _hear_export(self, change: Change) -> None:
        key = change.item.key
        if change.new is not None and _is_valid(change.new):
            self._exported.add(key)
            self._draining.pop(key, None)
        elif key in self._exported:
            self._exported.discard(key)
            loop = asyncio.get_running_loop()
            self._draining[key] = loop.time() + DRAIN_SECONDS
            loop.call_later(DRAIN_SECONDS, self._drained, key)
        self._changed()

    def _drained(self, key: Key) -> None:
        if self._draining.get(key, float("inf")) <= asyncio.get_running_loop().time():
            del self._draining[key]
        self._changed()


def _is_valid(item: Item) -> bool:
    try:
        status = item.as_(ServiceExport).status
    except msgspec.ValidationError:
        return False
    conditions = status.conditions if status is not None else None
    return any(one.type == "Valid" and one.status == "True" for one in conditions or ())
