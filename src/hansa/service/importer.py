"""Write one import into one cluster: the ServiceImport, its derived Service, its EndpointSlices, its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.routing import ServiceRoutingPolicySpec
from hansa.base.clock import Clock
from hansa.base.patch import equal_json
from hansa.combine.merge import Merged
from hansa.combine.objects import addresses_of, derived_document, import_document, made_of, owned_by
from hansa.combine.routing import Exporter, Place, route
from hansa.combine.silence import Silence
from hansa.combine.slices import derived_name, drained, reach, wanted_slices
from hansa.combine.source import Source
from hansa.combine.verdict import IMPORT_CONDITIONS, Obstacle, import_conditions, other_family
from hansa.kube.errors import Invalid
from hansa.service.views import View
from hansa.service.write import create, delete, differing, report

FOREIGN = "a ServiceImport of that name is there that Hansa has not made"
_SERVICE_FIELDS = ("trafficDistribution",)
"""What is taken off when it is not wanted; an API server has a default for the rest."""
_IMPORT_FIELDS = (
    "type",
    "ports",
    "ips",
    "ipFamilies",
    "sessionAffinity",
    "sessionAffinityConfig",
    "internalTrafficPolicy",
    "trafficDistribution",
)
_IMPORT_ANNOTATIONS = (names.EXPORTED_ANNOTATION, names.ROUTE_ANNOTATION, names.DERIVED_SERVICE_ANNOTATION)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one cluster is to import. `sources` of the exporters that can be asked; of `silent` ones all stays.
    `silences`: of exporters that are not heard, since when."""

    key: Key
    merged: Merged
    place: Place
    exporters: Sequence[Exporter]
    sources: Mapping[str, Source]
    policy: ServiceRoutingPolicySpec
    listen: Mapping[str, int]
    silent: frozenset[str]
    silences: Mapping[str, Silence] = field(default_factory=dict[str, Silence])


class Outcome(NamedTuple):
    """`paced`: whether the next write must wait for its turn: endpoints were written, or an import that was there.
    `obstacle`: why it could not be imported; empty when it could."""

    paced: bool
    obstacle: str = ""


@dataclass(slots=True)
class _Pass:
    """One go: what it wrote. `endpoints`: slices."""

    view: View
    wanted: Wanted
    written: bool = False
    endpoints: bool = False


@dataclass(frozen=True, slots=True)
class Importer:
    """`forgetful`: members whose ServiceImports do not keep status.endpointSliceObjects (mcs-api before v0.5.2)."""

    clock: Clock
    forgetful: set[str] = field(default_factory=set[str])

    async def apply(self, view: View, wanted: Wanted) -> Outcome:
        """Raises ApiError, Unreachable, and Retry when the cache is behind."""
        live = view.imports.store.get(wanted.key)
        if live is not None and made_of(live) is None:
            return Outcome(False, FOREIGN)
        if live is not None and live.deleting:
            return Outcome(False)
        go = _Pass(view, wanted)
        item = live or await self._create(go)
        derived, obstacle = (None, None) if wanted.merged.offer.headless else await self._derived(go, item)
        if wanted.merged.offer.headless:
            await self._remove_derived(go, item)
        item = await self._change(go, item, derived)
        has_slices = await self._slices(go, item)
        await self._status(go, item, derived, obstacle, has_slices=has_slices)
        return Outcome(go.endpoints or (go.written and live is not None), obstacle.message if obstacle else "")

    # -- ServiceImport ------------------------------------------------------------------------------------------------

    def _document(self, go: _Pass, derived: Item | None) -> Json:
        wanted = go.wanted
        ways = route(wanted.place, wanted.merged.offer, wanted.exporters, wanted.policy, wanted.listen)
        document = import_document(wanted.key, wanted.merged, ways, derived)
        return {**document, "apiVersion": go.view.imports.resource.api_version}

    async def _create(self, go: _Pass) -> Item:
        go.written = True
        return await create(go.view.client, go.view.imports.resource, self._document(go, None))

    async def _change(self, go: _Pass, item: Item, derived: Item | None) -> Item:
        """Fields that are ours, and labels and annotations that are exported; what others have added stays."""
        document, live = self._document(go, derived), item.json()
        spec = _differing(live.get("spec") or {}, document["spec"], _IMPORT_FIELDS)
        made = made_of(item)
        metadata: Json = {}
        labels = _differing(item.labels, document["metadata"].get("labels", {}), made.labels if made else ())
        annotations = _differing(
            item.annotations,
            document["metadata"]["annotations"],
            (*(made.annotations if made else ()), *_IMPORT_ANNOTATIONS),
        )
        if labels:
            metadata["labels"] = labels
        if annotations:
            metadata["annotations"] = annotations
        if not spec and not metadata:
            return item
        go.written = True
        metadata["resourceVersion"] = item.meta.resource_version
        patch: Json = {"metadata": metadata, **({"spec": spec} if spec else {})}
        return await go.view.client.patch(go.view.imports.resource, item.meta.name, item.meta.namespace, patch)

    # -- derived Service ----------------------------------------------------------------------------------------------

    async def _derived(self, go: _Pass, owner: Item) -> tuple[Item | None, Obstacle | None]:
        """The derived Service as it is, and why it is not as it should be."""
        key = Key(go.wanted.key.namespace, derived_name(go.wanted.key.name))
        offer = go.wanted.merged.offer
        document = owned_by(derived_document(go.wanted.key, offer), owner)
        live = go.view.services.store.get(key)
        if live is not None and live.labels.get(names.IMPORT_NAME_LABEL) != go.wanted.key.name:
            return None, Obstacle(f"a Service {key} is there that Hansa has not made")
        if live is not None and live.deleting:
            return live, None
        try:
            if live is None:
                go.written = True
                live = await create(go.view.client, scheme.SERVICES, document)
            else:
                live = await self._change_derived(go, live, document)
        except Invalid as error:
            return live, Obstacle(f"the derived Service is refused: {error.message}")
        return live, other_family(live, offer)

    async def _change_derived(self, go: _Pass, live: Item, document: Json) -> Item:
        wanted = {field: value for field, value in document["spec"].items() if field != "type"}
        spec = _differing(live.json().get("spec") or {}, wanted, _SERVICE_FIELDS)
        patch: Json = {"metadata": {"resourceVersion": live.meta.resource_version}}
        owners = document["metadata"]["ownerReferences"]
        if not _is_owned(live, owners[0]["uid"]):
            patch["metadata"]["ownerReferences"] = owners
        elif not spec:
            return live
        go.written = True
        patch["spec"] = spec
        return await go.view.client.patch(scheme.SERVICES, live.meta.name, live.meta.namespace, patch)

    async def _remove_derived(self, go: _Pass, owner: Item) -> None:
        """A service that is headless now has no address."""
        live = go.view.services.store.get(Key(go.wanted.key.namespace, derived_name(go.wanted.key.name)))
        if live is not None and not live.deleting and _is_owned(live, owner.meta.uid):
            go.written = True
            await delete(go.view.client, scheme.SERVICES, live)

    # -- EndpointSlices -----------------------------------------------------------------------------------------------

    async def _slices(self, go: _Pass, owner: Item) -> bool:
        """Whether there are any."""
        wanted = go.wanted
        documents_ = wanted_slices(
            wanted.key,
            wanted.place,
            wanted.merged.offer,
            wanted.exporters,
            wanted.sources,
            wanted.policy,
            wanted.listen,
        )
        missing = {document["metadata"]["name"]: owned_by(document, owner) for document in documents_}
        draining = {each.cluster for each in wanted.exporters if each.draining}
        kept = len(missing)
        for live in go.view.imported_slices(wanted.key):
            source = live.labels.get(names.SOURCE_CLUSTER_LABEL, "")
            document = missing.pop(live.meta.name, None)
            if source in wanted.silent or live.deleting:
                kept += source in wanted.silent
                continue
            if document is None and source in draining:
                document = drained(live)
                kept += 1
            if document is None or document["addressType"] != live.json()["addressType"]:
                go.endpoints = True
                await delete(go.view.client, scheme.ENDPOINT_SLICES, live)
            else:
                await self._change_slice(go, live, document)
        for document in missing.values():
            go.endpoints = True
            await create(go.view.client, scheme.ENDPOINT_SLICES, document)
        return kept > 0

    async def _change_slice(self, go: _Pass, live: Item, document: Json) -> None:
        patch = differing(live, document, ("endpoints", "ports"))
        labels = _differing(live.labels, document["metadata"]["labels"], (names.SERVICE_LABEL,))
        metadata: Json = {"labels": labels} if labels else {}
        owners = document["metadata"].get("ownerReferences") or ()
        if owners and not _is_owned(live, owners[0]["uid"]):
            metadata["ownerReferences"] = owners
        if not patch and not metadata:
            return
        go.endpoints = True
        metadata["resourceVersion"] = live.meta.resource_version
        patch["metadata"] = metadata
        await go.view.client.patch(scheme.ENDPOINT_SLICES, live.meta.name, live.meta.namespace, patch)

    # -- status -------------------------------------------------------------------------------------------------------

    async def _status(
        self, go: _Pass, item: Item, derived: Item | None, obstacle: Obstacle | None, *, has_slices: bool
    ) -> None:
        wanted = go.wanted
        way = reach(wanted.place, wanted.merged.offer, wanted.exporters, wanted.policy)
        has_address = derived is not None and bool(addresses_of(derived, wanted.merged.offer))
        conditions = import_conditions(
            wanted.merged.offer,
            way,
            wanted.silences,
            has_address=has_address,
            obstacle=obstacle,
            generation=item.meta.generation,
        )
        exporters = sorted(each.cluster for each in wanted.exporters if not each.draining)
        fields: Json = {"clusters": [{"cluster": cluster} for cluster in exporters]}
        if go.view.name not in self.forgetful:
            fields["endpointSliceObjects"] = "Present" if has_slices else "Absent"
        written = await report(
            go.view.client,
            go.view.imports.resource,
            item,
            conditions,
            self.clock.now(),
            ours=IMPORT_CONDITIONS,
            **fields,
        )
        if written is None:
            return
        go.written = True
        if "endpointSliceObjects" in fields and b"endpointSliceObjects" not in written.raw:
            self.forgetful.add(go.view.name)


def _is_owned(item: Item, uid: str) -> bool:
    return any(owner.uid == uid for owner in item.meta.owner_references or ())


def _differing(live: Mapping[str, Any], wanted: Mapping[str, Any], ours: Sequence[str]) -> Json:
    """A merge patch for what is wanted, and against those of `ours` that are not wanted any more."""
    changed = {field: value for field, value in wanted.items() if not _same(live.get(field), value)}
    return changed | {field: None for field in ours if field in live and field not in wanted}


def _same(live: Any, wanted: Any) -> bool:
    """Null and empty are the same."""
    return equal_json(live, wanted) if live and wanted else not live and not wanted
