"""Make members of Clusters: whoever has an endpoint and credentials gets a handle in the fleet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.core import Secret
from hansa.api.meta import Key
from hansa.control.context import Context
from hansa.kube.errors import ConfigError
from hansa.runtime.cache import Cache
from hansa.runtime.controller import Requeue, Terminal
from hansa.runtime.fleet import Member

CLIENT_FAILED = "StatusCollectionFailed"


@dataclass(frozen=True, slots=True)
class MemberKeeper:
    """`fingerprints` are of what each handle was made from; `faults` say why a cluster has none."""

    context: Context
    fingerprints: dict[str, str] = field(default_factory=dict[str, str])
    faults: dict[str, str] = field(default_factory=dict[str, str])

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.context.cache.informer(scheme.CLUSTERS).store.get(key)
        if item is None:
            self._forget(key.name)
            return None
        cluster = item.as_(Cluster)
        if cluster.spec.sync_mode != "Push" or cluster.spec.secret_ref is None:
            self._forget(key.name)
            return None
        reference = cluster.spec.secret_ref
        secret = self.context.cache.informer(scheme.SECRETS).store.get(Key(reference.namespace, reference.name))
        if secret is None:
            # without credentials nothing new can be done; what we have keeps working until the cluster goes
            self.faults[key.name] = f"secret {reference.namespace}/{reference.name} is missing"
            return None
        data = decoded(secret.as_(Secret).data or {})
        fingerprint = _fingerprint(cluster, data)
        if self.fingerprints.get(key.name) == fingerprint and self.context.fleet.get(key.name) is not None:
            return None
        try:
            client = self.context.connect(cluster, data)
        except ConfigError as error:
            self.faults[key.name] = str(error)
            raise Terminal(f"cluster {key.name}: {error}") from error
        self.faults.pop(key.name, None)
        self.fingerprints[key.name] = fingerprint
        self.context.fleet.replace(Member(key.name, client, Cache(client), ready=cluster.ready))
        return None

    def _forget(self, name: str) -> None:
        self.fingerprints.pop(name, None)
        self.faults.pop(name, None)
        if self.context.fleet.get(name) is not None:
            self.context.fleet.remove(name)


def decoded(data: Mapping[str, str]) -> dict[str, bytes]:
    """A Secret's data."""
    return {name: base64.b64decode(value) for name, value in data.items()}


def _fingerprint(cluster: Cluster, data: Mapping[str, bytes]) -> str:
    """Of everything that a client is made from; a hash, so that no credential lies about."""
    spec = cluster.spec
    parts = [
        spec.api_endpoint,
        spec.insecure_skip_tls_verification,
        spec.proxy_url,
        spec.proxy_header,
        sorted((name, value.hex()) for name, value in data.items()),
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
