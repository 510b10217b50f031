"""Which rule of which override changes which field, cluster by cluster, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

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
                found += _told(target.name, manifest, _of_policies([*wide, *own], cluster))
            found += _told(target.name, manifest, _of_itself(convention, template, target.name))
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


Rule = tuple[str, int, Callable[[Json], Json]]
"""Whose it is, its number, and what it makes of a manifest."""


def _told(cluster: str, manifest: Json, rules: Iterable[Rule]) -> Iterator[OverrideTold]:
    """Rule by rule; what cannot be applied ends it, as it ends rendering."""
    for policy, number, change in rules:
        try:
            changed = change(manifest)
        except (OverrideError, PatchError) as error:
            yield OverrideTold(cluster=cluster, policy=policy, rule=number, fault=str(error))
            return
        yield OverrideTold(cluster=cluster, policy=policy, rule=number, fields=_fields(manifest, changed))
        manifest = changed


def _of_policies(policies: Sequence[Overrides], cluster: Cluster) -> Iterator[Rule]:
    for policy in policies:
        for number, rule in enumerate(policy.rules):
            if matches(rule.target_cluster, cluster):
                yield _shown(policy.meta), number, partial(apply_overriders, overriders=rule.overriders)


def _of_itself(convention: Convention, template: Item, cluster: str) -> Iterator[Rule]:
    """A federated object brings its overrides along."""
    shown = f"{template.kind} {template.key}"
    for number, operation in enumerate(convention.overrides(template.json(), cluster)):
        yield shown, number, partial(apply_json_patch, ops=[operation], missing=convention.patch_missing)


def _fields(before: Json, after: Json) -> tuple[FieldChange, ...]:
    secret = before.get("kind") == "Secret"
    return tuple(field_changes(without_marks(before), without_marks(after), secret=secret))


def _shown(policy: ObjectMeta) -> str:
    return f"{'OverridePolicy' if policy.namespace else 'ClusterOverridePolicy'} {policy.key}"
