"""Admission plug-ins that kube-apiserver runs before any webhook.

For pods: ServiceAccount, Priority and DefaultTolerationSeconds. For claims: the default storage class. For everything:
namespaces that nobody may delete. A hub that holds pod templates only turns `ServiceAccount` off, as Karmada's does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hansa.api.meta import Json, Resource
from hansa.apiserver.builtin.lookup import Lookup

ALL = frozenset(("ServiceAccount", "Priority", "DefaultTolerationSeconds", "DefaultStorageClass"))
_MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_DEFAULT_CLASSES = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_KEPT_NAMESPACES = ("default", "kube-system", "kube-public")
_TOKEN_SECONDS = 3607  # an hour and a little, which marks tokens that the kubelet refreshes


class Refused(Exception):
    """A plug-in says no. The text follows `pods "n" is forbidden: `."""


def on_create(
    resource: Resource, subresource: str, obj: Json, lookup: Lookup, suffix: Callable[[], str], enabled: frozenset[str]
) -> None:
    """Complete a new object in place. Raises Refused."""
    if subresource or resource.group:
        return
    if resource.plural == "persistentvolumeclaims" and "DefaultStorageClass" in enabled:
        _default_class(obj, lookup)
    if resource.plural != "pods":
        return
    if "ServiceAccount" in enabled:
        _account(obj, lookup, suffix)
    if "Priority" in enabled:
        _priority(obj, lookup)
    if "DefaultTolerationSeconds" in enabled:
        _tolerations(obj)


def on_update(resource: Resource, subresource: str, obj: Json, enabled: frozenset[str]) -> None:
    """Complete a changed object in place."""
    if resource.plural == "pods" and not resource.group and not subresource and "DefaultTolerationSeconds" in enabled:
        _tolerations(obj)


def refuse_delete(resource: Resource, subresource: str, name: str) -> str | None:
    """Why an object may not be deleted."""
    if resource.plural == "namespaces" and not resource.group and not subresource and name in _KEPT_NAMESPACES:
        return "this namespace may not be deleted"
    return None


def _account(pod: Json, lookup: Lookup, suffix: Callable[[], str]) -> None:
    spec, meta = pod["spec"], pod["metadata"]
    if "kubernetes.io/config.mirror" in (meta.get("annotations") or {}):
        return
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    namespace = meta.get("namespace", "")
    account = lookup.get("", "ServiceAccount", namespace, name)
    if account is None:
        text = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise Refused(text)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(reference) for reference in account["imagePullSecrets"]]
    mounts = spec.get("automountServiceAccountToken")
    if mounts is None:
        mounts = account.get("automountServiceAccountToken")
    if mounts is not False:
        _mount_token(spec, suffix)


def _mount_token(spec: Json, suffix: Callable[[], str]) -> None:
    volumes: list[Json] = spec.get("volumes") or []
    known = next((v["name"] for v in volumes if v.get("name", "").startswith("kube-api-access-")), "")
    name = known or f"kube-api-access-{suffix()}"
    mounted = False
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        mounts: list[Json] = container.get("volumeMounts") or []
        if any(mount.get("mountPath") == _MOUNT_PATH for mount in mounts):
            continue
        container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": _MOUNT_PATH}]
        mounted = True
    if mounted and not known:
        spec["volumes"] = [*volumes, {"name": name, "projected": {"sources": _sources(), "defaultMode": 0o644}}]


def _sources() -> list[Any]:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]


def _priority(pod: Json, lookup: Lookup) -> None:
    spec = pod["spec"]
    name = spec.get("priorityClassName", "")
    found: Json | None = None
    if name:
        found = lookup.get("scheduling.k8s.io", "PriorityClass", "", name)
        if found is None:
            raise Refused(f"no PriorityClass with name {name} was found")
    else:
        defaults = [c for c in lookup.list("scheduling.k8s.io", "PriorityClass") if c.get("globalDefault")]
        found = min(defaults, key=lambda c: c.get("value", 0), default=None)
        if found is not None:
            spec["priorityClassName"] = found["metadata"]["name"]
    value = found.get("value", 0) if found else 0
    if spec.get("priority") not in (None, value):
        text = (
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name"
        )
        raise Refused(text)
    spec["priority"] = value
    policy = (found or {}).get("preemptionPolicy") or "PreemptLowerPriority"
    if spec.get("preemptionPolicy") not in (None, policy):
        text = (
            f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
            f"priority admission controller computed {policy} from the given PriorityClass name"
        )
        raise Refused(text)
    spec["preemptionPolicy"] = policy


def _tolerations(pod: Json) -> None:
    spec = pod["spec"]
    tolerations: list[Json] = spec.get("tolerations") or []
    for key in _TOLERATED:
        if not any(_tolerates(toleration, key) for toleration in tolerations):
            added = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            tolerations = [*tolerations, added]
    spec["tolerations"] = tolerations


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")


def _default_class(claim: Json, lookup: Lookup) -> None:
    spec = claim["spec"]
    if spec.get("storageClassName") is not None:
        return
    if "volume.beta.kubernetes.io/storage-class" in (claim["metadata"].get("annotations") or {}):
        return
    defaults = [
        candidate
        for candidate in lookup.list("storage.k8s.io", "StorageClass")
        if any((candidate["metadata"].get("annotations") or {}).get(key) == "true" for key in _DEFAULT_CLASSES)
    ]
    if defaults:
        newest = sorted(defaults, key=lambda c: c["metadata"]["name"])
        newest.sort(key=lambda c: c["metadata"].get("creationTimestamp", ""), reverse=True)
        spec["storageClassName"] = newest[0]["metadata"]["name"]
