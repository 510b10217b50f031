"""A Work's end in its member: only what is ours is deleted, and only what is known to be there."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api.item import Item
from hansa.api.meta import Json, ObjectMeta
from hansa.control.execute.apply import Applier
from hansa.control.execute.versions import Place
from hansa.interpret.convention import Convention, Delete, Leave, Release
from hansa.kube.errors import Conflict, NotFound
from hansa.runtime.controller import Retry
from hansa.runtime.fleet import Member


@dataclass(frozen=True, slots=True)
class Remover:
    applier: Applier

    async def remove(
        self, member: Member, convention: Convention, work: ObjectMeta, manifest: Json, *, preserve: bool
    ) -> None:
        """Delete, release, or leave the object, as the convention says. Raises ApiError, Unreachable, Retry."""
        try:
            place = await self.applier.place(member, manifest)
        except NotFound:
            if member.discovery.complete:
                return  # the kind is gone from the member, and its objects with it
            raise
        live = await self.applier.live(member, place)
        self.applier.versions.forget(place)
        if live is not None:
            await self._end(member, convention, work, place, live, preserve=preserve)

    async def _end(
        self,
        member: Member,
        convention: Convention,
        work: ObjectMeta,
        place: Place,
        live: Item,
        *,
        preserve: bool,
    ) -> None:
        namespace = place.key.namespace or None
        try:
            match convention.on_delete(work, preserve, live.meta):
                case Delete(propagation, grace_seconds, preconditions):
                    if live.deleting:
                        return
                    await member.client.delete(
                        place.resource,
                        place.key.name,
                        namespace,
                        uid=preconditions.get("uid") or live.meta.uid,
                        resource_version=preconditions.get("resourceVersion"),
                        propagation=propagation,
                        grace_seconds=grace_seconds,
                    )
                case Release():
                    await member.client.update(place.resource, convention.release(live.json(), work))
                case Leave():
                    return
        except NotFound:
            return
        except Conflict as error:
            raise Retry(f"{place.key} in {member.name} has changed meanwhile") from error
