"""Clusters that an object names and that the federation does not have: a slip of the pen, or a join yet to come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.kubefed import ReplicaSchedulingPreference
from hansa.api.meta import GVK, Object
from hansa.api.policy import (
    ClusterOverridePolicy,
    ClusterPropagationPolicy,
    ClusterTaintPolicy,
    OverridePolicy,
    PropagationPolicy,
)
from hansa.foresight.facts import FEDERATED_GROUP
from hansa.foresight.plan import UnknownClusters

_POLICIES: Mapping[GVK, type[Object]] = {
    scheme.PROPAGATION_POLICIES.gvk: PropagationPolicy,
    scheme.CLUSTER_PROPAGATION_POLICIES.gvk: ClusterPropagationPolicy,
    scheme.OVERRIDE_POLICIES.gvk: OverridePolicy,
    scheme.CLUSTER_OVERRIDE_POLICIES.gvk: ClusterOverridePolicy,
    scheme.CLUSTER_TAINT_POLICIES.gvk: ClusterTaintPolicy,
}
_LISTS = frozenset(("clusterNames", "exclude"))
"""Fields of policies that name clusters, wherever they are."""
_ANY = "*"
"""What a ReplicaSchedulingPreference calls all clusters that it does not name."""

Named = tuple[str, Collection[str]]
"""A field, and the clusters that it names."""


def unknown_clusters(item: Item, known: Collection[str]) -> Iterator[UnknownClusters]:
    """One for each field of the object that names clusters which are not `known`."""
    for at, names in _fields(item):
        missing = tuple(dict.fromkeys(name for name in names if name not in known))
        if missing:
            yield UnknownClusters(
                object=f"{item.kind} {item.key}", field=at, names=missing, known=tuple(_nearest(missing, known))
            )


def _nearest(missing: Collection[str], known: Collection[str]) -> Iterator[str]:
    """All that are known, those first that were probably meant."""
    ordered = sorted(known)
    meant = [match for name in missing for match in get_close_matches(name, ordered)]
    yield from dict.fromkeys((*meant, *ordered))


def _fields(item: Item) -> Iterator[Named]:
    if struct := _POLICIES.get(item.gvk):
        yield from _lists(item.as_(struct), "")
    elif item.gvk.group == FEDERATED_GROUP:
        yield from _of_federated(item.json().get("spec") or {})
    elif item.gvk == scheme.REPLICA_SCHEDULING_PREFERENCES.gvk:
        preferred = item.as_(ReplicaSchedulingPreference).spec.clusters or {}
        yield "spec.clusters", [name for name in preferred if name != _ANY]


def _lists(value: object, at: str) -> Iterator[Named]:
    """Of a struct and what is in it. Values of users that have no type, as in overriders, are not looked into."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _lists(each, f"{at}[{index}]")
    elif isinstance(value, msgspec.Struct):
        for each in msgspec.structs.fields(value):
            inner = getattr(value, each.name)
            path = f"{at}.{each.encode_name}" if at else each.encode_name
            if each.encode_name in _LISTS:
                yield path, inner or ()
            else:
                yield from _lists(inner, path)


def _of_federated(spec: Mapping[str, Any]) -> Iterator[Named]:
    placement = spec.get("placement") or {}
    yield "spec.placement.clusters", [each["name"] for each in placement.get("clusters") or ()]
    for index, override in enumerate(spec.get("overrides") or ()):
        yield f"spec.overrides[{index}].clusterName", [override["clusterName"]]
