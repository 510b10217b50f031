"""The `Targets` cell of HorizontalPodAutoscalers: `cpu: 30%/80%, 5/10 (avg)`."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.builtin.cells import NONE, UNKNOWN

_FIELDS = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_SHOWN = 2


def targets(obj: Json) -> str:
    specs: list[Json] = obj["spec"].get("metrics") or []
    if not specs:
        return NONE
    statuses: list[Json] = (obj.get("status") or {}).get("currentMetrics") or []
    texts = [_target(spec, statuses[index] if index < len(statuses) else {}) for index, spec in enumerate(specs)]
    if len(texts) > _SHOWN:
        return f"{', '.join(texts[:_SHOWN])} + {len(texts) - _SHOWN} more..."
    return ", ".join(texts)


def _target(spec: Json, status: Json) -> str:
    field = _FIELDS.get(spec.get("type", ""))
    if field is None or not isinstance(spec.get(field), dict):
        return "<unknown type>"
    target: Json = spec[field].get("target") or {}
    current: Json = (status.get(field) or {}).get("current") or {}
    if field in ("resource", "containerResource"):
        name = spec[field].get("name", "")
        if target.get("averageValue") is not None:
            return f"{name}: {current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
        used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
        used_text = UNKNOWN if used is None else f"{used}%"
        return f"{name}: {used_text}/{'<auto>' if wanted is None else f'{wanted}%'}"
    if field == "pods":
        return f"{current.get('averageValue', UNKNOWN)}/{target.get('averageValue', '0')}"
    if target.get("averageValue") is not None:
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
    return f"{current.get('value', UNKNOWN)}/{target.get('value', '0')}"
