"""A member's own identity on the hub: user `hansa:cluster:<name>` of group `hansa:clusters`.

What that group may do is little: ask for certificates of gateways, and read whom gateways believe. The user is
impersonated by a ServiceAccount of the hub that may do nothing else; its token works on every hub, can be taken back by
removing the account, and goes with the Cluster.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.install.join import TOKEN_WAIT_SECONDS, ensure
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError, NotFound

_RBAC = "rbac.authorization.k8s.io"
ROLE = names.MEMBERS_GROUP


def permissions() -> list[Json]:
    """What every member may do on the hub."""
    group = {"kind": "Group", "apiGroup": _RBAC, "name": names.MEMBERS_GROUP}
    requests = {
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests"],
        # names are given by the hub and end in a random word, and nobody may list them
        "verbs": ["create", "get"],
    }
    authorities = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [names.GATEWAY_AUTHORITIES],
        "verbs": ["get"],
    }
    return [
        _object("ClusterRole", ROLE) | {"rules": [requests]},
        _object("ClusterRoleBinding", ROLE) | _bound("ClusterRole", ROLE, group),
        _object("Role", ROLE, names.HANSA_NAMESPACE) | {"rules": [authorities]},
        _object("RoleBinding", ROLE, names.HANSA_NAMESPACE) | _bound("Role", ROLE, group),
    ]


def access(cluster: Item) -> list[Json]:
    """The ServiceAccount of one member, its token, and the right to act as the member's user."""
    name = cluster.meta.name
    account = account_name(name)
    user = f"{names.MEMBER_USER_PREFIX}{name}"
    rules = [
        {"apiGroups": [""], "resources": ["users"], "resourceNames": [user], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["groups"], "resourceNames": [names.MEMBERS_GROUP], "verbs": ["impersonate"]},
    ]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": names.HANSA_NAMESPACE}
    token = _object("Secret", account, names.HANSA_NAMESPACE, api="v1")
    token["metadata"]["annotations"] = {names.SERVICE_ACCOUNT_ANNOTATION: account}
    found: list[Json] = [
        _object("ServiceAccount", account, names.HANSA_NAMESPACE, api="v1") | {"automountServiceAccountToken": False},
        token | {"type": names.SERVICE_ACCOUNT_TOKEN},
        _object("ClusterRole", user) | {"rules": rules},
        _object("ClusterRoleBinding", user) | _bound("ClusterRole", user, subject),
    ]
    for obj in found:
        obj["metadata"]["ownerReferences"] = [cluster.as_owner()]
    return found


def account_name(cluster: str) -> str:
    return f"cluster-{cluster}"


@dataclass(frozen=True, slots=True)
class HubAccess:
    """How a member reaches the hub. `authority` (PEM) vouches for the hub's certificate."""

    cluster: str
    server: str
    authority: bytes
    token: str

    def kubeconfig(self) -> Json:
        """A kubeconfig with one context, which acts as the member."""
        user = {
            "token": self.token,
            "as": f"{names.MEMBER_USER_PREFIX}{self.cluster}",
            "as-groups": [names.MEMBERS_GROUP],
        }
        data = base64.b64encode(self.authority).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "hub", "cluster": {"server": self.server, "certificate-authority-data": data}}],
            "users": [{"name": self.cluster, "user": user}],
            "contexts": [{"name": "hub", "context": {"cluster": "hub", "user": self.cluster}}],
            "current-context": "hub",
        }

    def __repr__(self) -> str:
        return f"HubAccess({self.cluster} at {self.server})"


async def enrol(hub: Client, name: str, *, server: str, authority: bytes) -> HubAccess:
    """Give the cluster `name` its identity, or what it has already. `authority` (PEM) vouches for `server`; empty: the
    hub's own. Raises ConfigError for a cluster that is not joined."""
    try:
        cluster = await hub.get(scheme.CLUSTERS, name)
    except NotFound as error:
        raise ConfigError(f"there is no Cluster {name} on {hub.server}: `hansa join` it first") from error
    for obj in access(cluster):
        await ensure(hub, await hub.discovery.resource_for(Item.of(obj).gvk), obj)
    for _ in range(int(TOKEN_WAIT_SECONDS / 0.25)):
        secret = await hub.get(scheme.SECRETS, account_name(name), names.HANSA_NAMESPACE)
        data: Json = secret.json().get("data") or {}
        if data.get("token"):
            believed = authority or base64.b64decode(data.get("ca.crt", ""))
            return HubAccess(name, server, believed, base64.b64decode(data["token"]).decode())
        await asyncio.sleep(0.25)
    raise ConfigError(
        f"{hub.server} did not fill the token of Secret {names.HANSA_NAMESPACE}/{account_name(name)} within"
        f" {TOKEN_WAIT_SECONDS:g} s: is its kube-controller-manager running?"
    )


def _object(kind: str, name: str, namespace: str = "", *, api: str = f"{_RBAC}/v1") -> Json:
    meta: Json = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": meta}


def _bound(kind: str, role: str, subject: Json) -> Json:
    return {"roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role}, "subjects": [subject]}
