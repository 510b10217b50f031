"""Defaults of pods and pod templates, the one place for every kind that holds a template.

They expect objects that `shape` has read: no nulls, always-present fields in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from hansa.api.meta import Json

_REFERENCE = re.compile(
    r"^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?/|\[[0-9a-fA-F:]+\](?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?P<tag>:[\w][\w.-]{0,127})?(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$"
)
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_READ_ONLY_ALL = 0o644
_ONE_HOUR = 3600


@lru_cache(maxsize=2048)
def pull_policy(image: str) -> str:
    """Always for the tag `latest`, named or implied; IfNotPresent otherwise (also for what is no image name)."""
    match = _REFERENCE.match(image)
    if match is None:
        return "IfNotPresent"
    tag = match["tag"] or ("" if match["digest"] else ":latest")
    return "Always" if tag == ":latest" else "IfNotPresent"


def default_pod(pod: Json) -> None:
    """A Pod: what templates get, and what only pods get (requests from limits, service links, host ports)."""
    spec = pod["spec"]
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        spec["terminationGracePeriodSeconds"] = 1
    host_network = spec.get("hostNetwork")
    for container in (*(spec.get("containers") or ()), *spec.get("initContainers", ())):
        limits = container["resources"].get("limits")
        if limits:
            requests = container["resources"].setdefault("requests", {})
            for name, quantity in limits.items():
                requests.setdefault(name, quantity)
        if host_network:
            for port in container.get("ports", ()):
                if not port.get("hostPort") and port.get("containerPort"):
                    port["hostPort"] = port["containerPort"]
    if "enableServiceLinks" not in spec:
        spec["enableServiceLinks"] = True
    default_pod_spec(spec)
    status: Json = pod.get("status") or {}
    if status.get("podIP") and (status.get("podIPs") or [{}])[0].get("ip") != status["podIP"]:
        status["podIPs"] = [{"ip": status["podIP"]}]
    elif status.get("podIPs") and not status.get("podIP"):
        status["podIP"] = status["podIPs"][0].get("ip", "")


def default_template(template: Json | None) -> None:
    """A PodTemplateSpec."""
    if template is not None:
        default_pod_spec(template["spec"])


def default_pod_spec(spec: Json) -> None:
    """A PodSpec, wherever it stands."""
    if not spec.get("serviceAccountName") and spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    if "dnsPolicy" not in spec:
        spec["dnsPolicy"] = "ClusterFirst"
    if "restartPolicy" not in spec:
        spec["restartPolicy"] = "Always"
    if "securityContext" not in spec:
        spec["securityContext"] = {}
    if "terminationGracePeriodSeconds" not in spec:
        spec["terminationGracePeriodSeconds"] = 30
    if "schedulerName" not in spec:
        spec["schedulerName"] = "default-scheduler"
    for volume in spec.get("volumes", ()):
        default_volume(volume)
    for container in spec.get("containers") or ():
        _default_container(container)
    for container in spec.get("initContainers", ()):
        _default_container(container)
    for container in spec.get("ephemeralContainers", ()):
        _default_container(container)


def _default_container(container: Json) -> None:
    if "imagePullPolicy" not in container:
        container["imagePullPolicy"] = pull_policy(container.get("image", ""))
    if "terminationMessagePath" not in container:
        container["terminationMessagePath"] = "/dev/termination-log"
    if "terminationMessagePolicy" not in container:
        container["terminationMessagePolicy"] = "File"
    for variable in container.get("env", ()):
        source = variable.get("valueFrom")
        if source and "fieldRef" in source:
            _default_field_ref(source["fieldRef"])
    for name in _PROBES:
        probe = container.get(name)
        if probe is not None:
            _default_probe(probe)
    lifecycle = container.get("lifecycle")
    if lifecycle:
        for handler in lifecycle.values():
            if isinstance(handler, dict):
                _default_http(handler.get("httpGet"))


def _default_probe(probe: Json) -> None:
    if "timeoutSeconds" not in probe:
        probe["timeoutSeconds"] = 1
    if "periodSeconds" not in probe:
        probe["periodSeconds"] = 10
    if "successThreshold" not in probe:
        probe["successThreshold"] = 1
    if "failureThreshold" not in probe:
        probe["failureThreshold"] = 3
    _default_http(probe.get("httpGet"))


def _default_http(action: Json | None) -> None:
    if action is None:
        return
    if "path" not in action:
        action["path"] = "/"
    if "scheme" not in action:
        action["scheme"] = "HTTP"


def _default_field_ref(reference: Json) -> None:
    if "apiVersion" not in reference:
        reference["apiVersion"] = "v1"


def _default_items(items: Iterable[Json]) -> None:
    for item in items:
        if "fieldRef" in item:
            _default_field_ref(item["fieldRef"])


def default_volume(volume: Json) -> None:
    """A Volume: without a source it is an emptyDir."""
    if len(volume) < 2:
        volume["emptyDir"] = {}
        return
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        source = volume.get(name)
        if source is not None and "defaultMode" not in source:
            source["defaultMode"] = _READ_ONLY_ALL
    if "downwardAPI" in volume:
        _default_items(volume["downwardAPI"].get("items", ()))
    if "projected" in volume:
        for source in volume["projected"].get("sources") or ():
            token = source.get("serviceAccountToken")
            if token is not None and "expirationSeconds" not in token:
                token["expirationSeconds"] = _ONE_HOUR
            if "downwardAPI" in source:
                _default_items(source["downwardAPI"].get("items", ()))
    if "hostPath" in volume and "type" not in volume["hostPath"]:
        volume["hostPath"]["type"] = ""
    claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if claim:
        default_claim_spec(claim["spec"])
    image = volume.get("image")
    if image is not None and "pullPolicy" not in image:
        image["pullPolicy"] = pull_policy(image.get("reference", ""))


def default_claim_spec(spec: Json) -> None:
    """A PersistentVolumeClaimSpec."""
    if "volumeMode" not in spec:
        spec["volumeMode"] = "Filesystem"
