"""What else must be where an object is: the objects that its pods, or it itself, refer to.

References are in order, each once, so that what is recorded of them changes only when they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hansa.api.meta import GVK, Json
from hansa.interpret.document import at, mapping, sequence
from hansa.interpret.error import InterpretError
from hansa.interpret.native import kinds

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_SECRET_REFERENCES = ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")
_DERIVED = "derived-"
_SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_Found = Iterator[tuple[str, str]]


def _pod(obj: Json, pod: Json) -> list[Json]:
    namespace = str(at(obj, "metadata", "namespace") or "")
    found = {(kind, name) for kind, name in _of_pod(pod) if name}
    return [{"apiVersion": "v1", "kind": kind, "namespace": namespace, "name": name} for kind, name in sorted(found)]


def _of_pod(pod: Json) -> _Found:
    for secret in sequence(pod, "imagePullSecrets"):
        yield "Secret", at(secret, "name")
    for group in _CONTAINERS:
        for container in sequence(pod, group):
            yield from _of_container(container)
    for volume in sequence(pod, "volumes"):
        yield from _of_volume(volume)
    account = at(pod, "serviceAccountName")
    if account != "default":
        yield "ServiceAccount", account


def _of_container(container: Json) -> _Found:
    for source in sequence(container, "envFrom"):
        yield "ConfigMap", at(source, "configMapRef", "name")
        yield "Secret", at(source, "secretRef", "name")
    for variable in sequence(container, "env"):
        yield "ConfigMap", at(variable, "valueFrom", "configMapKeyRef", "name")
        yield "Secret", at(variable, "valueFrom", "secretKeyRef", "name")


def _of_volume(volume: Json) -> _Found:
    yield "ConfigMap", at(volume, "configMap", "name")
    yield "Secret", at(volume, "secret", "secretName")
    yield "Secret", at(volume, "azureFile", "secretName")
    yield "Secret", at(volume, "csi", "nodePublishSecretRef", "name")
    for kind in _SECRET_REFERENCES:
        yield "Secret", at(volume, kind, "secretRef", "name")
    for source in sequence(volume, "projected", "sources"):
        yield "ConfigMap", at(source, "configMap", "name")
        yield "Secret", at(source, "secret", "name")
    yield "PersistentVolumeClaim", at(volume, "persistentVolumeClaim", "claimName")


def _templated(obj: Json) -> list[Json]:
    return _pod(obj, mapping(obj, "spec", "template", "spec"))


def _bare_pod(obj: Json) -> list[Json]:
    return _pod(obj, mapping(obj, "spec"))


def _cron_job(obj: Json) -> list[Json]:
    return _pod(obj, mapping(obj, "spec", "jobTemplate", "spec", "template", "spec"))


def _stateful_set(obj: Json) -> list[Json]:
    """Its own claim templates hide claims of the same name."""
    own = {at(claim, "metadata", "name") for claim in sequence(obj, "spec", "volumeClaimTemplates")}
    return [
        reference
        for reference in _templated(obj)
        if reference["kind"] != "PersistentVolumeClaim" or reference["name"] not in own
    ]


def _ingress(obj: Json) -> list[Json]:
    namespace = str(at(obj, "metadata", "namespace") or "")
    found: set[str] = set()
    for index, entry in enumerate(sequence(obj, "spec", "tls")):
        name = at(entry, "secretName")
        if not name:
            raise InterpretError(f"spec.tls[{index}].secretName is empty: name the Secret, or remove the entry")
        found.add(str(name))
    return [{"apiVersion": "v1", "kind": "Secret", "namespace": namespace, "name": name} for name in sorted(found)]


def _service_import(obj: Json) -> list[Json]:
    namespace = str(at(obj, "metadata", "namespace") or "")
    derived = f"{_DERIVED}{at(obj, 'metadata', 'name')}"
    slices = {"matchLabels": {_SERVICE_NAME_LABEL: derived}}
    return [
        {"apiVersion": "v1", "kind": "Service", "namespace": namespace, "name": derived},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "namespace": namespace, "labelSelector": slices},
    ]


FINDERS: dict[GVK, Callable[[Json], Iterable[Json]]] = {
    kinds.DEPLOYMENT: _templated,
    kinds.REPLICA_SET: _templated,
    kinds.STATEFUL_SET: _stateful_set,
    kinds.DAEMON_SET: _templated,
    kinds.JOB: _templated,
    kinds.CRON_JOB: _cron_job,
    kinds.POD: _bare_pod,
    kinds.INGRESS: _ingress,
    kinds.SERVICE_IMPORT: _service_import,
    kinds.STORED_SERVICE_IMPORT: _service_import,
}
