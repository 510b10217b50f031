"""Mutual TLS as Envoy is told of it: 1.3 only, certificates on both sides, names pinned, no resumption.

A session that is resumed shows no certificate: a cluster that has left could go on. Secrets come from files, so that
certificates, authorities and members change without touching a listener.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from hansa.api.meta import Json
from hansa.api.routing import gateway_identity
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.site import Inbound

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
IDENTITY, AUTHORITIES, MEMBERS = "identity", "authorities", "members"
_VERSIONS: Json = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


def file_source(path: object) -> Json:
    """Envoy reads the file again when another one is moved into its place."""
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def downstream(layout: Layout, inbound: Inbound) -> Json:
    """For those who come in: members, or only the service's consumers."""
    if inbound.restricted:
        validation = {"combined_validation_context": _pinned(layout, inbound.consumers)}
    else:
        validation = {"validation_context_sds_secret_config": _secret(layout, MEMBERS)}
    context: Json = {
        "@type": f"{_TLS}.DownstreamTlsContext",
        "require_client_certificate": True,
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": _common(layout) | validation,
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def upstream(layout: Layout, server_name: str, cluster: str) -> Json:
    """For the gateways of one other cluster, and of no other."""
    context: Json = {
        "@type": f"{_TLS}.UpstreamTlsContext",
        "sni": server_name,
        "max_session_keys": 0,
        "common_tls_context": _common(layout) | {"combined_validation_context": _pinned(layout, (cluster,))},
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def identity(certificate: bytes, key: bytes) -> Json:
    """The gateway's own certificate; both in one file, because they change together."""
    return {
        "@type": f"{_TLS}.Secret",
        "name": IDENTITY,
        "tls_certificate": {"certificate_chain": _inline(certificate), "private_key": _inline(key)},
    }


def authorities(bundle: bytes) -> Json:
    """Who signs certificates of gateways; several while one follows another."""
    return {"@type": f"{_TLS}.Secret", "name": AUTHORITIES, "validation_context": {"trusted_ca": _inline(bundle)}}


def members(bundle: bytes, clusters: Sequence[str]) -> Json:
    """The clusters that may come in. Envoy takes an empty list for everybody, so nobody is a name that none has."""
    names = [gateway_identity(cluster) for cluster in clusters] or [gateway_identity("")]
    return {
        "@type": f"{_TLS}.Secret",
        "name": MEMBERS,
        "validation_context": {"trusted_ca": _inline(bundle), "match_typed_subject_alt_names": _exactly(names)},
    }


def _pinned(layout: Layout, clusters: Sequence[str]) -> Json:
    names = [gateway_identity(cluster) for cluster in clusters]
    return {
        "default_validation_context": {"match_typed_subject_alt_names": _exactly(names)},
        "validation_context_sds_secret_config": _secret(layout, AUTHORITIES),
    }


def _exactly(uris: Sequence[str]) -> list[Json]:
    return [{"san_type": "URI", "matcher": {"exact": uri}} for uri in uris]


def _common(layout: Layout) -> Json:
    return {"tls_params": _VERSIONS, "tls_certificate_sds_secret_configs": [_secret(layout, IDENTITY)]}


def _secret(layout: Layout, name: str) -> Json:
    return {"name": name, "sds_config": file_source(layout.secret(name))}


def _inline(content: bytes) -> Json:
    return {"inline_bytes": base64.b64encode(content).decode()}
