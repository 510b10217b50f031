"""What of a hub is needed to explain one object, read with the rights of whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import GVK, Resource
from hansa.api.work import ResourceBinding
from hansa.base.names import binding_name
from hansa.control.bindings import binding_of
from hansa.control.indexes import binding_id
from hansa.foresight.state import BINDINGS
from hansa.kube.client import Client
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import ConfigError, Forbidden, NotFound

FEDERATED_GROUP = "types.kubefed.io"


@dataclass
class Reader:
    """None is never absence where a right is missing: `lacking` says so."""

    hub: Client
    lacking: list[str] = field(default_factory=list[str])

    async def get(self, resource: Resource, name: str, namespace: str) -> Item | None:
        try:
            return await self.hub.get(resource, name, namespace or None)
        except NotFound:
            return None
        except Forbidden:
            self._lacks("get", resource, namespace)
            return None

    async def list(self, resource: Resource, namespace: str = "", labels: str = "") -> list[Item]:
        try:
            return (await self.hub.list(resource, namespace or None, labels=labels)).items
        except NotFound:
            return []
        except Forbidden:
            self._lacks("list", resource, namespace)
            return []

    async def resource(self, word: str) -> Resource:
        """What kubectl takes for a kind: plural, singular, kind or short name, and group. Raises ConfigError."""
        wanted = word.lower()
        for entry in await self.hub.discovery.resources():
            resource = entry.resource
            plain = {resource.plural, resource.kind.lower(), entry.singular, *entry.short_names}
            full = {f"{name}.{resource.group}" for name in plain} | {
                f"{name}.{resource.version}.{resource.group}" for name in plain
            }
            if (entry.preferred and wanted in plain) or wanted in full:
                return resource
        raise ConfigError(f'the server doesn\'t have a resource type "{word}"')

    async def of_kind(self, api_version: str, kind: str) -> Resource | None:
        try:
            return await self.hub.discovery.resource_for(GVK.of(api_version, kind))
        except NoMatch:
            return None

    def _lacks(self, verb: str, resource: Resource, namespace: str) -> None:
        where = f" in namespace {namespace}" if namespace else ""
        self.lacking.append(f"{verb} {resource.group_resource}{where}")


@dataclass(frozen=True)
class Facts:
    """`policies` and `overrides` are those that could mean the object; `bindings` are those of its namespace, and for a
    workload all that may be read: they tell what is on its way to clusters."""

    resource: Resource
    template: Item | None
    binding: Item | None
    works: list[Item]
    clusters: list[Item]
    policies: list[Item]
    overrides: list[Item]
    bindings: list[Item]
    lacking: list[str]

    @property
    def federated(self) -> bool:
        return self.resource.group == FEDERATED_GROUP


async def gather(hub: Client, word: str, name: str, namespace: str) -> Facts:
    """For a template, a federated object, a binding, or a Work. Raises ConfigError for what is not there."""
    reader = Reader(hub)
    resource = await reader.resource(word)
    item = await reader.get(resource, name, namespace if resource.namespaced else "")
    if item is None:
        place = f" in namespace {namespace}" if resource.namespaced else ""
        if reader.lacking:
            raise ConfigError(f"you may not {reader.lacking[0]}, so there is nothing to explain")
        raise ConfigError(f'{resource.group_resource} "{name}" not found{place}')
    if resource == scheme.WORKS:
        item, resource = await _binding_of(reader, item)
    binding: Item | None = None
    template: Item | None = item
    if resource in BINDINGS:
        binding = item
        reference = item.as_(ResourceBinding).spec.resource
        found = await reader.of_kind(reference.api_version, reference.kind)
        template = await reader.get(found, reference.name, reference.namespace) if found is not None else None
        resource = found or Resource("", reference.api_version, "", reference.kind, bool(reference.namespace))
    else:
        kind = BINDINGS[0] if resource.namespaced else BINDINGS[1]
        space = namespace if resource.namespaced else ""
        binding = await reader.get(kind, binding_name(name, resource.kind), space)
        if binding is not None and binding.as_(ResourceBinding).spec.resource.kind != resource.kind:
            binding = None
    namespace = item.meta.namespace
    return Facts(
        resource,
        template,
        binding,
        await _works(reader, binding),
        await reader.list(scheme.CLUSTERS),
        [
            *(await reader.list(scheme.PROPAGATION_POLICIES, namespace) if namespace else ()),
            *await reader.list(scheme.CLUSTER_PROPAGATION_POLICIES),
        ],
        [
            *await reader.list(scheme.CLUSTER_OVERRIDE_POLICIES),
            *(await reader.list(scheme.OVERRIDE_POLICIES, namespace) if namespace else ()),
        ],
        await _bindings(reader, binding, namespace),
        reader.lacking,
    )


async def _binding_of(reader: Reader, work: Item) -> tuple[Item, Resource]:
    key = binding_of(work)
    if key is None:
        raise ConfigError(f"Work {work.key} belongs to no binding: Namespaces and services go their own way")
    resource = BINDINGS[0] if key.namespace else BINDINGS[1]
    found = await reader.get(resource, key.name, key.namespace)
    if found is None:
        raise ConfigError(f"{resource.kind} {key} of Work {work.key} cannot be read")
    return found, resource


async def _bindings(reader: Reader, binding: Item | None, namespace: str) -> list[Item]:
    if not namespace:
        return []
    if binding is not None and binding.as_(ResourceBinding).spec.is_workload:
        everywhere = await reader.list(scheme.RESOURCE_BINDINGS)
        if everywhere:
            return everywhere
    return await reader.list(scheme.RESOURCE_BINDINGS, namespace)


async def _works(reader: Reader, binding: Item | None) -> list[Item]:
    if binding is None or not binding_id(binding):
        return []
    label = names.BINDING_ID_LABEL if binding.meta.namespace else names.CLUSTER_BINDING_ID_LABEL
    return await reader.list(scheme.WORKS, labels=f"{label}={binding_id(binding)}")
