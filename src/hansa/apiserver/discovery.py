"""Discovery: /version, /api, /apis and what is beneath, in the aggregated form and in the old one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

import msgspec

from hansa.api.meta import Json
from hansa.apiserver import faults
from hansa.apiserver.body import JSON, Form, negotiate
from hansa.apiserver.message import Response
from hansa.apiserver.resources import Resources, Served

_encode = msgspec.json.Encoder().encode
_AGGREGATED = "APIGroupDiscoveryList"
_PATHS = (
    "/.well-known/openid-configuration",
    "/api",
    "/api/v1",
    "/apis",
    "/healthz",
    "/livez",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
    "/version",
)


class Discovery:
    """Documents are made when first asked for and kept until the table of resources changes."""

    def __init__(self, resources: Resources, version: Json) -> None:
        self._resources = resources
        self._version = version
        self._kept: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._generation = -1

    def answer(self, path: str, accept: str, if_none_match: str) -> Response | None:
        """The document at `path`, None when discovery has nothing there. Raises NotAcceptable."""
        if path not in ("/", "/version", "/api", "/apis") and not path.startswith(("/api/", "/apis/")):
            return None
        form = negotiate(accept, (_AGGREGATED,))
        shape = form.shape if path in ("/api", "/apis") and form.version in ("v2", "v2beta1") else ""
        if self._generation != self._resources.generation:
            self._kept.clear()
            self._generation = self._resources.generation
        key = (path, f"{shape}{form.version}")
        kept = self._kept.get(key)
        if kept is None:
            document = self._document(path, shape, form)
            if document is None:
                raise faults.no_such_resource()
            content = _encode(document) + b"\n"
            etag = '"' + hashlib.sha256(content).hexdigest().upper()[:128] + '"'
            kept = self._kept[key] = (content, etag)
        content, etag = kept
        media = f"{JSON};g=apidiscovery.k8s.io;v={form.version};as={_AGGREGATED}" if shape else JSON
        headers = {"content-type": media, "etag": etag, "vary": "Accept", "cache-control": "public"}
        if if_none_match == etag:
            return Response(304, b"", headers)
        return Response(200, content, headers)

    def _document(self, path: str, shape: str, form: Form) -> Json | None:
        if path == "/version":
            return self._version
        if path == "/":
            return {"paths": sorted({*_PATHS, *(f"/apis/{g}/{v}" for g, vs in self._groups() for v in vs)})}
        if shape:
            core = path == "/api"
            items = [self._aggregated(g, vs) for g, vs in self._resources.groups().items() if (g == "") is core]
            api_version = f"apidiscovery.k8s.io/{form.version}"
            return {"kind": _AGGREGATED, "apiVersion": api_version, "metadata": {}, "items": items}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if path == "/apis":
            groups = [_group(group, versions) for group, versions in self._groups()]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            return self._resource_list("", parts[1])
        if len(parts) == 3:
            return self._resource_list(parts[1], parts[2])
        versions = self._resources.groups().get(parts[1])
        if len(parts) == 2 and versions:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], versions)}
        return None

    def _groups(self) -> Iterable[tuple[str, list[str]]]:
        return [(group, versions) for group, versions in self._resources.groups().items() if group]

    def _of(self, group: str, version: str) -> list[Served]:
        return [s for s in self._resources.all() if (s.resource.group, s.resource.version) == (group, version)]

    def _aggregated(self, group: str, versions: list[str]) -> Json:
        return {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated_resource(served) for served in self._of(group, version)],
                    "freshness": "Current",
                }
                for version in versions
            ],
        }

    def _resource_list(self, group: str, version: str) -> Json | None:
        served = self._of(group, version)
        if not served:
            return None
        entries: list[Json] = []
        for one in served:
            entries.append(_legacy_resource(one))
            for sub in one.subresources.values():
                entry: Json = {
                    "name": f"{one.resource.plural}/{sub.name}",
                    "singularName": "",
                    "namespaced": one.resource.namespaced,
                    "kind": sub.gvk.kind,
                    "verbs": list(sub.verbs),
                }
                if (sub.gvk.group, sub.gvk.version) != (group, version):
                    entry |= {"group": sub.gvk.group, "version": sub.gvk.version}
                entries.append(entry)
        group_version = f"{group}/{version}" if group else version
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version,
            "resources": sorted(entries, key=lambda entry: entry["name"]),
        }


def _group(group: str, versions: list[str]) -> Json:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _kind(served: Served) -> Json:
    return {"group": served.gvk.group, "version": served.gvk.version, "kind": served.gvk.kind}


def _aggregated_resource(served: Served) -> Json:
    entry: Json = {
        "resource": served.resource.plural,
        "responseKind": _kind(served),
        "scope": "Namespaced" if served.resource.namespaced else "Cluster",
        "singularResource": served.singular,
        "verbs": list(served.verbs),
    }
    if served.short_names:
        entry["shortNames"] = list(served.short_names)
    if served.categories:
        entry["categories"] = list(served.categories)
    if served.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.gvk.group, "version": sub.gvk.version, "kind": sub.gvk.kind},
                "verbs": list(sub.verbs),
            }
            for sub in served.subresources.values()
        ]
    return entry


def _legacy_resource(served: Served) -> Json:
    entry: Json = {
        "name": served.resource.plural,
        "singularName": served.singular,
        "namespaced": served.resource.namespaced,
        "kind": served.gvk.kind,
        "verbs": list(served.verbs),
    }
    if served.short_names:
        entry["shortNames"] = list(served.short_names)
    if served.categories:
        entry["categories"] = list(served.categories)
    digest = hashlib.sha256(f"{served.storage.group}/{served.storage.version}/{served.storage.kind}".encode()).digest()
    entry["storageVersionHash"] = _base64(digest[:8])
    return entry


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
