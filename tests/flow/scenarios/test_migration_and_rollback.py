"""Take over what a member has already, and give it back as it was found."""

from __future__ import annotations

from typing import Any

from tests.support.objects import (
    CLUSTER_ROLES,
    DEPLOYMENTS,
    SERVICES,
    deployment,
    metadata,
    policy,
    secret,
    selects,
    service,
)
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.meta import Json, Resource

STAYS = {
    names.CONFLICT_RESOLUTION_ANNOTATION,
    names.CLUSTER_BINDING_ID_LABEL,
    names.CLUSTER_BINDING_NAME_ANNOTATION,
}
"""What Karmada leaves on an object that it releases: the rest of its marks goes."""


def karmadas(live: Json) -> list[str]:
    """Labels and annotations that say an object is managed."""
    found = {**live["metadata"].get("labels", {}), **live["metadata"].get("annotations", {})}
    return sorted(key for key in found if "karmada.io" in key and key not in STAYS)


async def item_of(rig: Rig, bindings: Resource, binding: str, namespace: str | None) -> Json:
    live = await rig.get("hub", bindings, binding, namespace)
    assert live is not None
    (item,) = [one for one in live["status"]["aggregatedStatus"] if one["clusterName"] == "member1"]
    return item


async def migrate_and_roll_back(
    rig: Rig, resource: Resource, template: Json, *, healthy: str, kept: Any = lambda live: None, wide: bool = False
) -> None:
    name, namespace = template["metadata"]["name"], template["metadata"].get("namespace")
    bindings = scheme.CLUSTER_RESOURCE_BINDINGS if wide else scheme.RESOURCE_BINDINGS
    policies = scheme.CLUSTER_PROPAGATION_POLICIES if wide else scheme.PROPAGATION_POLICIES
    own = rig.name("p") if wide else "p"
    binding = f"{name}-{template['kind'].lower()}"
    await rig.apply(template, server="member1")
    found = await rig.get("member1", resource, name, namespace)
    before = kept(found)
    await rig.apply(template, policy(own, namespace, [selects(template)], clusters=["member1"]))

    async def refused() -> None:
        item = await item_of(rig, bindings, binding, namespace)
        assert not item.get("applied") and item.get("health") != "Healthy"
        assert "already exist" in item["appliedMessage"]

    await rig.eventually(refused)
    take = {"conflictResolution": "Overwrite", "preserveResourcesOnDeletion": True}
    await rig.patch(policies, own, {"spec": take}, namespace)

    async def taken() -> None:
        item = await item_of(rig, bindings, binding, namespace)
        assert item["applied"] is True and item["health"] == healthy
        live = await rig.get("member1", resource, name, namespace)
        assert live is not None and karmadas(live) and kept(live) == before

    await rig.eventually(taken)
    await rig.delete(resource, name, namespace)

    async def given_back() -> None:
        assert await rig.get("hub", bindings, binding, namespace) is None
        works = await rig.list("hub", scheme.WORKS, "karmada-es-member1")
        assert not [work for work in works if work["spec"]["workload"]["manifests"][0]["metadata"]["name"] == name]
        live = await rig.get("member1", resource, name, namespace)
        assert live is not None and karmadas(live) == [] and kept(live) == before

    await rig.eventually(given_back)


async def test_a_deployment(rig: Rig) -> None:
    template = deployment("web", rig.namespace, replicas=1)
    await migrate_and_roll_back(rig, DEPLOYMENTS, template, healthy="Healthy")


async def test_a_service_keeps_its_address(rig: Rig) -> None:
    await migrate_and_roll_back(
        rig, SERVICES, service("web", rig.namespace), healthy="Healthy", kept=lambda live: live["spec"]["clusterIP"]
    )


async def test_a_cluster_role(rig: Rig) -> None:
    template = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(rig.name("reader")),
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    await migrate_and_roll_back(rig, CLUSTER_ROLES, template, healthy="Healthy", wide=True)


async def test_a_secret_that_a_deployment_depends_on(rig: Rig) -> None:
    pod = {"volumes": [{"name": "v", "secret": {"secretName": "keys"}}]}
    template = deployment("web", rig.namespace, replicas=1, pod=pod)
    keys = secret("keys", rig.namespace)
    await rig.apply(keys, template, server="member1")
    own = policy(
        "p",
        rig.namespace,
        [selects(template)],
        clusters=["member1"],
        propagateDeps=True,
        conflictResolution="Overwrite",
        preserveResourcesOnDeletion=True,
    )
    await rig.apply(keys, template, own)

    async def taken() -> None:
        live = await rig.get("member1", scheme.SECRETS, "keys", rig.namespace)
        assert live is not None and karmadas(live)

    await rig.eventually(taken)
    await rig.delete(DEPLOYMENTS, "web", rig.namespace)
    await rig.delete(scheme.SECRETS, "keys", rig.namespace)

    async def given_back() -> None:
        assert await rig.get("hub", scheme.RESOURCE_BINDINGS, "keys-secret", rig.namespace) is None
        for resource, name in ((scheme.SECRETS, "keys"), (DEPLOYMENTS, "web")):
            live = await rig.get("member1", resource, name, rig.namespace)
            assert live is not None and karmadas(live) == []

    await rig.eventually(given_back)
