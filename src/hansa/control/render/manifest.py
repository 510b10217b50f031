"""One cluster's Work from a template, in Karmada's order: replicas, completions, overrides, marks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from hansa.api import names
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import BindingSpec, TargetCluster, new_work
from hansa.base.names import execution_namespace, work_name
from hansa.base.patch import PatchError, apply_json_patch
from hansa.control.context import Interpret
from hansa.control.render.targets import completions, suspended, targets_of
from hansa.interpret.convention import Convention, Origin
from hansa.interpret.convention.karmada import conflict_resolution
from hansa.interpret.error import InterpretError
from hansa.interpret.question import Revise
from hansa.override.apply import Applied, Order, Overridden, apply_orders, record

_WORK_IDS = uuid.UUID("b1b3a1a2-3b06-5f4f-9a0c-5f1d6d0b7f55")
"""Name space of Works' permanent ids, so that rendering again gives the same id."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """What all clusters of one binding share. `orders` are those of ClusterOverridePolicies and of OverridePolicies."""

    convention: Convention
    binding: Item
    spec: BindingSpec
    template: Item
    orders: tuple[Sequence[Order], Sequence[Order]]
    interpret: Interpret


@dataclass(frozen=True, slots=True)
class Rendered:
    work: Json
    applied: list[Applied]


async def render(rendering: Rendering, target: TargetCluster, cluster: Cluster, known_id: str | None) -> Rendered:
    """The Work for one cluster. Raises InterpretError and OverrideError: then the cluster keeps what it has."""
    convention, spec = rendering.convention, rendering.spec
    template = rendering.template.json()
    manifest = convention.body(template, rendering.binding.meta, target.name)
    if convention.interpreted:
        manifest = await _with_replicas(rendering, manifest, target)
    overridden = _overridden(rendering, template, manifest, cluster)
    key = work_key(convention, overridden.manifest, target.name)
    resolution = conflict_resolution(rendering.template.meta, spec.conflict_resolution)
    origin = Origin(
        template=rendering.template.meta,
        binding=rendering.binding.meta,
        work=key,
        work_id=known_id or work_id(key, rendering.binding.meta.uid),
        conflict_resolution="overwrite" if resolution == "overwrite" else "abort",
    )
    labels = {**convention.work_labels(template, origin), names.WORK_ID_LABEL: origin.work_id}
    if names.DIALECT_LABEL in rendering.binding.labels:
        labels[names.DIALECT_LABEL] = convention.name
    work = new_work(
        namespace=key.namespace,
        name=key.name,
        labels=labels,
        annotations={**convention.work_annotations(template, origin), **_records(overridden.applied)},
        manifest=convention.mark(overridden.manifest, origin),
        suspend=suspended(spec, target.name),
        preserve=bool(spec.preserve_resources_on_deletion),
    )
    return Rendered(work, overridden.applied)


def work_key(convention: Convention, manifest: Json, cluster: str) -> Key:
    metadata = manifest.get("metadata") or {}
    kind = convention.work_kind(str(manifest.get("kind", "")))
    name = work_name(metadata.get("namespace") or "", metadata.get("name") or "", kind)
    return Key(execution_namespace(cluster), name)


def work_id(work: Key, origin_uid: str) -> str:
    """The permanent id of a new Work."""
    return str(uuid.uuid5(_WORK_IDS, f"{work}/{origin_uid}"))


async def _with_replicas(rendering: Rendering, manifest: Json, target: TargetCluster) -> Json:
    spec = rendering.spec
    if spec.is_workload:
        revised = await rendering.interpret(Revise(manifest, target.replicas))
        if revised is not None:
            manifest = revised.value
    divided = spec.placement is not None and spec.placement.divided
    if divided and spec.replicas > 0 and (manifest.get("apiVersion"), manifest.get("kind")) == ("batch/v1", "Job"):
        total = (manifest.get("spec") or {}).get("completions")
        if total is not None:
            shares = completions(total, targets_of(spec), spec.resource.uid)
            manifest = {**manifest, "spec": {**manifest["spec"], "completions": shares.get(target.name, 0)}}
    return manifest


def _overridden(rendering: Rendering, template: Json, manifest: Json, cluster: Cluster) -> Overridden:
    convention = rendering.convention
    applied: list[Applied] = []
    if convention.override_policies:
        cluster_wide, own = rendering.orders
        manifest, applied = apply_orders(manifest, [*cluster_wide, *own], cluster)
    operations = convention.overrides(template, cluster.metadata.name)
    if operations:
        try:
            manifest = apply_json_patch(manifest, list(operations), missing=convention.patch_missing)
        except PatchError as error:
            raise InterpretError(f"overrides for cluster {cluster.metadata.name}: {error}") from error
    return Overridden(manifest, applied)


def _records(applied: Sequence[Applied]) -> dict[str, str]:
    cluster_wide = record(entry for entry in applied if not entry.policy.namespace)
    own = record(entry for entry in applied if entry.policy.namespace)
    found = {names.APPLIED_CLUSTER_OVERRIDES_ANNOTATION: cluster_wide, names.APPLIED_OVERRIDES_ANNOTATION: own}
    return {key: value for key, value in found.items() if value is not None}
