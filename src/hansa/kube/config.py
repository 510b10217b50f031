"""Which API server to talk to, and as whom: from kubeconfig files, or from inside a pod.

Without an explicit file, `$KUBECONFIG` holds (several files merged, the first to name something wins), then
`~/.kube/config`, then the pod's ServiceAccount. Paths inside a file are relative to its folder.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hansa.api.meta import Json
from hansa.kube import auth
from hansa.kube.auth import Credentials, Identity, Impersonation
from hansa.kube.errors import ConfigError
from hansa.kube.execplugin import API_VERSIONS, ExecCredentials, ExecPlugin
from hansa.kube.kubeconfig import Entry, Kubeconfig, read
from hansa.kube.tls import client_context

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
EXEC_EXTENSION = "client.authentication.k8s.io/exec"
PROXY_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """One API server and who we are to it. `server` may have a path; `ca_data` is PEM, None means the system's CAs."""

    server: str
    ca_data: bytes | None = None
    insecure_skip_tls_verify: bool = False
    tls_server_name: str | None = None
    proxy_url: str | None = None
    proxy_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    credentials: Credentials = field(default_factory=auth.anonymous, repr=False)
    namespace: str = "default"
    impersonate: Impersonation | None = None
    context_name: str = ""


def load(path: Path | None = None, context: str | None = None) -> ClusterConfig:
    """The cluster of `context`, by default the current one. Raises ConfigError, which names file, field and way out."""
    if path is not None:
        return _of_context(read([path]), context)
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        present = [file for file in listed if file.exists()]
        if not present:
            raise ConfigError(f"KUBECONFIG: no such file: {os.pathsep.join(map(str, listed))}")
        return _of_context(read(present), context)
    usual = Path.home() / ".kube" / "config"
    if usual.exists():
        return _of_context(read([usual]), context)
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return in_cluster()
    raise ConfigError(f"no kubeconfig: {usual} does not exist; give one with --kubeconfig or $KUBECONFIG")


def in_cluster(folder: Path = SERVICE_ACCOUNT) -> ClusterConfig:
    """The cluster that this pod runs in, as its ServiceAccount. Raises ConfigError outside a pod."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise ConfigError("not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    token = folder / "token"
    if not token.exists():
        raise ConfigError(f"{token} does not exist: is automountServiceAccountToken off?")
    namespace = folder / "namespace"
    return ClusterConfig(
        f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca_data=_bytes_of(folder / "ca.crt", "ca.crt"),
        credentials=auth.Files(token=auth.WatchedFile(token, "token")),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        context_name="in-cluster",
    )


def _of_context(kubeconfig: Kubeconfig, name: str | None) -> ClusterConfig:
    name = name or kubeconfig.current_context
    if not name:
        raise ConfigError(
            f"{kubeconfig.where}: no current-context; choose one with --context"
            f" (there are: {_names(kubeconfig.contexts)})"
        )
    context = _find(kubeconfig, kubeconfig.contexts, "context", name)
    cluster_name = context.text("cluster")
    if not cluster_name:
        raise ConfigError(f"{context.at('cluster')} is missing: name one of {_names(kubeconfig.clusters)}")
    cluster = _find(kubeconfig, kubeconfig.clusters, "cluster", cluster_name)
    user_name = context.text("user")
    user = _find(kubeconfig, kubeconfig.users, "user", user_name) if user_name else None
    skip_verify = bool(cluster.data.get("insecure-skip-tls-verify"))
    ca_data = _material(cluster, "certificate-authority")
    if ca_data:
        _check_authority(cluster, ca_data)
    if skip_verify and ca_data:
        raise ConfigError(
            f"{cluster.at('insecure-skip-tls-verify')}: not together with a certificate authority; remove one of them"
        )
    return ClusterConfig(
        _server(cluster),
        ca_data=ca_data or None,
        insecure_skip_tls_verify=skip_verify,
        tls_server_name=cluster.text("tls-server-name") or None,
        proxy_url=_proxy(cluster),
        credentials=_credentials(user, cluster, ca_data) if user is not None else auth.anonymous(),
        namespace=context.text("namespace") or "default",
        impersonate=_impersonation(user) if user is not None else None,
        context_name=name,
    )


def _find(kubeconfig: Kubeconfig, entries: Mapping[str, Entry], what: str, name: str) -> Entry:
    found = entries.get(name)
    if found is None:
        raise ConfigError(f'{kubeconfig.where}: {what} "{name}" does not exist (there are: {_names(entries)})')
    return found


def _names(entries: Mapping[str, Entry]) -> str:
    return ", ".join(entries) or "none"


def _server(cluster: Entry) -> str:
    server = cluster.text("server")
    if not server:
        raise ConfigError(f"{cluster.at('server')} is missing: give the URL of the API server")
    if "://" not in server:
        server = f"http://{server}"  # as kubectl reads it
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{cluster.at('server')}: {server!r} is not an http or https URL")
    return server.rstrip("/")


def _proxy(cluster: Entry) -> str | None:
    proxy = cluster.text("proxy-url")
    if not proxy:
        return None
    if urlsplit(proxy).scheme not in PROXY_SCHEMES:
        raise ConfigError(f"{cluster.at('proxy-url')}: only http and https proxies are supported")
    return proxy


def _credentials(user: Entry, cluster: Entry, ca_data: bytes) -> Credentials:
    if user.data.get("auth-provider"):
        raise ConfigError(
            f"{user.at('auth-provider')}: providers inside the client are gone from Kubernetes too;"
            " use an exec plugin or a token"
        )
    explicit = _explicit(user)
    if user.data.get("exec") is not None:
        return auth.Layered(explicit, ExecCredentials(_plugin(user, cluster, ca_data)))
    return explicit


def _explicit(user: Entry) -> Credentials:
    """Token, basic and client certificate. Files are left to be read (again) when they are used."""
    authorization = ""
    if user.text("token"):
        authorization = f"Bearer {user.text('token')}"
    elif user.text("username"):
        authorization = auth.basic(user.text("username"), user.text("password")).known.authorization
    token = _file(user, "tokenFile")
    certificate = None if user.text("client-certificate-data") else _file(user, "client-certificate")
    key = None if user.text("client-key-data") else _file(user, "client-key")
    fixed = Identity(authorization, _inline(user, "client-certificate"), _inline(user, "client-key"))
    has_certificate, has_key = bool(certificate or fixed.certificate), bool(key or fixed.key)
    if has_certificate != has_key:
        missing = "client-key" if has_certificate else "client-certificate"
        raise ConfigError(f"{user.at(missing)} is missing: a client certificate needs its key")
    if token or certificate or key:
        return auth.Files(fixed, token=token, certificate=certificate, key=key)
    return auth.Static(fixed)


def _plugin(user: Entry, cluster: Entry, ca_data: bytes) -> ExecPlugin:
    given: Any = user.data["exec"]
    if not isinstance(given, dict):
        raise ConfigError(f"{user.at('exec')} must be an object")
    command = str(given.get("command") or "")
    if not command:
        raise ConfigError(f"{user.at('exec.command')} is missing")
    api_version = str(given.get("apiVersion") or "")
    if api_version not in API_VERSIONS:
        raise ConfigError(f"{user.at('exec.apiVersion')}: {api_version!r} is not one of {', '.join(API_VERSIONS)}")
    if given.get("interactiveMode") == "Always":
        raise ConfigError(f"{user.at('exec.interactiveMode')}: Always needs a terminal; use another credential")
    if "/" in command:
        command = str(user.resolve(command))
    return ExecPlugin(
        command,
        [str(argument) for argument in given.get("args") or ()],
        {str(pair["name"]): str(pair.get("value") or "") for pair in given.get("env") or ()},
        api_version,
        str(given.get("installHint") or "").strip(),
        _told(cluster, ca_data) if given.get("provideClusterInfo") else None,
    )


def _told(cluster: Entry, ca_data: bytes) -> Json:
    """What a plugin hears about the cluster (ExecCredential spec.cluster)."""
    told: Json = {"server": cluster.text("server")}
    for name in ("tls-server-name", "insecure-skip-tls-verify", "proxy-url"):
        if cluster.data.get(name):
            told[name] = cluster.data[name]
    if ca_data:
        told["certificate-authority-data"] = base64.b64encode(ca_data).decode()
    for extension in cluster.data.get("extensions") or ():
        if extension.get("name") == EXEC_EXTENSION:
            told["config"] = extension.get("extension")
    return told


def _impersonation(user: Entry) -> Impersonation | None:
    extra: Mapping[str, Any] = user.data.get("as-user-extra") or {}
    found = Impersonation(
        user.text("as"),
        user.text("as-uid"),
        tuple(str(group) for group in user.data.get("as-groups") or ()),
        {str(name): tuple(map(str, values)) for name, values in extra.items()},
    )
    if not found.user and (found.uid or found.groups or found.extra):
        raise ConfigError(f"{user.at('as')} is missing: as-uid, as-groups and as-user-extra need it")
    return found if found.user else None


def _material(entry: Entry, name: str) -> bytes:
    """PEM from `<name>-data` or the file `<name>`; inline comes first."""
    inline = _inline(entry, name)
    if inline:
        return inline
    value = entry.text(name)
    return _bytes_of(entry.resolve(value), entry.at(name)) if value else b""


def _check_authority(cluster: Entry, ca_data: bytes) -> None:
    try:
        client_context(ca_data)
    except ConfigError as error:
        name = (
            "certificate-authority-data" if cluster.data.get("certificate-authority-data") else "certificate-authority"
        )
        raise ConfigError(f"{cluster.at(name)}: {error}") from error


def _inline(entry: Entry, name: str) -> bytes:
    value = entry.text(f"{name}-data")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ConfigError(f"{entry.at(name + '-data')} is not base64") from None


def _file(entry: Entry, name: str) -> auth.WatchedFile | None:
    value = entry.text(name)
    if not value:
        return None
    path = entry.resolve(value)
    _bytes_of(path, entry.at(name))  # a wrong path is said at once, not at the first request
    return auth.WatchedFile(path, entry.at(name))


def _bytes_of(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from error
