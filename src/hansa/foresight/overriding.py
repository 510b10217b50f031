"""Which rule of which override changes which field, cluster by cluster, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hansa.api.affinity import matches
from hansa.api.cluster import Cluster
from hansa.api.item import Item
from hansa.api.meta import Json, ObjectMeta
from hansa.api.work import ResourceBinding, TargetCluster
from hansa.base.patch import PatchError, apply_json_patch
from hansa.control.interpreter import Interpreter
from hansa.control.render.overrides import read_overrides
from hansa.control.render.targets import targets_of
from hansa.foresight.difference import field_changes, without_marks
from hansa.foresight.explanation import OverrideTold
from hansa.foresight.plan import FieldChange
from hansa.interpret.convention import Convention
from hansa.interpret.error import InterpretError
from hansa.interpret.question import Revise
from hansa.match.overrides import Overrides, applicable
from hansa.match.selector import Subject
from hansa.override.apply import apply_overriders
from hansa.override.error import OverrideError


async def told(
    convention: Convention, template: Item, binding: Item, clusters: Mapping[str, Cluster], items: Sequence[Item]
) -> list[OverrideTold]:
    """`items` are the override policies in reach of the object."""
    policies = [read for item in items if (read := read_overrides(item)) is not None]
    subject = Subject.of(template)
    wide = applicable((policy for policy in policies if policy.cluster_wide), subject)
    own = applicable((policy for policy in policies if not policy.cluster_wide), subject)
    found: list[OverrideTold] = []
    for target in targets_of(binding.as_(ResourceBinding).spec):
        cluster = clusters.get(target.name)
        if cluster is None:
            continue
        try:
            manifest = await _manifest(convention, template, binding, target)
            if convention.override_policies:
                found += _by_policies(manifest, [*wide, *own], cluster)
            found += _by_itself(convention, template, manifest, target.name)
        except InterpretError as error:
            found.append(OverrideTold(cluster=target.name, policy="", rule=0, fault=str(error)))
    return found


async def _manifest(convention: Convention, template: Item, binding: Item, target: TargetCluster) -> Json:
    """What overrides begin with: the object with its share of replicas."""
    manifest = convention.body(template.json(), binding.meta, target.name)
    if convention.interpreted and binding.as_(ResourceBinding).spec.is_workload:
        revised = await Interpreter().ask(Revise(manifest, target.replicas))
        if revised is not None:
            return revised.value
    return manifest


def _by_policies(manifest: Json, policies: Sequence[Overrides], cluster: Cluster) -> Iterator[OverrideTold]:
    name = cluster.metadata.name
    for policy in policies:
        for index, rule in enumerate(policy.rules):
            if not matches(rule.target_cluster, cluster):
                continue
            shown = _shown(policy.meta)
            try:
                changed = apply_overriders(manifest, rule.overriders)
            except OverrideError as error:
                yield OverrideTold(cluster=name, policy=shown, rule=index, fault=str(error))
                return
            fields = _fields(manifest, changed)
            yield OverrideTold(cluster=name, policy=shown, rule=index, fields=fields)
            manifest = changed


def _by_itself(convention: Convention, template: Item, manifest: Json, cluster: str) -> Iterator[OverrideTold]:
    """A federated object brings its overrides along."""
    for index, operation in enumerate(convention.overrides(template.json(), cluster)):
        shown = f"{template.kind} {template.key}"
        try:
            changed = apply_json_patch(manifest, [operation], missing=convention.patch_missing)
        except PatchError as error:
            yield OverrideTold(cluster=cluster, policy=shown, rule=index, fault=str(error))
            return
        fields = _fields(manifest, changed)
        yield OverrideTold(cluster=cluster, policy=shown, rule=index, fields=fields)
        manifest = changed


def _fields(before: Json, after: Json) -> tuple[FieldChange, ...]:
    secret = before.get("kind") == "Secret"
    return tuple(field_changes(without_marks(before), without_marks(after), secret=secret))


def _shown(policy: ObjectMeta) -> str:
    return f"{'OverridePolicy' if policy.namespace else 'ClusterOverridePolicy'} {policy.key}"
