"""search.karmada.io/v1alpha1: what of the members is cached for search and proxying."""

from __future__ import annotations

from hansa.api.core import LocalSecretReference
from hansa.api.meta import Condition, Object, Wire
from hansa.api.policy import ClusterAffinity


class SearchSelector(Wire, frozen=True, kw_only=True):
    """Objects by kind, of one namespace or all."""

    api_version: str
    kind: str
    namespace: str = ""


class OpenSearchConfig(Wire, frozen=True, kw_only=True):
    """An OpenSearch to write to."""

    addresses: list[str]
    secret_ref: LocalSecretReference | None = None


class BackendStore(Wire, frozen=True, kw_only=True):
    """Where objects are kept besides memory."""

    open_search: OpenSearchConfig | None = None


class ResourceRegistrySpec(Wire, frozen=True, kw_only=True):
    """What is cached, and from which clusters."""

    target_cluster: ClusterAffinity
    resource_selectors: list[SearchSelector]
    backend_store: BackendStore | None = None


class ResourceRegistryStatus(Wire, frozen=True, kw_only=True):
    """How the cache is."""

    conditions: list[Condition] | None = None


class ResourceRegistry(Object, frozen=True, kw_only=True):
    """Resources of members that are cached."""

    spec: ResourceRegistrySpec
    status: ResourceRegistryStatus | None = None
