"""The members that the control plane can talk to right now. They come, go and change credentials at run time."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass

from hansa.kube.client import Client
from hansa.kube.discovery import Discovery
from hansa.runtime import metrics
from hansa.runtime.cache import Cache

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """The live handle on one member cluster. `ready` is what the last health check found."""

    name: str
    client: Client
    cache: Cache
    ready: bool = True

    @property
    def discovery(self) -> Discovery:
        return self.client.discovery


FleetSubscriber = Callable[[str, Member | None], None]


class Fleet:
    """Members by cluster name.

    A member that is not in the fleet is unknown, not empty. Who is replaced or removed is closed in the background:
    its watches end, and a server that no longer answers holds nobody up.
    """

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._subscribers: list[FleetSubscriber] = []
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, name: str) -> Member | None:
        return self._members.get(name)

    def members(self) -> list[Member]:
        return list(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def subscribe(self, subscriber: FleetSubscriber) -> Callable[[], None]:
        """Call `subscriber` with name and member (None: removed) on every change, beginning with who is there.

        Returns what ends the subscription.
        """
        self._subscribers.append(subscriber)
        for member in self.members():
            self._tell(subscriber, member.name, member)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def add(self, member: Member) -> None:
        """A new member. Raises ValueError when the name is taken."""
        if member.name in self._members:
            raise ValueError(f"{member.name} is a member already")
        self.replace(member)

    def replace(self, member: Member) -> None:
        """Another handle on the member of the same name, or a new member. The old one's cache is closed."""
        old = self._members.get(member.name)
        self._members[member.name] = member
        self._publish(member.name, member)
        if old is not None and old.cache is not member.cache:
            self._close(old)

    def set_ready(self, name: str, ready: bool) -> None:
        """Note what a health check found; nothing happens for a name that is not a member."""
        member = self._members.get(name)
        if member is not None and member.ready is not ready:
            self.replace(dataclasses.replace(member, ready=ready))

    def remove(self, name: str) -> Member | None:
        """Forget a member and close its cache. Returns it."""
        member = self._members.pop(name, None)
        if member is not None:
            self._publish(name, None)
            self._close(member)
        return member

    async def close(self) -> None:
        """Remove all members and wait until they are closed."""
        for name in list(self._members):
            self.remove(name)
        while self._closing:
            await asyncio.wait(self._closing)

    def _publish(self, name: str, member: Member | None) -> None:
        if member is None:
            metrics.forget_member(name)
        else:
            metrics.MEMBERS_READY.labels(name).set(1 if member.ready else 0)
        for subscriber in list(self._subscribers):
            self._tell(subscriber, name, member)

    def _tell(self, subscriber: FleetSubscriber, name: str, member: Member | None) -> None:
        try:
            subscriber(name, member)
        except Exception:
            log.exception("subscriber failed", extra={"cluster": name})

    def _close(self, member: Member) -> None:
        task = asyncio.create_task(member.cache.close(), name=f"close {member.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
