"""Join a cluster in push mode: accounts in the member, credentials and Cluster objects on the hub.

The objects are those of `karmadactl join` (identity check by the UID of kube-system, ServiceAccounts
`karmada-<name>` and `karmada-impersonator`, Secrets in the cluster namespace), and beside them a KubeFedCluster
with its token Secret, so that a member joined once serves both dialects. A second join is refused.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Resource
from hansa.base.names import dns1123_label
from hansa.kube.client import Client, PatchKind
from hansa.kube.errors import AlreadyExists, ConfigError, NotFound

TOKEN_WAIT_SECONDS = 30.0
SYSTEM_LABELS = {names.SYSTEM_LABEL: "true"}


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Who joins, and how the control plane will reach it. `api_endpoint` is the URL of the member's API server."""

    name: str
    api_endpoint: str
    namespace: str = names.CLUSTER_NAMESPACE
    provider: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    insecure_skip_tls_verification: bool = False
    proxy_url: str = ""
    ca_data: bytes = b""
    """PEM of the member's authority when its ServiceAccount Secrets do not carry it."""


async def join(hub: Client, member: Client, request: JoinRequest, say: Callable[[str], None]) -> None:
    """Join `member` as `request.name`. Raises ConfigError when the name or the cluster is registered already."""
    cluster_id = await check(hub, member, request)
    say(f"preparing accounts in {request.name}")
    credentials = await _prepare_member(member, request)
    say(f"registering {request.name} on the hub")
    await _register(hub, request, cluster_id, credentials)
    say(f"cluster({request.name}) is joined successfully")


async def check(hub: Client, member: Client, request: JoinRequest) -> str:
    """Whether the join may begin; the cluster's id. Raises ConfigError when it may not. Writes nothing."""
    check_name(request.name)
    cluster_id = await cluster_id_of(member)
    await _refuse_second_join(hub, request.name, cluster_id)
    return cluster_id


def check_name(name: str) -> None:
    """Cluster names are DNS labels of at most 48 characters (validation of Cluster). Raises ConfigError."""
    faults = dns1123_label(name)
    if len(name) > names.CLUSTER_NAME_MAX_LENGTH:
        faults = [f"must be no more than {names.CLUSTER_NAME_MAX_LENGTH} characters", *faults]
    if faults:
        raise ConfigError(f"invalid cluster name {name!r}: {'; '.join(faults)}")


async def cluster_id_of(member: Client) -> str:
    """The UID of the member's kube-system namespace, which names a cluster for life."""
    return (await member.get(scheme.NAMESPACES, names.KUBE_SYSTEM)).meta.uid


@dataclass(frozen=True, slots=True)
class _Credentials:
    token: str
    ca: str
    impersonator_token: str


async def _refuse_second_join(hub: Client, name: str, cluster_id: str) -> None:
    try:
        clusters = (await hub.list(scheme.CLUSTERS)).items
    except NotFound as error:
        raise ConfigError(f"{hub.server} does not serve Clusters: run `hansa init` on it first") from error
    for item in clusters:
        if item.meta.name == name or (item.as_(Cluster).spec.id or None) == cluster_id:
            raise ConfigError(
                f"the cluster ID {cluster_id} or the cluster name {name} has been registered"
                f" (as Cluster {item.meta.name}): unjoin it first, or give another cluster"
            )


async def _prepare_member(member: Client, request: JoinRequest) -> _Credentials:
    namespace = request.namespace
    account, impersonator = f"karmada-{request.name}", "karmada-impersonator"
    role = f"karmada-controller-manager:{account}"
    await ensure(member, scheme.NAMESPACES, _object("v1", "Namespace", namespace))
    for name in (account, impersonator):
        await ensure(member, scheme.SERVICE_ACCOUNTS, _object("v1", "ServiceAccount", name, namespace))
        await ensure(member, scheme.SECRETS, _token_secret(name, namespace))
    await ensure(
        member,
        scheme.CLUSTER_ROLES,
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", role)
        | {
            "rules": [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["get"]},
            ]
        },
    )
    await ensure(
        member,
        scheme.CLUSTER_ROLE_BINDINGS,
        _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", role)
        | {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    )
    data = await _filled_token(member, account, namespace)
    impersonator_data = await _filled_token(member, impersonator, namespace)
    ca = data.get("ca.crt") or base64.b64encode(request.ca_data).decode()
    return _Credentials(data["token"], ca, impersonator_data["token"])


async def _filled_token(member: Client, name: str, namespace: str) -> dict[str, str]:
    """Data of the Secret `name` (base64) once the member's token controller has filled it."""
    attempts = int(TOKEN_WAIT_SECONDS / 0.25)
    for _ in range(attempts):
        data = (await member.get(scheme.SECRETS, name, namespace)).json().get("data") or {}
        if data.get("token"):
            return data
        await asyncio.sleep(0.25)
    raise ConfigError(
        f"{member.server} did not fill the token of Secret {namespace}/{name} within {TOKEN_WAIT_SECONDS:g} s:"
        " is its kube-controller-manager running?"
    )


async def _register(hub: Client, request: JoinRequest, cluster_id: str, credentials: _Credentials) -> None:
    await ensure(hub, scheme.NAMESPACES, _object("v1", "Namespace", request.namespace))
    secrets = [
        _opaque(request.name, request.namespace, {"token": credentials.token, "caBundle": credentials.ca}),
        _opaque(f"{request.name}-impersonator", request.namespace, {"token": credentials.impersonator_token}),
    ]
    for secret in secrets:
        await ensure(hub, scheme.SECRETS, secret)
    cluster = await hub.create(scheme.CLUSTERS, _cluster(request, cluster_id))
    await _own(hub, secrets, cluster)
    await _register_kubefed(hub, request, credentials, cluster)


async def _register_kubefed(hub: Client, request: JoinRequest, credentials: _Credentials, cluster: Item) -> None:
    namespace = names.KUBEFED_NAMESPACE
    await ensure(hub, scheme.NAMESPACES, _object("v1", "Namespace", namespace, labels={}))
    secret = _opaque(request.name, namespace, {"token": credentials.token}, labels={})
    await ensure(hub, scheme.SECRETS, secret)
    await _own(hub, [secret], cluster)
    spec: Json = {"apiEndpoint": request.api_endpoint, "secretRef": {"name": request.name}}
    if credentials.ca:
        spec["caBundle"] = credentials.ca
    if request.insecure_skip_tls_verification:
        spec["disabledTLSValidations"] = ["*"]
    if request.proxy_url:
        spec["proxyURL"] = request.proxy_url
    kubefed_cluster = _object(
        scheme.KUBEFED_CLUSTERS.api_version, "KubeFedCluster", request.name, namespace, labels=request.labels
    )
    kubefed_cluster["metadata"]["ownerReferences"] = [cluster.as_owner()]
    await ensure(hub, scheme.KUBEFED_CLUSTERS, kubefed_cluster | {"spec": spec})


def _cluster(request: JoinRequest, cluster_id: str) -> Json:
    def reference(name: str) -> Json:
        return {"namespace": request.namespace, "name": name}

    spec: Json = {
        "id": cluster_id,
        "syncMode": "Push",
        "apiEndpoint": request.api_endpoint,
        "secretRef": reference(request.name),
        "impersonatorSecretRef": reference(f"{request.name}-impersonator"),
        "provider": request.provider,
        "region": request.region,
        "zones": list(request.zones),
        "insecureSkipTLSVerification": request.insecure_skip_tls_verification,
        "proxyURL": request.proxy_url,
    }
    obj = _object(scheme.CLUSTERS.api_version, "Cluster", request.name, labels=request.labels)
    return obj | {"spec": {name: value for name, value in spec.items() if value}}


async def _own(hub: Client, secrets: list[Json], cluster: Item) -> None:
    """Secrets go when their Cluster goes, by garbage collection. What an earlier Cluster of that name has left until
    then is taken over, with the credentials of this one."""
    owned: Json = {"ownerReferences": [cluster.as_owner()]}
    for secret in secrets:
        meta = secret["metadata"]
        patch: Json = {"metadata": owned, "data": secret["data"]}
        try:
            await hub.patch(scheme.SECRETS, meta["name"], meta["namespace"], patch, kind=PatchKind.MERGE)
        except NotFound:  # the collector was faster
            await hub.create(scheme.SECRETS, {**secret, "metadata": {**meta, **owned}})


async def ensure(client: Client, resource: Resource, obj: Json) -> Item:
    """Create, or take what exists as it is."""
    meta: dict[str, Any] = obj["metadata"]
    try:
        return await client.create(resource, obj, meta.get("namespace"))
    except AlreadyExists:
        return await client.get(resource, meta["name"], meta.get("namespace"))


def _object(
    api_version: str, kind: str, name: str, namespace: str = "", *, labels: dict[str, str] | None = None
) -> Json:
    meta: Json = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    if wanted := SYSTEM_LABELS if labels is None else labels:
        meta["labels"] = dict(wanted)
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _token_secret(account: str, namespace: str) -> Json:
    secret = _object("v1", "Secret", account, namespace)
    secret["metadata"]["annotations"] = {names.SERVICE_ACCOUNT_ANNOTATION: account}
    return secret | {"type": names.SERVICE_ACCOUNT_TOKEN}


def _opaque(name: str, namespace: str, data: dict[str, str], *, labels: dict[str, str] | None = None) -> Json:
    return _object("v1", "Secret", name, namespace, labels=labels) | {"type": "Opaque", "data": data}
