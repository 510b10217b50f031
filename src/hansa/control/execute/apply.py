"""One manifest into one member: create it, or change what is there by as little as possible."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api.item import Item
from hansa.api.meta import GVK, Json, Key, ObjectMeta, Resource
from hansa.control.context import Interpret
from hansa.control.execute.versions import Place, Versions
from hansa.control.watches import Watches
from hansa.interpret.convention import Convention
from hansa.interpret.question import Retain
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import AlreadyExists, Conflict, NotFound
from hansa.runtime.controller import Retry
from hansa.runtime.fleet import Member


class Refused(Exception):
    """The member has the object, it is not ours, and nobody allowed us to take it."""


@dataclass(frozen=True, slots=True)
class Applier:
    watches: Watches
    versions: Versions
    interpret: Interpret

    async def apply(self, member: Member, convention: Convention, work: ObjectMeta, manifest: Json) -> bool:
        """True when the member's object was written.

        Raises Refused, Retry (the old object is on its way out), ApiError, Unreachable and InterpretError.
        """
        place = await self.place(member, manifest)
        live = await self.live(member, place)
        if live is None:
            try:
                self.versions.record(place, await member.client.create(place.resource, manifest), work.key)
                return True
            except AlreadyExists:
                live = await member.client.get(place.resource, place.key.name, place.key.namespace or None)
        try:
            return await self._change(member, convention, work, manifest, place, live)
        except Conflict:
            # the cache was behind: decide again on what is there now
            live = await member.client.get(place.resource, place.key.name, place.key.namespace or None)
            return await self._change(member, convention, work, manifest, place, live)

    async def place(self, member: Member, manifest: Json) -> Place:
        """Where the manifest's object is; starts to watch its kind. Raises NotFound for a kind that is not served."""
        gvk = GVK.of(str(manifest.get("apiVersion", "")), str(manifest.get("kind", "")))
        try:
            resource: Resource = await member.discovery.resource_for(gvk)
        except NoMatch as error:
            raise NotFound(str(error)) from error
        metadata: Json = manifest.get("metadata") or {}
        namespace = metadata.get("namespace") or "" if resource.namespaced else ""
        self.watches.ensure(member, resource)
        return Place(member.name, resource, Key(namespace, metadata.get("name") or ""))

    async def live(self, member: Member, place: Place) -> Item | None:
        """The member's object; None only when it is known not to be there. Raises ApiError and Unreachable."""
        informer = self.watches.find(member.name, place.resource)
        if informer is not None:
            found = informer.store.get(place.key)
            if found is not None or self.versions.get(place) is None:
                return found
        try:
            return await member.client.get(place.resource, place.key.name, place.key.namespace or None)
        except NotFound:
            return None

    async def _change(
        self,
        member: Member,
        convention: Convention,
        work: ObjectMeta,
        manifest: Json,
        place: Place,
        live: Item,
    ) -> bool:
        if not convention.owns(live.meta) and not convention.may_adopt(manifest, live.meta, work):
            raise Refused(convention.refusal(manifest, live.meta, member.name))
        if live.deleting:
            raise Retry(f"{place.key} is being deleted in {member.name}")
        document = live.json()
        wanted = convention.retain(manifest, document, work)
        if convention.interpreted:
            answer = await self.interpret(Retain(wanted, document))
            if answer is not None:
                wanted = answer.value
        if convention.equal(wanted, document):
            self.versions.record(place, live, work.key)
            return False
        self.versions.record(place, await member.client.update(place.resource, wanted), work.key)
        return True
