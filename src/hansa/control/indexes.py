"""Indexes over the hub's objects, each defined once."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Wire
from hansa.runtime.cache import Cache

WORKS_BY_BINDING = "binding"
BINDINGS_BY_KIND = "kind"
BINDINGS_BY_CLUSTER = "cluster"


class _Named(Wire, frozen=True, kw_only=True):
    name: str = ""
    clusters: list[_Named] | None = None


class _Resource(Wire, frozen=True, kw_only=True):
    api_version: str = ""
    kind: str = ""


class _BindingSpec(Wire, frozen=True, kw_only=True):
    resource: _Resource = _Resource()
    clusters: list[_Named] | None = None
    required_by: list[_Named] | None = None


class _Binding(Wire, frozen=True, kw_only=True):
    spec: _BindingSpec = _BindingSpec()


_decode = msgspec.json.Decoder(_Binding).decode


def binding_id(item: Item) -> str:
    """The permanent id of a binding, or of the binding that a Work belongs to."""
    labels = item.labels
    return labels.get(names.BINDING_ID_LABEL) or labels.get(names.CLUSTER_BINDING_ID_LABEL) or ""


def _work_binding(item: Item) -> Iterable[str]:
    found = binding_id(item)
    return (found,) if found else ()


def kind_value(api_version: str, kind: str) -> str:
    return f"{api_version}/{kind}"


def _binding_kind(item: Item) -> Iterable[str]:
    resource = _decode(item.raw).spec.resource
    return (kind_value(resource.api_version, resource.kind),)


def _binding_clusters(item: Item) -> Iterable[str]:
    spec = _decode(item.raw).spec
    found = [target.name for target in spec.clusters or ()]
    for dependent in spec.required_by or ():
        found += [target.name for target in dependent.clusters or ()]
    return dict.fromkeys(found)


def add_indexes(cache: Cache) -> None:
    """Start the informers of bindings and Works with what the controllers look up in them."""
    cache.informer(scheme.WORKS).store.add_index(WORKS_BY_BINDING, _work_binding)
    for resource in (scheme.RESOURCE_BINDINGS, scheme.CLUSTER_RESOURCE_BINDINGS):
        store = cache.informer(resource).store
        store.add_index(BINDINGS_BY_KIND, _binding_kind)
        store.add_index(BINDINGS_BY_CLUSTER, _binding_clusters)
