"""What the dialect's reconcilers share: the hub, its caches, the running types, the members, the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key, Resource
from hansa.base.clock import Clock
from hansa.dialect.kubefed.clusters import MemberCluster, registered
from hansa.dialect.kubefed.compile import binding_resource, name_of_binding
from hansa.dialect.kubefed.placement import ClusterLabels, placed
from hansa.dialect.kubefed.registry import Registry
from hansa.dialect.kubefed.types import FederatedType
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.controller import Retry
from hansa.runtime.informer import Informer
from hansa.runtime.recorder import Recorder

BINDING_INDEX = "kubefed.binding"
"""Index of Works by their binding: `<namespace>/<name>`."""


@dataclass(frozen=True, slots=True)
class Federation:
    hub: Client
    cache: Cache
    registry: Registry
    recorder: Recorder
    clock: Clock

    def informer(self, resource: Resource) -> Informer:
        return self.cache.informer(resource)

    def known(self, resource: Resource) -> Informer:
        """The informer of a resource. Raises Retry while it is not synced: unknown must not read as empty."""
        informer = self.cache.informer(resource)
        if not informer.synced:
            raise Retry(f"{resource.group_resource} are not known yet")
        return informer

    def members(self) -> dict[str, MemberCluster]:
        """Members by name. Raises Retry while they are not known."""
        return registered(self.known(scheme.CLUSTERS).store.list(), self.known(scheme.KUBEFED_CLUSTERS).store.list())

    def placed(self, type_: FederatedType, federated: Json) -> tuple[frozenset[str], bool]:
        """The clusters that an object goes to, and whether its namespace is federated (True where that is no question).

        Raises InvalidPlacement, and Retry while something is not known.
        """
        labels: ClusterLabels = {name: member.labels for name, member in self.members().items()}
        namespace: Item | None = None
        if type_.within_namespace:
            namespace = self.registry.namespace(federated["metadata"]["namespace"])
        clusters = placed(
            federated, namespace.json() if namespace is not None else None, labels, namespaced=type_.within_namespace
        )
        return clusters, namespace is not None or not type_.within_namespace

    def config(self) -> Json:
        """`spec` of the one KubeFedConfig; empty without one."""
        item = self.cache.informer(scheme.KUBEFED_CONFIGS).store.get(Key(names.KUBEFED_NAMESPACE, names.KUBEFED_CONFIG))
        return (item.json().get("spec") or {}) if item is not None else {}

    @property
    def adopts(self) -> bool:
        """Whether objects that members have already are taken over (`syncController.adoptResources`)."""
        return (self.config().get("syncController") or {}).get("adoptResources") != "Disabled"

    @property
    def collects_raw_status(self) -> bool:
        """Whether the feature gate RawResourceStatusCollection is on."""
        return any(
            gate.get("name") == "RawResourceStatusCollection" and gate.get("configuration") == "Enabled"
            for gate in self.config().get("featureGates") or []
        )

    def binding(self, type_: FederatedType, key: Key) -> Item | None:
        """The binding of an object, as the cache knows it. Raises Retry while it knows nothing."""
        store = self.known(binding_resource(type_)).store
        return store.get(Key(key.namespace, name_of_binding(type_, key.name)))

    def works(self, binding: Key) -> list[Item]:
        """Works of a binding, as the cache knows them. Raises Retry while it knows nothing."""
        return self.known(scheme.WORKS).store.by(BINDING_INDEX, str(binding))


def binding_of_work(work: Item) -> tuple[str, ...]:
    """Index function for Works of this dialect: the key of their binding."""
    if work.labels.get(names.DIALECT_LABEL) != names.KUBEFED:
        return ()
    annotations = work.annotations
    if name := annotations.get(names.CLUSTER_BINDING_NAME_ANNOTATION):
        return (name,)
    name = annotations.get(names.BINDING_NAME_ANNOTATION)
    namespace = annotations.get(names.BINDING_NAMESPACE_ANNOTATION)
    return (str(Key(namespace, name)),) if namespace and name else ()
