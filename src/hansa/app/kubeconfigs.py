"""The kubeconfig that `hansa up` writes: one context for the hub and one for each member."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from hansa.api.meta import Json
from hansa.base.certificates import KeyPair


@dataclass(frozen=True, slots=True)
class Access:
    """How an administrator reaches one server."""

    name: str
    server: str
    authority: bytes
    admin: KeyPair


def kubeconfig(accesses: Sequence[Access]) -> bytes:
    """The first one's context is current."""
    document: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": access.name,
                "cluster": {"server": access.server, "certificate-authority-data": _base64(access.authority)},
            }
            for access in accesses
        ],
        "users": [
            {
                "name": access.name,
                "user": {
                    "client-certificate-data": _base64(access.admin.certificate),
                    "client-key-data": _base64(access.admin.key),
                },
            }
            for access in accesses
        ],
        "contexts": [
            {"name": access.name, "context": {"cluster": access.name, "user": access.name}} for access in accesses
        ],
        "current-context": accesses[0].name,
    }
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
