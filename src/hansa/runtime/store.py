"""What an informer knows: items by key, with indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hansa.api.item import Item
from hansa.api.meta import Key

IndexFunction = Callable[[Item], Iterable[str]]


class Store:
    """Items of one resource. Readers get immutable items, so nothing they do changes what others see."""

    def __init__(self) -> None:
        self._items: dict[Key, Item] = {}
        self._functions: dict[str, IndexFunction] = {}
        self._indexes: dict[str, dict[str, dict[Key, None]]] = {}
        self.add_index("namespace", lambda item: (item.meta.namespace,))

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(list(self._items.values()))

    def get(self, key: Key) -> Item | None:
        return self._items.get(key)

    def list(self, namespace: str | None = None) -> list[Item]:
        if namespace is None:
            return list(self._items.values())
        return self.by("namespace", namespace)

    def keys(self) -> list[Key]:
        return list(self._items)

    def by(self, index: str, value: str) -> list[Item]:
        """Items for which the index function gave `value`. Raises KeyError for an index that was never added."""
        keys = self._indexes[index].get(value)
        return [self._items[key] for key in keys] if keys else []

    def values(self, index: str) -> list[str]:
        """All values that an index holds."""
        return list(self._indexes[index])

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Index present and future items. Adding a name again with the same function changes nothing."""
        if self._functions.get(name) is function:
            return
        self._functions[name] = function
        self._indexes[name] = {}
        for key, item in self._items.items():
            self._insert(name, function, key, item)

    def put(self, item: Item) -> Item | None:
        """Store an item and return the one it replaces."""
        key = item.key
        old = self._items.get(key)
        if old is not None:
            self._forget(key, old)
        self._items[key] = item
        for name, function in self._functions.items():
            self._insert(name, function, key, item)
        return old

    def remove(self, key: Key) -> Item | None:
        """Forget an item and return it."""
        old = self._items.pop(key, None)
        if old is not None:
            self._forget(key, old)
        return old

    def _insert(self, name: str, function: IndexFunction, key: Key, item: Item) -> None:
        index = self._indexes[name]
        for value in function(item):
            index.setdefault(value, {})[key] = None

    def _forget(self, key: Key, old: Item) -> None:
        for name, function in self._functions.items():
            index = self._indexes[name]
            for value in function(old):
                keys = index.get(value)
                if keys is not None:
                    keys.pop(key, None)
                    if not keys:
                        del index[value]
