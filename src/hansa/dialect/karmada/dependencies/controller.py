"""What wakes the distributor: bindings that ask for dependencies, and the dependencies themselves."""

from __future__ import annotations

from collections.abc import Callable

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import Key
from hansa.api.work import BindingSpec, ResourceBinding
from hansa.dialect.karmada.claimer import TemplateKey
from hansa.dialect.karmada.dependencies.distributor import Distributor
from hansa.dialect.karmada.dependencies.reference import (
    BY_DEPENDENCY,
    BY_DEPENDENT,
    by_dependency,
    by_dependent,
    dependency_value,
)
from hansa.dialect.karmada.hub import Hub
from hansa.runtime.controller import Controller
from hansa.runtime.informer import Change

DependencyChanged = Callable[[TemplateKey, bool], None]
"""(object that may be a dependency, whether it was there when we came)"""


def dependencies(hub: Hub) -> tuple[Controller[Key], DependencyChanged]:
    """The controller, and whom to tell of objects that come and change."""
    bindings = hub.cache.informer(scheme.RESOURCE_BINDINGS)
    bindings.store.add_index(BY_DEPENDENCY, by_dependency)
    bindings.store.add_index(BY_DEPENDENT, by_dependent)
    distributor = Distributor(hub)
    controller = Controller("dependencies", distributor, workers=4, needs=(bindings,))

    def binding_changed(change: Change) -> None:
        old, new = change.old, change.new
        if new is None:
            distributor.told.pop(change.item.key, None)
            distributor.changed.discard(change.item.key)
            return
        unchanged = old is not None and old.meta.generation == new.meta.generation and old.deleting == new.deleting
        if unchanged or not (_asks(new) or (old is not None and _asks(old))):
            return
        controller.queue.add(new.key, low=change.initial)

    def dependency_changed(key: TemplateKey, initial: bool) -> None:
        if initial:
            return  # their dependents are looked at anyway
        gvk = key.resource.gvk
        for name in (key.name, ""):
            for item in bindings.store.by(BY_DEPENDENCY, dependency_value(gvk, key.namespace, name)):
                distributor.changed.add(item.key)
                controller.queue.add(item.key)

    bindings.subscribe(binding_changed)
    return controller, dependency_changed


def _asks(item: Item) -> bool:
    """With clusters, or there is nowhere to go yet."""
    spec: BindingSpec = item.as_(ResourceBinding).spec
    return spec.propagate_deps and (bool(spec.clusters) or item.meta.generation > 1 or item.deleting)
