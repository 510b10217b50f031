"""Why an applied object cannot be merged by its schema, in the API server's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hansa.api import fieldset
from hansa.api.structured import StructureError, element_of
from hansa.api.topology import DEDUCED, Topology
from hansa.base.gotext import go_text


def misfits(value: Any, node: Topology, path: str = "") -> Iterator[str]:
    """Why an applied object cannot be merged: undeclared fields, wrong types, duplicate items."""
    if value is None or node.form == "any":
        return
    if node.form == "map":
        if not isinstance(value, dict):
            yield f"{path}: expected map, got {go_text(value)}"
            return
        for name, inner in value.items():
            below = node.field(name)
            if below is None:
                yield f"{path}.{name}: field not declared in schema"
            else:
                yield from misfits(inner, below, f"{path}.{name}")
    elif node.form == "list":
        yield from _list_misfits(value, node, path)
    elif isinstance(value, dict | list):
        yield f"{path}: expected scalar, got {go_text(value)}"


def _list_misfits(value: Any, node: Topology, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: expected list, got {go_text(value)}"
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        if node.atomic:
            shown = f"[{index}]"
        else:
            try:
                element = element_of(node, item)
            except StructureError as error:
                yield f"{path}: element {index}: {error}"
                return
            shown = fieldset.shown((element,))
            if element in seen:
                yield f"{path}: duplicate entries for key {shown}"
            seen.add(element)
        yield from misfits(item, node.element or DEDUCED, f"{path}{shown}")
