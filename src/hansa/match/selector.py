"""Resource selectors against objects: how propagation and override policies choose what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hansa.api.item import Item
from hansa.api.policy import ResourceSelector
from hansa.base.selector import Labels, SelectorError, labels_of

_STORED = {"multicluster.x-k8s.io/v1alpha1": "multicluster.x-k8s.io/v1beta1"}
"""Versions of one API that say the same: Karmada's users name the older one, servers prefer the newer."""
NO_MATCH = 0
BY_KIND = 1
BY_LABELS = 2
BY_NAME = 3


class Subject(NamedTuple):
    """What of an object selectors look at."""

    api_version: str
    kind: str
    namespace: str
    name: str
    labels: dict[str, str]

    @classmethod
    def of(cls, item: Item) -> Subject:
        return cls(_stored(item.api_version), item.kind, item.meta.namespace, item.meta.name, item.labels)


@dataclass(frozen=True, slots=True)
class Selector:
    """A resource selector, ready to be asked often. `labels` is None when every object of the kind is meant."""

    api_version: str
    kind: str
    namespace: str
    name: str
    labels: Labels | None
    fault: str = ""
    """Why the label selector cannot be read; such a selector matches nothing."""

    def priority(self, subject: Subject) -> int:
        """How closely the selector means this object: NO_MATCH, BY_KIND, BY_LABELS or BY_NAME."""
        if self.api_version != subject.api_version or self.kind != subject.kind:
            return NO_MATCH
        if self.namespace and self.namespace != subject.namespace:
            return NO_MATCH
        if self.name:
            return BY_NAME if self.name == subject.name else NO_MATCH
        if self.fault:
            return NO_MATCH
        if self.labels is None:
            return BY_KIND
        return BY_LABELS if self.labels.matches(subject.labels) else NO_MATCH


def selector_of(struct: ResourceSelector) -> Selector:
    labels: Labels | None = None
    fault = ""
    if struct.label_selector is not None:
        try:
            labels = labels_of(struct.label_selector.match_labels, struct.label_selector.match_expressions)
        except SelectorError as error:
            fault = str(error)
    return Selector(_stored(struct.api_version), struct.kind, struct.namespace, struct.name, labels, fault)


def _stored(api_version: str) -> str:
    return _STORED.get(api_version, api_version)


def priority(selectors: Sequence[Selector], subject: Subject) -> int:
    """The closest of several."""
    return max((selector.priority(subject) for selector in selectors), default=NO_MATCH)
