"""What belongs to the member and is kept when its object is written: allocated, generated or bound there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hansa.api import names
from hansa.api.meta import GVK, Json
from hansa.interpret.document import at, mapping, put, sequence
from hansa.interpret.error import InterpretError
from hansa.interpret.native import kinds

_TOKEN_SECRET = "kubernetes.io/service-account-token"


def _deployment(wanted: Json, live: Json) -> Json:
    if mapping(wanted, "metadata", "labels").get(names.RETAIN_REPLICAS_LABEL) != "true":
        return wanted
    replicas = at(live, "spec", "replicas")
    if replicas is None:
        raise InterpretError("failed to get spec.replicas from the member's object")
    return put(wanted, replicas, "spec", "replicas")


def _pod(wanted: Json, live: Json) -> Json:
    for field in ("nodeName", "serviceAccountName", "volumes"):
        wanted = _keep(wanted, live, "spec", field)
    for field in ("initContainers", "containers"):
        if sequence(wanted, "spec", field):
            wanted = put(wanted, _with_mounts(wanted, live, field), "spec", field)
    return wanted


def _with_mounts(wanted: Json, live: Json, field: str) -> list[Any]:
    mounts = {at(entry, "name"): at(entry, "volumeMounts") for entry in sequence(live, "spec", field)}
    return [
        {**entry, "volumeMounts": mounts[entry.get("name")]} if mounts.get(at(entry, "name")) else entry
        for entry in sequence(wanted, "spec", field)
    ]


def _service(wanted: Json, live: Json) -> Json:
    if (at(live, "spec", "healthCheckNodePort") or 0) > 0:
        wanted = _keep(wanted, live, "spec", "healthCheckNodePort")
    return _keep(wanted, live, "spec", "clusterIP")


def _service_account(wanted: Json, live: Json) -> Json:
    for field in ("secrets", "imagePullSecrets"):
        union = {at(entry, "name"): entry for entry in (*sequence(live, field), *sequence(wanted, field))}
        ours = [at(entry, "name") for entry in sequence(wanted, field)]
        ordered = [*ours, *(name for name in union if name not in ours)]
        wanted = put(wanted, [union[name] for name in ordered] or None, field)
    return wanted


def _claim(wanted: Json, live: Json) -> Json:
    return _keep(wanted, live, "spec", "volumeName")


def _volume(wanted: Json, live: Json) -> Json:
    return _keep(wanted, live, "spec", "claimRef")


def _job(wanted: Json, live: Json) -> Json:
    wanted = _keep(wanted, live, "spec", "selector", "matchLabels")
    return _keep(wanted, live, "spec", "template", "metadata", "labels")


def _secret(wanted: Json, live: Json) -> Json:
    return _keep(wanted, live, "data") if wanted.get("type") == _TOKEN_SECRET else wanted


def _keep(wanted: Json, live: Json, *path: str) -> Json:
    found = at(live, *path)
    return put(wanted, found, *path) if found else wanted


RETAINERS: dict[GVK, Callable[[Json, Json], Json]] = {
    kinds.DEPLOYMENT: _deployment,
    kinds.POD: _pod,
    kinds.SERVICE: _service,
    kinds.SERVICE_ACCOUNT: _service_account,
    kinds.PERSISTENT_VOLUME_CLAIM: _claim,
    kinds.PERSISTENT_VOLUME: _volume,
    kinds.JOB: _job,
    kinds.SECRET: _secret,
}
