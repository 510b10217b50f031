"""Distil what the embedded API server must know of built-in kinds from a real kube-apiserver.

Writes `src/hansa/api/builtin.json.gz`: the resources of discovery with the columns of their tables, and the schemas of
OpenAPI v3 (structure, merge keys, list types; no prose). Run after `make kube`:  python tools/distil/openapi.py
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from hansa.rig.binaries import find_binaries
from hansa.rig.cluster import API_ONLY, RealCluster

OUTPUT = Path(__file__).parents[2] / "src" / "hansa" / "api" / "builtin.json.gz"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# what federations have no use for, and what only a real server can do
LEFT_OUT = {
    "admissionregistration.k8s.io": {"v1alpha1", "v1beta1"},
    "apiregistration.k8s.io": {"v1"},
    "flowcontrol.apiserver.k8s.io": {"v1", "v1beta3"},
    "internal.apiserver.k8s.io": {"v1alpha1"},
    "resource.k8s.io": {"v1", "v1beta1", "v1beta2", "v1alpha3"},
    "storagemigration.k8s.io": {"v1alpha1", "v1beta1", "v1"},
    "certificates.k8s.io": {"v1alpha1", "v1beta1"},
}
PROSE = {"description", "example", "externalDocs"}


def resources(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for group in document["items"]:
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            if version["version"] in LEFT_OUT.get(name, ()):
                continue
            found += [resource(name, version["version"], entry) for entry in version["resources"]]
    return found


def resource(group: str, version: str, entry: dict[str, Any]) -> dict[str, Any]:
    kind = entry["responseKind"]
    return {
        "group": group,
        "version": version,
        "plural": entry["resource"],
        "kind": kind["kind"],
        "namespaced": entry["scope"] == "Namespaced",
        "singular": entry.get("singularResource", ""),
        "shortNames": entry.get("shortNames", []),
        "categories": entry.get("categories", []),
        "verbs": entry["verbs"],
        "subresources": [
            {
                "name": sub["subresource"],
                "group": sub["responseKind"].get("group", ""),
                "version": sub["responseKind"].get("version", ""),
                "kind": sub["responseKind"]["kind"],
                "verbs": sub["verbs"],
            }
            for sub in entry.get("subresources", [])
        ],
    }


def column(definition: dict[str, Any]) -> dict[str, Any]:
    return {key: definition[key] for key in ("name", "type", "format", "priority")}


def without_prose(value: Any, *, properties: bool = False) -> Any:
    """`properties` says that the keys of `value` are field names, which may be called description."""
    if isinstance(value, dict):
        return {
            key: without_prose(inner, properties=key == "properties" and not properties)
            for key, inner in value.items()
            if properties or key not in PROSE
        }
    if isinstance(value, list):
        return [without_prose(inner) for inner in value]
    if isinstance(value, str):
        return value.replace("#/components/schemas/", "#/definitions/")
    return value


async def distil(session: aiohttp.ClientSession, server: str, context: ssl.SSLContext) -> dict[str, Any]:
    async def get(path: str, accept: str = "application/json") -> Any:
        async with session.get(server + path, ssl=context, headers={"accept": accept}) as answer:
            answer.raise_for_status()
            return msgspec.json.decode(await answer.read())

    served = resources(await get("/api", AGGREGATED)) + resources(await get("/apis", AGGREGATED))
    wanted = {f"apis/{r['group']}/{r['version']}" if r["group"] else f"api/{r['version']}" for r in served}
    definitions: dict[str, Any] = {}
    for name, entry in (await get("/openapi/v3"))["paths"].items():
        if name in wanted:
            document = await get(entry["serverRelativeURL"])
            definitions |= document["components"]["schemas"]
    for entry in served:
        if "list" in entry["verbs"]:
            prefix = f"/apis/{entry['group']}" if entry["group"] else "/api"
            table = await get(f"{prefix}/{entry['version']}/{entry['plural']}", TABLE)
            entry["columns"] = [column(definition) for definition in table["columnDefinitions"]]
    version = await get("/version")
    return {
        "version": version["gitVersion"],
        "resources": served,
        "definitions": {name: without_prose(definitions[name]) for name in sorted(definitions)},
    }


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        cluster = RealCluster("distill", Path(directory), find_binaries(), role=API_ONLY, durable=False)
        await cluster.start()
        try:
            context = ssl.create_default_context(cafile=str(cluster.pki.certificate("ca")))
            context.load_cert_chain(cluster.pki.certificate("admin"), cluster.pki.key("admin"))
            async with aiohttp.ClientSession() as session:
                data = await distil(session, cluster.server, context)
        finally:
            await cluster.stop()
    OUTPUT.write_bytes(gzip.compress(msgspec.json.encode(data), 9, mtime=0))
    print(f"{OUTPUT.name}: {len(data['resources'])} resources, {len(data['definitions'])} schemas", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
