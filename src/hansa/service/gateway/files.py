"""The files that Envoy reads, written so that it never sees one half done or one that names what is not there yet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from hansa.api.meta import Json
from hansa.runtime.private_file import replace
from hansa.service.gateway import tls
from hansa.service.gateway.bootstrap import bootstrap
from hansa.service.gateway.clusters import assignments, clusters
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.listeners import listeners
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Site

Documents = Mapping[Path, bytes]


def documents(site: Site, former: Site, layout: Layout, settings: Settings, authorities: bytes) -> dict[Path, bytes]:
    """In the order in which they are to be written: what is named before who names it.

    Clusters of `former` are still there: a listener may go on naming one for a moment. When they are taken out
    afterwards, the connections that they have go on.
    """
    found: dict[Path, bytes] = {}
    all_clusters: dict[str, Json] = {}
    for one in (former, site):
        for name, assignment in assignments(one).items():
            found[layout.endpoints_of(name)] = _discovery([assignment])
        all_clusters |= {cluster["name"]: cluster for cluster in clusters(one, layout, settings)}
    found[layout.secret(tls.AUTHORITIES)] = _discovery([tls.authorities(authorities)])
    found[layout.secret(tls.MEMBERS)] = _discovery([tls.members(authorities, site.members)])
    found[layout.clusters] = _discovery([all_clusters[name] for name in sorted(all_clusters)])
    found[layout.listeners] = _discovery(listeners(site, layout, settings))
    return found


def start_documents(layout: Layout, settings: Settings) -> dict[Path, bytes]:
    """What Envoy starts with."""
    return {layout.bootstrap: msgspec.json.encode(bootstrap(layout, settings))}


def identity_document(layout: Layout, certificate: bytes, key: bytes) -> dict[Path, bytes]:
    return {layout.secret(tls.IDENTITY): _discovery([tls.identity(certificate, key)])}


def write(found: Documents) -> int:
    """Write what differs from what is there; how many files that was."""
    changed = [(path, content) for path, content in found.items() if _content(path) != content]
    for path, content in changed:
        replace(path, content)
    return len(changed)


def sweep(layout: Layout, found: Documents) -> None:
    """Remove endpoints of clusters that are no more."""
    for path in layout.endpoints.glob("*.json"):
        if path not in found:
            path.unlink()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _discovery(resources: Sequence[Json]) -> bytes:
    body = msgspec.json.encode(resources)
    version = hashlib.sha256(body).hexdigest()[:16]
    return b'{"version_info":"%b","resources":%b}' % (version.encode(), body)
