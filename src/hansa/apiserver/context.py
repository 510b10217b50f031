"""What the parts of a server share, and one request on its way through them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hansa.api.meta import GVK, Json, Key
from hansa.apiserver.admission import Admission
from hansa.apiserver.allocation import ServiceAllocator
from hansa.apiserver.builtin import KindRules
from hansa.apiserver.message import Request, UserInfo
from hansa.apiserver.rbac import Authorizer
from hansa.apiserver.resources import Resources, Served
from hansa.apiserver.storage import Bucket, Entry, Storage
from hansa.apiserver.target import Target
from hansa.apiserver.tokens import TokenIssuer
from hansa.base.clock import Clock


def finished(obj: Json) -> bool:
    """Whether nothing holds a marked object any more."""
    meta = obj["metadata"]
    spec = obj.get("spec") or {}
    holds_namespace = obj.get("kind") == "Namespace" and bool(spec.get("finalizers"))
    return not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds") and not holds_namespace


@dataclass
class Context:
    """One server's parts. Made by `embedded.py`."""

    name: str
    clock: Clock
    storage: Storage
    resources: Resources
    authorizer: Authorizer
    admission: Admission
    allocator: ServiceAllocator
    issuer: TokenIssuer
    ca_certificate: bytes
    rng: random.Random = field(default_factory=random.Random)

    def bucket(self, served: Served) -> Bucket:
        return self.storage.bucket(served.bucket)

    def store(self, bucket: Bucket, obj: Json, entry: Entry) -> Entry | None:
        """Store a changed object, or let it go when it is marked and nothing holds it any more (then None)."""
        if not (obj["metadata"].get("deletionTimestamp") and finished(obj)):
            return self.storage.put(bucket, obj, entry)
        self.storage.delete(bucket, entry)
        return None

    def drop_finalizer(self, bucket: Bucket, obj: Json, entry: Entry, name: str) -> None:
        finalizers = [finalizer for finalizer in obj["metadata"]["finalizers"] if finalizer != name]
        if finalizers:
            obj["metadata"]["finalizers"] = finalizers
        else:
            del obj["metadata"]["finalizers"]
        self.store(bucket, obj, entry)

    def entry(self, served: Served, namespace: str, name: str) -> Entry | None:
        return self.bucket(served).entries.get(Key(namespace if served.resource.namespaced else "", name))


@dataclass
class Call:
    """One authorized request about a resource."""

    request: Request
    target: Target
    served: Served
    user: UserInfo
    warnings: list[str] = field(default_factory=list)

    @property
    def rules(self) -> KindRules:
        return self.served.rules

    @property
    def gvk(self) -> GVK:
        return self.served.gvk

    @property
    def manager(self) -> str:
        """Whom managedFields name: the fieldManager parameter, or the program of the User-Agent."""
        given = self.target.query.get("fieldManager")
        if given:
            return given
        agent = self.request.headers.get("user-agent", "")
        return agent.split("/")[0].split(" ")[0] or "unknown"

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


class StoredObjects:
    """The store as rules see it (`builtin.lookup.Lookup`): objects in their storage version, not to be changed."""

    def __init__(self, storage: Storage, resources: Resources) -> None:
        self._storage = storage
        self._resources = resources

    def get(self, group: str, kind: str, namespace: str, name: str) -> Json | None:
        served = self._resources.of_group_kind(group, kind)
        if served is None:
            return None
        entry = self._storage.bucket(served.bucket).entries.get(Key(namespace, name))
        return entry.json() if entry else None

    def list(self, group: str, kind: str, namespace: str = "") -> list[Json]:
        served = self._resources.of_group_kind(group, kind)
        if served is None:
            return []
        bucket = self._storage.bucket(served.bucket)
        entries = bucket.of_namespace(namespace) if namespace else bucket.entries.values()
        return [entry.json() for entry in entries]
