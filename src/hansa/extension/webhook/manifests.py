"""Manifests of a Work as its controllers write them, whoever wrote the Work (Karmada's work webhook)."""

from __future__ import annotations

from typing import Any

from hansa.api import names
from hansa.api.meta import Json
from hansa.interpret.convention import dialect_of
from hansa.interpret.convention.karmada import record_managed
from hansa.interpret.document import mapping, sequence
from hansa.interpret.native.prune import prune


def normalised(work: Json) -> Json:
    """`work` with its manifests pruned, bearing its permanent id and the records of what comes from the hub.

    Works of other dialects have marks of their own, and stay as they are. Doing it twice changes nothing more.
    """
    labels = mapping(work, "metadata", "labels")
    if dialect_of(labels) != names.KARMADA:
        return work
    workload = mapping(work, "spec", "workload")
    manifests = [
        _manifest(entry, str(labels.get(names.WORK_ID_LABEL, ""))) for entry in sequence(workload, "manifests")
    ]
    if not manifests:
        return work
    return {**work, "spec": {**mapping(work, "spec"), "workload": {**workload, "manifests": manifests}}}


def _manifest(entry: Any, work_id: str) -> Any:
    if not isinstance(entry, dict):
        return entry
    pruned = prune(entry)
    metadata = mapping(pruned, "metadata")
    labels = {**mapping(metadata, "labels"), names.WORK_ID_LABEL: work_id}
    annotations = record_managed(labels, mapping(metadata, "annotations"))
    return {**pruned, "metadata": {**metadata, "labels": labels, "annotations": annotations}}
