"""Which resources an API server has: aggregated discovery, or group by group where a server has only that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from hansa.api.meta import GVK, Json, Resource
from hansa.kube.errors import ApiError
from hansa.kube.transport import Answer

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;q=0.9"


class NoMatch(Exception):
    """The server does not serve this kind."""

    def __init__(self, gvk: GVK) -> None:
        super().__init__(f'no matches for kind "{gvk.kind}" in version "{gvk.api_version}"')
        self.gvk = gvk


@dataclass(frozen=True, slots=True)
class ApiResource:
    """One resource as discovery tells it. `preferred` says whether its version is the group's preferred one for it."""

    resource: Resource
    verbs: frozenset[str]
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    preferred: bool = True


class _Read(Protocol):
    async def __call__(
        self, path: str, query: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] | None = None
    ) -> Answer: ...


class Discovery:
    """A cache of discovery; a kind that is not found is looked for once more before it is said not to exist."""

    def __init__(self, read: _Read) -> None:
        self._read = read
        self._by_gvk: dict[GVK, ApiResource] | None = None
        self.complete = False
        """False when a part of the server (an aggregated API) could not tell what it has."""

    async def refresh(self) -> None:
        """Ask anew. Raises ApiError and Unreachable; what was known stays then."""
        found: list[ApiResource] = []
        complete = True
        for path in ("/api", "/apis"):
            answer = await self._read(path, headers={"accept": _AGGREGATED})
            document = msgspec.json.decode(answer.body, type=dict[str, Any])
            if document.get("kind") == "APIGroupDiscoveryList":
                part, whole = _aggregated(document)
            else:
                part, whole = await self._legacy(path, document)
            found += part
            complete = complete and whole
        self._by_gvk = {entry.resource.gvk: entry for entry in found}
        self.complete = complete

    async def resources(self) -> list[ApiResource]:
        """All resources, from the cache when there is one."""
        if self._by_gvk is None:
            await self.refresh()
        return list((self._by_gvk or {}).values())

    async def resource_for(self, gvk: GVK) -> Resource:
        """Raises NoMatch when the server does not serve the kind."""
        found = (self._by_gvk or {}).get(gvk)
        if found is None:
            await self.refresh()
            found = (self._by_gvk or {}).get(gvk)
        if found is None:
            raise NoMatch(gvk)
        return found.resource

    def known(self, gvk: GVK) -> ApiResource | None:
        """What the cache has, without asking."""
        return (self._by_gvk or {}).get(gvk)

    async def _legacy(self, path: str, document: Json) -> tuple[list[ApiResource], bool]:
        group_versions: list[tuple[str, bool]] = []
        if path == "/api":
            group_versions = [(f"/api/{version}", True) for version in document.get("versions") or ()]
        for group in document.get("groups") or ():
            preferred = (group.get("preferredVersion") or {}).get("groupVersion")
            for version in group.get("versions") or ():
                name = version["groupVersion"]
                group_versions.append((f"/apis/{name}", name == preferred))
        found: list[ApiResource] = []
        complete = True
        for group_path, preferred in group_versions:
            try:
                answer = await self._read(group_path)
            except ApiError:
                complete = False
                continue
            found += _legacy_resources(msgspec.json.decode(answer.body, type=dict[str, Any]), preferred)
        return found, complete


def _aggregated(document: Json) -> tuple[list[ApiResource], bool]:
    found: list[ApiResource] = []
    complete = True
    for group in document.get("items") or ():
        name = (group.get("metadata") or {}).get("name", "")
        seen: set[str] = set()
        for version in group.get("versions") or ():
            complete = complete and version.get("freshness", "Current") == "Current"
            for entry in version.get("resources") or ():
                kind = entry.get("responseKind") or {}
                plural = entry["resource"]
                resource = Resource(
                    name, version["version"], plural, kind.get("kind", ""), entry.get("scope") == "Namespaced"
                )
                found.append(
                    ApiResource(
                        resource,
                        frozenset(entry.get("verbs") or ()),
                        entry.get("singularResource", ""),
                        tuple(entry.get("shortNames") or ()),
                        tuple(entry.get("categories") or ()),
                        frozenset(sub["subresource"] for sub in entry.get("subresources") or ()),
                        plural not in seen,
                    )
                )
                seen.add(plural)
    return found, complete


def _legacy_resources(document: Json, preferred: bool) -> list[ApiResource]:
    group, _, version = document["groupVersion"].rpartition("/")
    entries = document.get("resources") or []
    subresources: dict[str, set[str]] = {}
    for entry in entries:
        plural, slash, sub = entry["name"].partition("/")
        if slash:
            subresources.setdefault(plural, set()).add(sub)
    return [
        ApiResource(
            Resource(group, version, entry["name"], entry["kind"], bool(entry.get("namespaced"))),
            frozenset(entry.get("verbs") or ()),
            entry.get("singularName", ""),
            tuple(entry.get("shortNames") or ()),
            tuple(entry.get("categories") or ()),
            frozenset(subresources.get(entry["name"], ())),
            preferred,
        )
        for entry in entries
        if "/" not in entry["name"]
    ]
