"""References to dependencies: what they mean, how they are recorded, and how bindings are found by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import GVK, Json
from hansa.base.names import reference_key
from hansa.base.selector import Labels, SelectorError, labels_of
from hansa.interpret.error import InterpretError

BY_DEPENDENCY = "dependency"
BY_DEPENDENT = "dependent"


@dataclass(frozen=True, slots=True)
class Reference:
    """By name, or by labels when `name` is empty."""

    gvk: GVK
    namespace: str
    name: str
    labels: Labels | None

    def matches(self, item: Item) -> bool:
        if item.meta.namespace != self.namespace:
            return False
        return (
            item.meta.name == self.name if self.name else self.labels is not None and self.labels.matches(item.labels)
        )


def read(document: Json) -> Reference:
    """Raises InterpretError for a reference that means nothing."""
    gvk = GVK.of(str(document.get("apiVersion") or ""), str(document.get("kind") or ""))
    namespace, name = str(document.get("namespace") or ""), str(document.get("name") or "")
    if name:
        return Reference(gvk, namespace, name, None)
    selector = document.get("labelSelector")
    if selector is None:
        raise InterpretError(f"dependency of kind {gvk.kind} has neither name nor labelSelector")
    try:
        labels = labels_of(selector.get("matchLabels"), selector.get("matchExpressions"))
    except (SelectorError, AttributeError) as error:
        raise InterpretError(f"dependency of kind {gvk.kind} has a bad labelSelector: {error}") from error
    return Reference(gvk, namespace, "", labels)


def recorded(references: Sequence[Json]) -> str:
    """The annotation of the binding."""
    return msgspec.json.encode(list(references)).decode()


def dependent_label(binding: Item) -> str:
    """The key of the label by which attached bindings say that they are needed by `binding`."""
    return names.DEPENDED_BY_LABEL_PREFIX + reference_key(binding.meta.namespace, binding.meta.name)


def by_dependency(binding: Item) -> Iterable[str]:
    """Index function: what a binding recorded that its template depends on."""
    text = binding.annotations.get(names.DEPENDENCIES_ANNOTATION)
    if not text:
        return ()
    try:
        found = [read(entry) for entry in msgspec.json.decode(text, type=list[Json])]
    except (msgspec.MsgspecError, InterpretError):
        return ()  # somebody else's hand; the next look writes it anew
    return {dependency_value(one.gvk, one.namespace, one.name) for one in found}


def dependency_value(gvk: GVK, namespace: str, name: str) -> str:
    """Without a name: of those that are found by labels."""
    return f"{gvk.api_version}/{gvk.kind}/{namespace}/{name}"


def by_dependent(binding: Item) -> Iterable[str]:
    """Index function: labels of an attached binding that say who needs it."""
    labels = binding.labels.items()
    return [f"{key}={value}" for key, value in labels if key.startswith(names.DEPENDED_BY_LABEL_PREFIX)]
