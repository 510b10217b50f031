"""Start a server: its parts, what a fresh cluster has, and the loops in the background."""

from __future__ import annotations

import asyncio
import platform
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from hansa.api import builtin, names, scheme
from hansa.api.meta import GVK, Json, Key
from hansa.apiserver.admission import Admission
from hansa.apiserver.aggregation import Aggregation
from hansa.apiserver.allocation import ServiceAllocator
from hansa.apiserver.authn import Authenticator
from hansa.apiserver.builtin import endpoints, plugins
from hansa.apiserver.builtin.default_rbac import default_rbac
from hansa.apiserver.collector import Collector
from hansa.apiserver.context import Context, StoredObjects
from hansa.apiserver.customs import Customs
from hansa.apiserver.expiry import Expiry
from hansa.apiserver.message import Request, Response, UserInfo
from hansa.apiserver.namespaces import Namespaces
from hansa.apiserver.rbac import Authorizer
from hansa.apiserver.resources import Resources
from hansa.apiserver.server import ApiServer
from hansa.apiserver.storage import Event, Storage
from hansa.apiserver.tokens import TokenIssuer
from hansa.base.certificates import KeyPair, make_authority, make_signing_key
from hansa.base.clock import Clock, rfc3339
from hansa.base.names import random_suffix

ADMIN = UserInfo("system:admin", ("system:masters",))
ISSUER = "https://kubernetes.default.svc.cluster.local"
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_RBAC_BUCKETS = frozenset(
    f"{plural}.rbac.authorization.k8s.io" for plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
)
_WEBHOOK_BUCKETS = frozenset(
    f"{plural}.admissionregistration.k8s.io"
    for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
)
_FOLLOWED = _RBAC_BUCKETS | _WEBHOOK_BUCKETS | {"services"}


@dataclass(frozen=True, slots=True)
class Keys:
    """What a server signs with. `authority` is named in kube-root-ca.crt; clients' certificates come from it."""

    authority: KeyPair
    tokens: bytes

    @classmethod
    def fresh(cls, name: str, clock: Clock) -> Keys:
        return cls(make_authority(f"{name}-ca", clock.now()), make_signing_key())


class Embedded:
    """A server that runs. `handle` answers; `context.admission` takes hooks."""

    def __init__(self, server: ApiServer, loops: Sequence[asyncio.Task[None]]) -> None:
        self.server = server
        self.context = server.context
        self.name = server.name
        self._loops = loops

    async def handle(self, request: Request) -> Response:
        return await self.server.handle(request)

    def close_watches(self) -> None:
        """End all watches after what is pending."""
        self.server.close_watches()

    async def stop(self) -> None:
        """End watches and loops, and close the file."""
        self.server.close_watches()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.context.admission.close()
        self.context.storage.close()


async def start_embedded(
    name: str,
    *,
    clock: Clock,
    directory: Path | None = None,
    extra_crds: Sequence[Json] = (),
    keys: Keys | None = None,
    rng: random.Random | None = None,
    service_cidr: str = "10.96.0.0/16",
    admission_plugins: frozenset[str] = plugins.ALL,
    pods_on_loopback: bool = False,
    furnishes_namespaces: bool = True,
) -> Embedded:
    """A server with what a fresh cluster has. With a directory, everything is kept there and found again.

    `admission_plugins`: a hub leaves ServiceAccount out, as templates of pods are not pods. `keys` must be the same for
    the same directory, or tokens and certificates that were handed out become void. `pods_on_loopback`: endpoints may
    have loopback addresses, which a real server refuses. `service_cidr`: of one IP family, or of both with a comma
    between them; the first is what Services have that do not ask.
    """
    service_cidrs = service_cidr.split(",")
    keys = keys or Keys.fresh(name, clock)
    rng = rng or random.Random()
    storage = Storage(directory / "objects.db" if directory else None)
    resources = Resources()
    if pods_on_loopback:
        for resource in (scheme.ENDPOINTS, scheme.ENDPOINT_SLICES):
            resources.change_rules(resource.gvk, endpoints.on_loopback)
    lookup = StoredObjects(storage, resources)
    issuer = TokenIssuer(issuer=ISSUER, private_key_pem=keys.tokens, clock=clock, lookup=lookup)
    context = Context(
        name=name,
        clock=clock,
        storage=storage,
        resources=resources,
        authorizer=Authorizer(),
        admission=Admission(
            lookup,
            suffix=lambda: random_suffix(rng.random),
            plugged_in=admission_plugins,
            equivalents=resources.equivalents,
        ),
        allocator=ServiceAllocator(service_cidrs),
        issuer=issuer,
        ca_certificate=keys.authority.certificate,
        rng=rng,
    )
    _connect(context)
    Customs(context)
    _bootstrap(context, [*default_rbac(), *_fresh(service_cidrs[0]), *extra_crds])
    context.allocator.rebuild(lookup.list("", "Service"))
    server = ApiServer(context, Authenticator(issuer=issuer), version())
    loops = [
        asyncio.create_task(Namespaces(context, furnishes=furnishes_namespaces).run(), name=f"{name} namespaces"),
        asyncio.create_task(Collector(context).run(), name=f"{name} garbage collector"),
        asyncio.create_task(Aggregation(context).run(), name=f"{name} role aggregation"),
        asyncio.create_task(Expiry(context).run(), name=f"{name} expiry of events"),
    ]
    await asyncio.sleep(0)  # the loops take their first look before anybody asks
    return Embedded(server, loops)


def version() -> Json:
    """The document at /version."""
    git = builtin.kubernetes_version()
    major, minor, _ = git.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": f"Python {platform.python_version()}",
        "platform": "hansa/embedded",
    }


def _connect(context: Context) -> None:
    """Keep the authorizer, admission and the allocator in step with the store."""

    def hear(bucket: str, event: Event) -> None:
        if bucket not in _FOLLOWED:
            return
        old = event.old.json() if event.old else None
        new = None if event.deleted else event.new.json()
        if bucket == "services":
            context.allocator.settle(old, new)
        elif bucket in _RBAC_BUCKETS:
            context.authorizer.changed(old, new)
        else:
            context.admission.changed(old, new)

    for bucket in context.storage.buckets():
        for entry in bucket.entries.values():
            hear(bucket.name, Event(entry, None, False))
    context.storage.subscribe(hear)


def _fresh(service_cidr: str) -> list[Json]:
    """What kube-apiserver makes beside RBAC: the Service of the API itself, and two priorities."""
    address = str(next(ip_network(service_cidr).hosts()))
    service: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4" if ip_network(service_cidr).version == 4 else "IPv6"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }
    priorities: list[Json] = [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name, "generation": 1},
            "value": value,
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, value in (("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000))
    ]
    return [service, *priorities]


def _bootstrap(context: Context, objects: Sequence[Json]) -> None:
    """What a fresh cluster has; what is there already stays, but for definitions, which are brought up to date."""
    namespaces: list[Json] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {names.NAMESPACE_NAME_LABEL: name}},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        for name in _NAMESPACES
    ]
    for obj in [*namespaces, *objects]:
        served = context.resources.of_kind(GVK.of(obj["apiVersion"], obj["kind"]))
        if served is None:
            continue
        bucket = context.bucket(served)
        meta = obj["metadata"]
        key = Key(meta.get("namespace", ""), meta["name"])
        old = bucket.entries.get(key)
        if old is not None:
            current = old.json()
            if obj["kind"] == "CustomResourceDefinition" and current["spec"] != _normal(context, obj)["spec"]:
                context.storage.put(bucket, {**current, "spec": obj["spec"]}, old)
            continue
        fresh = _normal(context, obj)
        fresh["metadata"] |= {
            "uid": str(uuid.UUID(int=context.rng.getrandbits(128), version=4)),
            "creationTimestamp": rfc3339(context.clock.now()),
        }
        if obj["kind"] == "CustomResourceDefinition":
            fresh["metadata"]["generation"] = 1
        context.storage.put(bucket, fresh, None)


def _normal(context: Context, obj: Json) -> Json:
    served = context.resources.of_kind(GVK.of(obj["apiVersion"], obj["kind"]))
    copied = {**obj, "metadata": dict(obj["metadata"])}
    if served is not None:
        served.rules.default(copied)
    return copied
