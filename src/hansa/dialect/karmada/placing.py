"""Decide where a binding goes in the write that makes or changes it, so that one write does for two.

Where that may not be (another scheduler, suspended scheduling, no fit), the binding is written without, and the
scheduler takes it from there. The Scheduled condition is the scheduler's in any case.
"""

from __future__ import annotations

import msgspec

from hansa.api import names
from hansa.api.meta import Json
from hansa.api.work import BindingSpec, BindingStatus
from hansa.dialect.karmada.hub import Hub
from hansa.schedule.needed import applied_placement, placement_changed


def placed_at_birth(hub: Hub, binding: Json) -> Json:
    """The new binding with its clusters."""
    decided = _decide(hub, binding["spec"], BindingStatus())
    if decided is None:
        return binding
    clusters, applied = decided
    metadata = binding["metadata"]
    annotations = {**(metadata.get("annotations") or {}), names.APPLIED_PLACEMENT_ANNOTATION: applied}
    return {
        **binding,
        "metadata": {**metadata, "annotations": annotations},
        "spec": {**binding["spec"], "clusters": clusters},
    }


def placed_on_change(hub: Hub, patch: Json, document: Json, status: BindingStatus) -> Json:
    """`patch` with new clusters when what it changes asks for a decision; `document` is the binding with the patch."""
    changed = patch.get("spec") or {}
    spec = msgspec.convert(document["spec"], BindingSpec)
    annotations = document["metadata"].get("annotations") or {}
    applied_before = annotations.get(names.APPLIED_PLACEMENT_ANNOTATION)
    moved = (
        "placement" in changed
        and spec.placement is not None
        and placement_changed(applied_before, spec.placement, status)
    )
    if not moved and "replicas" not in changed:
        return patch
    decided = _decide(hub, document["spec"], status)
    if decided is None:
        return patch
    clusters, applied = decided
    metadata = patch.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), names.APPLIED_PLACEMENT_ANNOTATION: applied}
    return {
        **patch,
        "metadata": {**metadata, "annotations": annotations},
        "spec": {**changed, "clusters": clusters},
    }


def _decide(hub: Hub, document: Json, status: BindingStatus) -> tuple[list[Json] | None, str] | None:
    """(clusters, applied placement), None when the scheduler is to decide."""
    spec = msgspec.convert(document, BindingSpec)
    if hub.place is None or spec.placement is None or spec.graceful_eviction_tasks:
        return None
    if (spec.scheduler_name or hub.options.scheduler_name) != hub.options.scheduler_name:
        return None
    if spec.suspension is not None and spec.suspension.scheduling:
        return None
    if spec.workload_affinity_groups is not None:
        # these are decided one after the other
        return None
    fit = hub.place(spec, status)
    if fit is None:
        return None
    return msgspec.to_builtins(list(fit.targets)) or None, applied_placement(spec.placement)
