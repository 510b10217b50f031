"""Defaults and checks of bindings and Works (work.karmada.io)."""

from __future__ import annotations

import json

from hansa.admit.fields import entries, mapping, text
from hansa.api import names
from hansa.api.meta import Json
from hansa.base.field import FieldError, duplicate, invalid, required


def identified(obj: Json, permanent_id: str) -> Json:
    """A binding or Work with its permanent id; one that it has already, from a backup perhaps, is kept."""
    label = {
        "ResourceBinding": names.BINDING_ID_LABEL,
        "ClusterResourceBinding": names.CLUSTER_BINDING_ID_LABEL,
        "Work": names.WORK_ID_LABEL,
    }[obj["kind"]]
    metadata = mapping(obj.get("metadata"))
    labels = mapping(metadata.get("labels"))
    if labels.get(label):
        return obj
    return {**obj, "metadata": {**metadata, "labels": {**labels, label: permanent_id}}}


def check_binding(binding: Json) -> list[FieldError]:
    """Faults of a ResourceBinding: component names are there, and each once."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, component in enumerate(entries(mapping(binding.get("spec")).get("components"))):
        path = f"spec.components[{index}].name"
        name = text(component.get("name"))
        if not name:
            errors.append(required(path))
        elif name in seen:
            errors.append(duplicate(path, name))
        seen.add(name)
    return errors + _check_dependencies(binding)


def _check_dependencies(binding: Json) -> list[FieldError]:
    annotations = mapping(mapping(binding.get("metadata")).get("annotations"))
    value = annotations.get(names.DEPENDENCIES_ANNOTATION)
    if value is None:
        return []
    path = f"metadata.annotations[{names.DEPENDENCIES_ANNOTATION}]"
    try:
        parsed = json.loads(value)
    except (TypeError, ValueError) as error:
        return [invalid(path, value, f"must be JSON: {error}")]
    return [] if isinstance(parsed, list) else [invalid(path, value, "must be a JSON list")]
