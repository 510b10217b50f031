"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.scheme import CONTROLLER_REVISIONS
from hansa.base.names import fnv1a32, safe_encode
from hansa.base.selector import Labels
from hansa.kube.errors import AlreadyExists, Conflict, NotFound
from hansa.sim.ownership import candidates, claim
from hansa.sim.site import Site

REVISION_LABEL = "controller-revision-hash"


class _Revision(msgspec.Struct):
    revision: int = 0
    data: Any = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One template. `hash` is what its pods bear as label; StatefulSets use the whole name there."""

    item: Item
    number: int
    data: Any

    @property
    def name(self) -> str:
        return self.item.meta.name

    @property
    def hash(self) -> str:
        return self.item.labels.get(REVISION_LABEL, "")

    @classmethod
    def of(cls, item: Item) -> Revision:
        body = item.as_(_Revision)
        return cls(item, body.revision, body.data)

    @property
    def template(self) -> Json:
        """The pod template that this revision keeps."""
        kept = dict(self.data["spec"]["template"])
        kept.pop("$patch", None)
        return kept


async def sync_revisions(site: Site, owner: Item, selector: Labels, template: Json) -> list[Revision]:
    """All revisions, oldest first; the last one holds `template`. Creates it, or gives it the highest number."""
    found = candidates(site.store(CONTROLLER_REVISIONS), owner)
    owned = await claim(site.client, CONTROLLER_REVISIONS, owner, selector, found)
    revisions = sorted((Revision.of(item) for item in owned), key=lambda entry: (entry.number, entry.name))
    data = {"spec": {"template": {**template, "$patch": "replace"}}}
    current = next((entry for entry in reversed(revisions) if entry.data == data), None)
    highest = revisions[-1].number if revisions else 0
    if current is None:
        return [*revisions, await _create(site, owner, template, data, highest + 1)]
    if current.number < highest:
        meta = current.item.meta
        patch: Json = {"revision": highest + 1, "metadata": {"resourceVersion": meta.resource_version}}
        item = await site.client.patch(CONTROLLER_REVISIONS, meta.name, meta.namespace, patch)
        return [*(entry for entry in revisions if entry is not current), Revision.of(item)]
    return revisions


async def forget_revisions(site: Site, revisions: Sequence[Revision], limit: int, used: set[str]) -> None:
    """Delete the oldest beyond `limit` of those that are not `used` (names)."""
    idle = [entry for entry in revisions[:-1] if entry.name not in used]
    for entry in idle[: max(0, len(idle) - limit)]:
        meta = entry.item.meta
        try:
            await site.client.delete(CONTROLLER_REVISIONS, meta.name, meta.namespace, uid=meta.uid)
        except (NotFound, Conflict):
            continue


async def _create(site: Site, owner: Item, template: Json, data: Json, number: int) -> Revision:
    hash_ = safe_encode(fnv1a32(msgspec.json.encode(data, order="deterministic").decode()))
    labels = (template.get("metadata") or {}).get("labels") or {}
    obj: Json = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{owner.meta.name}-{hash_}",
            "namespace": owner.meta.namespace,
            "labels": {**labels, REVISION_LABEL: hash_},
            "ownerReferences": [owner.as_owner()],
        },
        "data": data,
        "revision": number,
    }
    try:
        return Revision.of(await site.client.create(CONTROLLER_REVISIONS, obj))
    except AlreadyExists:
        # made in an earlier turn, and not in the cache yet
        return Revision.of(await site.client.get(CONTROLLER_REVISIONS, obj["metadata"]["name"], owner.meta.namespace))
