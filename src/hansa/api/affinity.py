"""Which clusters an affinity means (policy.karmada.io ClusterAffinity).

A cluster fits when its name is not excluded and every condition that is given holds: label selector, field selector
(provider, region, zone), names. A selector that cannot be read fits nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from hansa.api.cluster import Cluster
from hansa.api.core import NodeSelectorRequirement
from hansa.api.meta import LabelSelector
from hansa.api.policy import ClusterAffinity
from hansa.base.selector import Labels, SelectorError, labels_of


def matches(affinity: ClusterAffinity | None, cluster: Cluster) -> bool:
    """Whether the cluster is meant; without an affinity every cluster is."""
    if affinity is None:
        return True
    name = cluster.metadata.name
    if name in (affinity.exclude or ()):
        return False
    if affinity.label_selector is not None and not _labels_match(affinity.label_selector, cluster):
        return False
    if affinity.field_selector is not None and not _fields_match(
        affinity.field_selector.match_expressions or (), cluster
    ):
        return False
    return not affinity.cluster_names or name in affinity.cluster_names


def labels_match(selector: LabelSelector | None, labels: dict[str, str]) -> bool:
    """Whether labels fit a metav1 selector; none given fits all, an unreadable one nothing."""
    if selector is None:
        return True
    compiled = _compiled(
        tuple(sorted((selector.match_labels or {}).items())),
        tuple((e.key, e.operator, tuple(e.values or ())) for e in selector.match_expressions or ()),
    )
    return compiled is not None and compiled.matches(labels)


def _labels_match(selector: LabelSelector, cluster: Cluster) -> bool:
    return labels_match(selector, cluster.metadata.labels or {})


class _Expression:
    """A requirement as `labels_of` wants it."""

    def __init__(self, key: str, operator: str, values: Sequence[str]) -> None:
        self.key = key
        self.operator = operator
        self.values = values


@lru_cache(maxsize=1024)
def _compiled(
    match_labels: tuple[tuple[str, str], ...], expressions: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> Labels | None:
    try:
        return labels_of(dict(match_labels), [_Expression(*expression) for expression in expressions])
    except SelectorError:
        return None


def _fields_match(expressions: Sequence[NodeSelectorRequirement], cluster: Cluster) -> bool:
    fields = {"provider": cluster.spec.provider, "region": cluster.spec.region}
    # a field that is not set is as absent as a missing label, so NotIn lets the cluster pass
    present = {key: value for key, value in fields.items() if value}
    for expression in expressions:
        values = tuple(expression.values or ())
        if expression.key == "zone":
            if not _zones_match(expression.operator, set(values), set(cluster.spec.all_zones)):
                return False
            continue
        compiled = _compiled((), ((expression.key, expression.operator, values),))
        if compiled is None or not compiled.matches(present):
            return False
    return True


def _zones_match(operator: str, wanted: set[str], zones: set[str]) -> bool:
    match operator:
        case "In":
            return bool(wanted & zones)
        case "NotIn":
            return not wanted & zones
        case "Exists":
            return bool(zones)
        case "DoesNotExist":
            return not zones
        case _:
            return False
