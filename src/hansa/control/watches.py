"""Watches in members, one for each kind that a Work has put there, whoever the member's current handle is.

A watch begins with the first object of its kind, and follows the member when its credentials change.
"""

from __future__ import annotations

from collections.abc import Callable

from hansa.api.meta import Resource
from hansa.runtime.cache import Cache
from hansa.runtime.fleet import Fleet, Member
from hansa.runtime.informer import Change, Informer
from hansa.runtime.store import Store

Heard = Callable[[str, Resource, Change], None]
"""(cluster, resource, change)"""
Listed = Callable[[str, Resource, Store], None]
"""(cluster, resource, what is there)"""


class Watches:
    def __init__(self, fleet: Fleet) -> None:
        self._caches: dict[str, Cache] = {}
        self._informers: dict[tuple[str, Resource], Informer] = {}
        self._listeners: list[Heard] = []
        self._listed: list[Listed] = []
        fleet.subscribe(self._member_changed)

    def listen(self, listener: Heard) -> None:
        """Hear of every change in every watched kind of every member from now on."""
        self._listeners.append(listener)

    def on_listed(self, listener: Listed) -> None:
        """Hear of every list that was completed."""
        self._listed.append(listener)

    def ensure(self, member: Member, resource: Resource) -> Informer:
        """The informer, started when it was not, and started again when the kind had gone."""
        informer = member.cache.informer(resource)
        if self._informers.get((member.name, resource)) is not informer:
            self._informers[member.name, resource] = informer
            self._caches[member.name] = member.cache
            name = member.name

            def heard(change: Change) -> None:
                for listener in self._listeners:
                    listener(name, resource, change)

            def listed() -> None:
                for listener in self._listed:
                    listener(name, resource, informer.store)

            informer.subscribe(heard)
            informer.on_listed(listed)
        return informer

    def find(self, cluster: str, resource: Resource) -> Informer | None:
        """The informer when it runs and is synced: only then does its store tell what is not there."""
        informer = self._informers.get((cluster, resource))
        return informer if informer is not None and informer.synced else None

    def _member_changed(self, name: str, member: Member | None) -> None:
        if member is not None and self._caches.get(name) in (None, member.cache):
            return
        resources = [resource for cluster, resource in self._informers if cluster == name]
        for resource in resources:
            del self._informers[name, resource]
        self._caches.pop(name, None)
        if member is not None:
            for resource in resources:
                self.ensure(member, resource)
