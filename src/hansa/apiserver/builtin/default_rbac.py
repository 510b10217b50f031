"""The RBAC objects of a fresh cluster, as a kube-apiserver 1.37 creates them (data recorded from one)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hansa.api.meta import Json

_DATA = Path(__file__).with_name("default_rbac.json")


def default_rbac() -> list[Json]:
    """ClusterRoles, Roles and their bindings; private copies. Aggregated roles come without `rules`."""
    return msgspec.json.decode(_DATA.read_bytes(), type=list[Json])
