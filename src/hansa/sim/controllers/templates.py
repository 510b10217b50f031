"""The ReplicaSet that belongs to a Deployment's template, and how to recognize it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.names import fnv1a32, safe_encode
from hansa.sim.controllers.rollout import DESIRED_REPLICAS, MAX_REPLICAS, REVISION, REVISION_HISTORY, Revision, Wanted

TEMPLATE_HASH = "pod-template-hash"
# What a ReplicaSet does not take over from its Deployment's annotations.
NOT_COPIED = frozenset(
    {
        names.LAST_APPLIED_ANNOTATION,
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    }
)


def template_hash(template: Json, collisions: int) -> str:
    """A short name for a pod template; `collisions` makes another one."""
    canonical = msgspec.json.encode(template, order="deterministic").decode()
    return safe_encode(fnv1a32(f"{canonical}{collisions or ''}"))


def replica_set_for(item: Item, spec: Json, hash_: str, wanted: Wanted, number: int, replicas: int) -> Json:
    template = dict(spec.get("template") or {})
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), TEMPLATE_HASH: hash_}
    template["metadata"] = metadata
    selector = dict(spec.get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), TEMPLATE_HASH: hash_}
    made: Json = {"replicas": replicas, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        made["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{item.meta.name}-{hash_}",
            "namespace": item.meta.namespace,
            "labels": metadata["labels"],
            "annotations": copied_annotations(item)
            | {
                REVISION: str(number),
                DESIRED_REPLICAS: str(wanted.replicas),
                MAX_REPLICAS: str(wanted.maximum),
            },
            "ownerReferences": [item.as_owner()],
        },
        "spec": made,
    }


def copied_annotations(item: Item) -> dict[str, str]:
    return {name: value for name, value in item.annotations.items() if name not in NOT_COPIED}


def split_revisions(revisions: Sequence[Revision], template: Json) -> tuple[Revision | None, list[Revision]]:
    """The oldest ReplicaSet with the present template, and all others."""
    ordered = sorted(revisions, key=lambda revision: revision.age_key)
    new = next((revision for revision in ordered if same_template(revision.item, template)), None)
    return new, [revision for revision in ordered if revision is not new]


def same_template(item: Item, template: Json) -> bool:
    return _without_hash(item.json()["spec"].get("template") or {}) == _without_hash(template)


def _without_hash(template: Json) -> Json:
    metadata = {name: value for name, value in (template.get("metadata") or {}).items() if value is not None}
    labels = {name: value for name, value in (metadata.pop("labels", None) or {}).items() if name != TEMPLATE_HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}
