"""Events: core/v1 is stored, events.k8s.io/v1 is another view of the same objects."""

from __future__ import annotations

from datetime import datetime

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.cells import since
from hansa.apiserver.builtin.fallback import NAME
from hansa.apiserver.builtin.kind import column, make, timed
from hansa.apiserver.builtin.rules import Column
from hansa.base.field import FieldError, invalid

_TO_NEW = {
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
}
_TO_OLD = {new: old for old, new in _TO_NEW.items()}
_CORE, _NEW = GVK("", "v1", "Event"), GVK("events.k8s.io", "v1", "Event")
_CLUSTER_KINDS_NAMESPACES = ("", "default", "kube-system")


def convert(obj: Json, gvk: GVK) -> Json:
    """The same event under the other group's field names."""
    names = _TO_OLD if gvk.group == "" else _TO_NEW
    found = {names.get(key, key): value for key, value in obj.items()} | {"apiVersion": gvk.api_version}
    if gvk == _NEW:
        for field in ("reportingController", "reportingInstance"):
            if not found.get(field):
                found.pop(field, None)
    return found


def _old(obj: Json) -> Json:
    return obj if "involvedObject" in obj else convert(obj, _CORE)


def _checks(obj: Json) -> list[FieldError]:
    event = _old(obj)
    own, of = event["metadata"].get("namespace", ""), (event.get("involvedObject") or {}).get("namespace", "")
    if own != of and (of or own not in _CLUSTER_KINDS_NAMESPACES):
        return [invalid("involvedObject.namespace", of, "does not match event.namespace")]
    return []


def _seen(obj: Json, now: datetime) -> str:
    event = _old(obj)
    series = event.get("series")
    if series:
        return since(series.get("lastObservedTime"), now)
    if event.get("lastTimestamp"):
        return since(event["lastTimestamp"], now)
    return _first(obj, now)


def _first(obj: Json, now: datetime) -> str:
    event = _old(obj)
    return since(event.get("firstTimestamp") or event.get("eventTime"), now)


def _count(obj: Json) -> int:
    event = _old(obj)
    series = event.get("series")
    return series.get("count", 0) if series else event.get("count") or 1


def _object(obj: Json) -> str:
    about: Json = _old(obj).get("involvedObject") or {}
    kind, name = about.get("kind", "").lower(), about.get("name", "")
    return f"{kind}/{name}" if name else kind


def _source(obj: Json) -> str:
    event = _old(obj)
    source: Json = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {instance}" if instance else component


def _about(obj: Json, field: str) -> str:
    return (_old(obj).get("involvedObject") or {}).get(field, "")


_COLUMNS: tuple[Column, ...] = (
    timed("Last Seen", _seen),
    column("Type", lambda o: o.get("type", "")),
    column("Reason", lambda o: o.get("reason", "")),
    column("Object", _object),
    column("Subobject", lambda o: _about(o, "fieldPath"), wide=True),
    column("Source", _source, wide=True),
    column("Message", lambda o: _old(o).get("message", "").strip()),
    timed("First Seen", _first, wide=True),
    column("Count", _count, wide=True),
    Column("Name", NAME.cell, format="name", priority=1, description=NAME.description),
)
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIELDS = {
    **{f"involvedObject.{field}": (lambda o, field=field: _about(o, field)) for field in _REFERENCE},
    "reason": lambda o: o.get("reason", ""),
    "reportingComponent": lambda o: _old(o).get("reportingComponent", ""),
    "source": lambda o: (_old(o).get("source") or {}).get("component") or _old(o).get("reportingComponent", ""),
    "type": lambda o: o.get("type", ""),
}
RULES = {
    gvk: make(
        gvk,
        name=lambda name, prefix: [],
        checks=_checks,
        columns=_COLUMNS,
        fields=_FIELDS,
        create_on_update=True,
    )
    for gvk in (_CORE, _NEW)
}
