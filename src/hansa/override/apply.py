"""Apply what is ordered to one manifest, kind of overrider by kind of overrider."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from hansa.api.affinity import matches
from hansa.api.cluster import Cluster
from hansa.api.meta import Json, ObjectMeta
from hansa.api.policy import Overriders, RuleWithCluster
from hansa.override import containers, field, image, labels, plaintext
from hansa.override.error import OverrideError


class Order(NamedTuple):
    """An override policy that means the object; its rules in the order in which it has them."""

    policy: ObjectMeta
    rules: Sequence[RuleWithCluster]


class Applied(NamedTuple):
    """One rule that was applied, as the policy has it."""

    policy: ObjectMeta
    overriders: Overriders


class Overridden(NamedTuple):
    manifest: Json
    applied: list[Applied]


class RuleFailed(OverrideError):
    """One rule cannot be applied, so the manifest for this cluster cannot be made."""

    def __init__(self, policy: ObjectMeta, error: OverrideError) -> None:
        super().__init__(str(error))
        self.policy = policy


def apply_orders(manifest: Json, orders: Sequence[Order], cluster: Cluster) -> Overridden:
    """Apply every rule that means `cluster`, policy by policy. Raises RuleFailed."""
    applied: list[Applied] = []
    for policy, rules in orders:
        for rule in rules:
            if not matches(rule.target_cluster, cluster):
                continue
            try:
                manifest = apply_overriders(manifest, rule.overriders)
            except OverrideError as error:
                raise RuleFailed(policy, error) from error
            applied.append(Applied(policy, rule.overriders))
    return Overridden(manifest, applied)


def apply_overriders(manifest: Json, overriders: Overriders) -> Json:
    """Images, commands, arguments, labels, annotations, fields, plaintext: in this order. Raises OverrideError."""
    for overrider in overriders.image_overrider or ():
        manifest = image.apply(manifest, overrider)
    for overrider in overriders.command_overrider or ():
        manifest = containers.apply(manifest, overrider, "command")
    for overrider in overriders.args_overrider or ():
        manifest = containers.apply(manifest, overrider, "args")
    for overrider in overriders.labels_overrider or ():
        manifest = labels.apply(manifest, overrider, "labels")
    for overrider in overriders.annotations_overrider or ():
        manifest = labels.apply(manifest, overrider, "annotations")
    for overrider in overriders.field_overrider or ():
        manifest = field.apply(manifest, overrider)
    return plaintext.apply(manifest, overriders.plaintext or [])


def record(applied: Iterable[Applied]) -> str | None:
    """The value of the Work's applied-overrides annotation, sorted by policy; None when nothing was applied."""
    entries = [
        {"policyName": entry.policy.name, "overriders": _shown(entry.overriders)}
        for entry in sorted(applied, key=lambda entry: entry.policy.name)
    ]
    return msgspec.json.encode(entries).decode() if entries else None


def _shown(overriders: Overriders) -> Json:
    """As in the policy, empty lists left out, a value that was not given shown as null."""
    document: Json = {name: value for name, value in msgspec.to_builtins(overriders).items() if value}
    operations: list[dict[str, Any]] = list(document.get("plaintext", ()))
    for overrider in document.get("fieldOverrider", ()):
        operations += [*overrider.get("json", ()), *overrider.get("yaml", ())]
    for operation in operations:
        operation.setdefault("value", None)
    return document
