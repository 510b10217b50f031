"""Tables (meta.k8s.io/v1 Table), which kubectl prints, and objects reduced to their metadata."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hansa.api.meta import Json
from hansa.apiserver.body import Form
from hansa.apiserver.builtin.cells import human_duration
from hansa.apiserver.context import Call
from hansa.base.clock import parse_rfc3339
from hansa.base.jsonpath import JsonPathError, find

_NAME = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": "Name of the object, unique within its namespace and kind.",
    "priority": 0,
}
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def table(call: Call, objects: list[Json], now: datetime, version: str, *, columns: bool = True) -> Json:
    """Rows of the objects; what `includeObject` asks for goes with each row."""
    include = call.target.query.get("includeObject") or "Metadata"
    custom = call.served.custom
    if custom is not None:
        definitions, cells = _custom_columns(list(custom.columns) or [_AGE]), None
    else:
        rules = call.rules
        definitions = [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in rules.columns
        ]
        cells = [column.cell for column in rules.columns]
    rows: list[Json] = []
    for obj in objects:
        if cells is None:
            values = [obj["metadata"]["name"], *(_custom_cell(c, obj, now) for c in definitions[1:])]
        else:
            values = [cell(obj, now) for cell in cells]
        row: Json = {"cells": values}
        if include == "Metadata":
            row["object"] = partial(obj, Form())
        elif include == "Object":
            row["object"] = obj
        rows.append(row)
    shown = [{key: value for key, value in d.items() if key != "jsonPath"} for d in definitions] if columns else None
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": shown,
        "rows": rows,
    }


def partial(obj: Json, form: Form) -> Json:
    """PartialObjectMetadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{form.version or 'v1'}",
        "metadata": obj["metadata"],
    }


def _custom_columns(columns: list[Json]) -> list[Json]:
    return [
        _NAME,
        *(
            {
                "name": column["name"],
                "type": column.get("type", "string"),
                "format": column.get("format", ""),
                "description": column.get("description", "") or _described(column),
                "priority": column.get("priority", 0),
                "jsonPath": column["jsonPath"],
            }
            for column in columns
        ),
    ]


def _described(column: Json) -> str:
    return f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"


def _custom_cell(column: Json, obj: Json, now: datetime) -> Any:
    try:
        found = find(column["jsonPath"], obj)
    except JsonPathError:
        return None
    if not found:
        return None
    value = found[0] if len(found) == 1 else found
    match column["type"]:
        case "date":
            return _since(value, now)
        case "integer" | "number" | "boolean":
            return value if isinstance(value, int | float) else None
        case _:
            return _text(value)


def _since(value: Any, now: datetime) -> str:
    try:
        return human_duration((now - parse_rfc3339(str(value))).total_seconds())
    except ValueError:
        return "<invalid>"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ",".join(f'"{inner}"' if isinstance(inner, str) else _text(inner) for inner in value) + "]"
    return str(value)
