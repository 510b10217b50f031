"""The federated types that run: their informers on the hub, and who is told of their objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hansa.api.item import Item
from hansa.api.meta import GVK, Key
from hansa.dialect.kubefed.types import NAMESPACES_TYPE, FederatedType
from hansa.runtime.cache import Cache
from hansa.runtime.controller import Retry
from hansa.runtime.informer import Change, Informer


class FederatedKey(NamedTuple):
    """One federated object: the name of its type, and where it is."""

    type: str
    namespace: str
    name: str

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.type} {self.key}"


Listener = Callable[[FederatedType, Change], None]


class Registry:
    """Types by name. Listeners hear of every object of every type that runs, whenever either came."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._types: dict[str, FederatedType] = {}
        self._informers: dict[str, Informer] = {}
        self._endings: dict[str, Callable[[], None]] = {}
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)
        for type_ in self._types.values():
            for item in self._informers[type_.name].store:
                listener(type_, Change(None, item, initial=True))

    def start(self, type_: FederatedType) -> None:
        """Run a type; one that runs already with the same configuration, and is still served, stays as it is."""
        informer = self._cache.informer(type_.federated)
        if self._types.get(type_.name) == type_ and self._informers.get(type_.name) is informer:
            return
        self.stop(type_.name)
        self._types[type_.name] = type_
        self._informers[type_.name] = informer

        def heard(change: Change) -> None:
            for listener in self._listeners:
                listener(type_, change)

        self._endings[type_.name] = informer.subscribe(heard)

    def stop(self, name: str) -> None:
        """End a type. Its objects, and what became of them, stay as they are."""
        self._types.pop(name, None)
        self._informers.pop(name, None)
        ending = self._endings.pop(name, None)
        if ending is not None:
            ending()

    def get(self, name: str) -> FederatedType | None:
        return self._types.get(name)

    def of_kind(self, gvk: GVK) -> FederatedType | None:
        """The type whose federated kind this is."""
        return next((type_ for type_ in self._types.values() if type_.federated.gvk == gvk), None)

    def running(self) -> list[FederatedType]:
        return list(self._types.values())

    def find(self, key: FederatedKey) -> tuple[FederatedType, Item] | None:
        """The object with its type; None when either is not there."""
        type_ = self._types.get(key.type)
        item = self._informers[key.type].store.get(key.key) if type_ is not None else None
        return (type_, item) if type_ is not None and item is not None else None

    def namespace(self, name: str) -> Item | None:
        """The FederatedNamespace of a namespace, also while it is being deleted.

        Raises Retry while nobody knows: what is not known must not read as absent.
        """
        informer = self._informers.get(NAMESPACES_TYPE)
        if informer is None or not informer.synced:
            raise Retry("FederatedNamespaces are not known yet")
        return informer.store.get(Key(name, name))

    def objects(self, *, namespace: str | None = None) -> list[FederatedKey]:
        """All objects of all types; with a namespace, those in it whose placement its FederatedNamespace bounds."""
        return [
            FederatedKey(type_.name, item.meta.namespace, item.meta.name)
            for type_ in self._types.values()
            if namespace is None or type_.within_namespace
            for item in self._informers[type_.name].store.list(namespace)
        ]
