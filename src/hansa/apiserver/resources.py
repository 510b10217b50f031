"""Which resources a server has, in which versions: built-in ones and those of CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache

from hansa.api import builtin
from hansa.api.meta import GVK, Json, Resource
from hansa.apiserver.builtin import KindRules, rules_for, storage_gvk, to_storage, to_version

# in the order in which discovery shows them
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
# reviews and the like: they are answered, not stored
VIRTUAL_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


@dataclass(frozen=True, slots=True)
class Subresource:
    name: str
    gvk: GVK
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustomVersion:
    """What a CustomResourceDefinition says of one version."""

    definition: str
    schema: Json
    columns: tuple[Json, ...]
    scale: Json | None
    has_status: bool
    preserves_unknown: bool
    deprecation: str = ""
    """What whoever asks for this version is warned of."""


@dataclass(frozen=True, slots=True)
class Served:
    """One resource in one version."""

    resource: Resource
    bucket: str
    rules: KindRules
    storage: GVK
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = CUSTOM_VERBS
    subresources: dict[str, Subresource] = field(default_factory=dict)
    custom: CustomVersion | None = None

    @property
    def gvk(self) -> GVK:
        return self.resource.gvk

    @property
    def converted(self) -> bool:
        """Whether it is stored as another version or group."""
        return self.storage != self.resource.gvk

    def to_storage(self, obj: Json) -> Json:
        """A served object as it is stored; the same object where the two are one."""
        if not self.converted:
            return obj
        return to_storage(obj) if self.custom is None else {**obj, "apiVersion": self.storage.api_version}

    def to_served(self, obj: Json) -> Json:
        """A stored object in this version; the same object where the two are one."""
        if not self.converted:
            return obj
        return to_version(obj, self.gvk) if self.custom is None else {**obj, "apiVersion": self.gvk.api_version}

    def schema(self) -> Json | None:
        """The structural schema, where one is known."""
        if self.custom is not None:
            return self.custom.schema or None
        return builtin.schema_for(self.gvk)


class Resources:
    """The table of served resources. `generation` changes with it, so that documents made from it can be kept."""

    def __init__(self) -> None:
        self._served: dict[tuple[str, str, str], Served] = {}
        self._kinds: dict[GVK, Served] = {}
        self._group_kinds: dict[tuple[str, str], Served] = {}
        self.generation = 0
        for served in _builtins():
            self._add(served)

    def __iter__(self) -> Iterable[Served]:  # type: ignore[override]
        return iter(self._served.values())

    def all(self) -> list[Served]:
        return list(self._served.values())

    def get(self, group: str, version: str, plural: str) -> Served | None:
        return self._served.get((group, version, plural))

    def of_kind(self, gvk: GVK) -> Served | None:
        return self._kinds.get(gvk)

    def of_group_kind(self, group: str, kind: str) -> Served | None:
        """Any version of a kind."""
        return self._group_kinds.get((group, kind))

    def equivalents(self, resource: Resource) -> list[Resource]:
        """The other versions (or groups) under which the same objects are served."""
        served = self.get(resource.group, resource.version, resource.plural)
        if served is None:
            return []
        return [s.resource for s in self._served.values() if s.bucket == served.bucket and s is not served]

    def stored(self) -> list[Served]:
        """One entry for each bucket."""
        found: dict[str, Served] = {}
        for served in self._served.values():
            if served.resource.group not in VIRTUAL_GROUPS:
                found.setdefault(served.bucket, served)
        return list(found.values())

    def groups(self) -> dict[str, list[str]]:
        """Versions by group, both in the order in which discovery shows them."""
        found: dict[str, dict[str, None]] = {}
        for served in self._served.values():
            found.setdefault(served.resource.group, {})[served.resource.version] = None
        return {
            group: sorted(versions, key=version_priority) if any(s.custom for s in self._of(group)) else list(versions)
            for group, versions in found.items()
        }

    def replace(self, definition: str, versions: Iterable[Served]) -> None:
        """What the CustomResourceDefinition `definition` serves now."""
        kept = [s for s in self._served.values() if s.custom is None or s.custom.definition != definition]
        for table in (self._served, self._kinds, self._group_kinds):
            table.clear()
        for served in (*kept, *versions):
            self._add(served)
        self.generation += 1

    def change_rules(self, gvk: GVK, change: Callable[[KindRules], KindRules]) -> None:
        """Other rules for one kind of this server. Raises KeyError for a kind that is not served."""
        served = self._kinds[gvk]
        changed = replace(served, rules=change(served.rules))
        self._served[(gvk.group, gvk.version, served.resource.plural)] = self._kinds[gvk] = changed
        self._group_kinds[gvk.group, gvk.kind] = changed

    def _of(self, group: str) -> list[Served]:
        return [s for s in self._served.values() if s.resource.group == group]

    def _add(self, served: Served) -> None:
        resource = served.resource
        self._served[(resource.group, resource.version, resource.plural)] = served
        self._kinds.setdefault(resource.gvk, served)
        self._group_kinds.setdefault((resource.group, resource.kind), served)


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Order of versions: v2 before v1 before v1beta2 before v1beta1 before v1alpha1, others by name at the end."""
    stage_order = {"": 0, "beta": 1, "alpha": 2}
    rest = version.removeprefix("v")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    tail = rest[len(digits) :]
    for stage in ("alpha", "beta", ""):
        number = tail.removeprefix(stage)
        if version.startswith("v") and digits and tail.startswith(stage) and (not stage or number.isdigit()):
            if not stage and tail:
                break
            return (stage_order[stage], -int(digits), -int(number or 0), "")
    return (3, 0, 0, version)


@cache
def _builtins() -> tuple[Served, ...]:
    """Shared by all servers of a process."""
    return tuple(_builtin(entry) for entry in builtin.builtin_resources())


def _builtin(entry: builtin.BuiltinResource) -> Served:
    resource = entry.resource
    stored = storage_gvk(resource.gvk)
    plural = resource.plural
    return Served(
        resource,
        f"{plural}.{stored.group}" if stored.group else plural,
        rules_for(resource.gvk),
        stored,
        entry.singular,
        tuple(entry.short_names),
        tuple(entry.categories),
        tuple(entry.verbs),
        {
            sub.name: Subresource(sub.name, _subresource_kind(resource, sub), tuple(sub.verbs))
            for sub in entry.subresources
        },
    )


def _subresource_kind(resource: Resource, sub: builtin.Subresource) -> GVK:
    """Discovery leaves out the group and version of a subresource where they are its resource's own."""
    if sub.version:
        return GVK(sub.group, sub.version, sub.kind)
    return GVK(resource.group, resource.version, sub.kind)
