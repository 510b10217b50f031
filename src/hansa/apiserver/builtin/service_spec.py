"""What a Service's spec says of where it is reached."""

from __future__ import annotations

from hansa.api.meta import Json


def is_headless(spec: Json) -> bool:
    return (spec.get("clusterIPs") or []) == ["None"]


def externally_accessible(spec: Json) -> bool:
    type_ = spec.get("type")
    return type_ in ("LoadBalancer", "NodePort") or (type_ == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
