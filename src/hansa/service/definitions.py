"""See that every member serves ServiceExports and ServiceImports, then look at what it has of them.

Definitions that somebody else has installed are never changed (KEP-1645: another controller's newer ones must not be
downgraded); ours are brought up to date. A member that serves one of the two versions of the API only is spoken to in
that one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.crd import crd_of
from hansa.api.item import Item
from hansa.api.kinds import KINDS
from hansa.api.meta import Json, Key, Resource
from hansa.kube.errors import AlreadyExists, NotFound
from hansa.runtime.controller import Requeue, Retry
from hansa.runtime.fleet import Member
from hansa.service.hub import Hub
from hansa.service.places import Places
from hansa.service.served import served
from hansa.service.views import Views

REVISION = 1
"""Of our definitions. An older Hansa leaves those of a newer one alone."""
AGAIN_SECONDS = 60.0
"""How often definitions are looked at again."""


@dataclass(frozen=True, slots=True)
class DefinitionKeeper:
    hub: Hub
    places: Places
    views: Views

    async def reconcile(self, key: Key) -> Requeue | None:
        member = self.hub.fleet.get(key.name)
        if member is None:
            self.views.close(key.name)
            return None
        if not member.ready or not self.places.is_member(key.name):
            return None
        for resource in (scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS):
            await _ensure(member, resource)
        exports, imports = [await _served(member, r) for r in (scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS)]
        self.views.open(member, exports, imports).revive()
        return Requeue(AGAIN_SECONDS)


async def _ensure(member: Member, resource: Resource) -> None:
    """Raises ApiError and Unreachable."""
    definition = definition_of(resource)
    name = definition["metadata"]["name"]
    try:
        live = await member.client.get(scheme.CRDS, name)
    except NotFound:
        try:
            await member.client.create(scheme.CRDS, definition)
        except AlreadyExists as error:
            raise Retry(f"{name} was made by somebody else at the same time") from error
        await member.discovery.refresh()
        return
    if _is_behind(live):
        patch: Json = {
            "metadata": {"resourceVersion": live.meta.resource_version, "labels": definition["metadata"]["labels"]},
            "spec": definition["spec"],
        }
        await member.client.patch(scheme.CRDS, name, None, patch)


def definition_of(resource: Resource) -> Json:
    """Marked as ours."""
    definition = crd_of(next(kind for kind in KINDS if kind.resource == resource))
    definition["metadata"]["labels"] = {
        names.INSTALLED_BY_LABEL: names.FIELD_MANAGER,
        names.REVISION_LABEL: str(REVISION),
    }
    return definition


def _is_behind(live: Item) -> bool:
    if live.labels.get(names.INSTALLED_BY_LABEL) != names.FIELD_MANAGER:
        return False
    text = live.labels.get(names.REVISION_LABEL, "")
    return not text.isdecimal() or int(text) < REVISION


async def _served(member: Member, resource: Resource) -> Resource:
    """The resource in the version that the member serves. Raises Retry while it serves none."""
    for _ in range(2):
        if (found := served(member.discovery, resource)) is not None:
            return found
        await member.discovery.refresh()
    raise Retry(f"{member.name} does not serve {resource.group_resource} yet")
