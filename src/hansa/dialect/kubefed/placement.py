"""Which clusters a federated object chooses: its own placement, within that of its namespace.

An absent list of clusters and an empty one differ: the first leaves the choice to the selector, the second chooses
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hansa.api.meta import Json, LabelSelector
from hansa.base.selector import SelectorError, labels_of

ClusterLabels = Mapping[str, Mapping[str, str]]
"""Labels of every cluster that is registered, ready or not, by name."""


class InvalidPlacement(ValueError):
    """The cluster selector cannot be read."""


def chosen(federated: Json, clusters: ClusterLabels) -> frozenset[str]:
    """What one object's own `spec.placement` chooses. Unknown names are left out. Raises InvalidPlacement."""
    placement = _dict(_dict(federated.get("spec")).get("placement"))
    listed = placement.get("clusters")
    if listed is not None:
        return frozenset(str(_dict(entry).get("name")) for entry in listed) & clusters.keys()
    return selected(federated, clusters)


def selected(federated: Json, clusters: ClusterLabels) -> frozenset[str]:
    """What the cluster selector alone chooses; nothing without one. Raises InvalidPlacement."""
    selector = _dict(_dict(federated.get("spec")).get("placement")).get("clusterSelector")
    if not isinstance(selector, dict):
        return frozenset()
    try:
        read = msgspec.convert(selector, LabelSelector)
        wanted = labels_of(read.match_labels, read.match_expressions)
    except (SelectorError, msgspec.ValidationError) as error:
        raise InvalidPlacement(f"spec.placement.clusterSelector: {error}") from error
    return frozenset(name for name, labels in clusters.items() if wanted.matches(labels))


def placed(federated: Json, namespace: Json | None, clusters: ClusterLabels, *, namespaced: bool) -> frozenset[str]:
    """Clusters that get the object. Raises InvalidPlacement for a selector of either object.

    `namespace` is the FederatedNamespace of a namespaced object: without one nothing is chosen. Objects that are not
    namespaced, FederatedNamespaces among them, are on their own.
    """
    if not namespaced:
        return chosen(federated, clusters)
    if namespace is None:
        return frozenset()
    return chosen(federated, clusters) & chosen(namespace, clusters)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
