"""Which resources an API server has: aggregated discovery, or group by group where a server has only that.

A part of the server that cannot tell (an aggregated API that is down) takes nothing away: what was known of it stays,
and `complete` is False, so that nobody reads silence as absence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from hansa.api.meta import GVK, Json, Resource
from hansa.kube.errors import ApiError, Unreachable
from hansa.kube.transport import Answer

_AGGREGATED = ",".join(
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json;q=0.9",
    )
)

GroupVersion = tuple[str, str]


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
        self._asking = asyncio.Lock()
        self._begun = 0
        self._answered = 0
        self.complete = False
        """False when a part of the server (an aggregated API) could not tell what it has."""

    async def refresh(self) -> None:
        """Ask anew, once for all who wait. Raises ApiError and Unreachable; what was known stays then."""
        before = self._begun
        async with self._asking:
            if self._answered > before:
                return  # the question was put after this call began, and answered
            self._begun += 1
            await self._ask()
            self._answered = self._begun

    async def _ask(self) -> None:
        found: list[ApiResource] = []
        silent: set[GroupVersion] = set()
        for path in ("/api", "/apis"):
            answer = await self._read(path, headers={"accept": _AGGREGATED})
            document = _document(answer)
            if document.get("kind") == "APIGroupDiscoveryList":
                part, missing = _aggregated(document)
            else:
                part, missing = await self._legacy(path, document)
            found += part
            silent |= missing
        by_gvk = {entry.resource.gvk: entry for entry in found}
        for gvk, entry in (self._by_gvk or {}).items():
            if (gvk.group, gvk.version) in silent:
                by_gvk.setdefault(gvk, entry)
        self._by_gvk = by_gvk
        self.complete = not silent

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

    async def _legacy(self, path: str, document: Json) -> tuple[list[ApiResource], set[GroupVersion]]:
        group_versions: list[tuple[str, bool]] = []
        if path == "/api":
            group_versions = [(f"/api/{version}", True) for version in document.get("versions") or ()]
        for group in document.get("groups") or ():
            preferred = (group.get("preferredVersion") or {}).get("groupVersion")
            for version in group.get("versions") or ():
                name = version["groupVersion"]
                group_versions.append((f"/apis/{name}", name == preferred))
        found: list[ApiResource] = []
        silent: set[GroupVersion] = set()
        for group_path, preferred in group_versions:
            try:
                answer = await self._read(group_path)
            except ApiError:
                group, _, version = group_path.removeprefix(path + "/").rpartition("/")
                silent.add((group, version))
                continue
            found += _legacy_resources(_document(answer), preferred)
        return found, silent


def _document(answer: Answer) -> Json:
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unreachable("discovery", f"its answer cannot be read: {error}") from error


def _aggregated(document: Json) -> tuple[list[ApiResource], set[GroupVersion]]:
    found: list[ApiResource] = []
    silent: set[GroupVersion] = set()
    for group in document.get("items") or ():
        name = (group.get("metadata") or {}).get("name", "")
        seen: set[str] = set()
        for version in group.get("versions") or ():
            if version.get("freshness", "Current") != "Current":
                silent.add((name, version["version"]))
            for entry in version.get("resources") or ():
                kind = (entry.get("responseKind") or {}).get("kind", "")
                if not kind:
                    continue  # there for the sake of its subresources
                plural = entry["resource"]
                resource = Resource(name, version["version"], plural, kind, entry.get("scope") == "Namespaced")
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
    return found, silent


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
