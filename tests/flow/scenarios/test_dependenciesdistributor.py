"""What a Deployment refers to goes where it goes (propagateDeps)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.objects import (
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    SERVICE_ACCOUNTS,
    config_map,
    deployment,
    metadata,
    policy,
    secret,
    selects,
)
from tests.support.rig import Rig

from hansa.api import scheme
from hansa.api.meta import Json, Resource

PPS, CPPS = scheme.PROPAGATION_POLICIES, scheme.CLUSTER_PROPAGATION_POLICIES
SECRETS = scheme.SECRETS
OVERWRITE = "ConflictResolution conflicted (Overwrite vs Abort)"
PRESERVE = "PreserveResourcesOnDeletion conflicted (true vs false)"


def claim(name: str, namespace: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(name, namespace),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def account(name: str, namespace: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, namespace)}


def volume(**source: Any) -> Json:
    return {"volumes": [{"name": "v", **source}]}


def needing(name: str, namespace: str, **source: Any) -> Json:
    return deployment(name, namespace, replicas=1, pod=volume(**source))


KINDS = [
    pytest.param(CONFIG_MAPS, config_map, volume(configMap={"name": "dep"}), id="ConfigMap"),
    pytest.param(SECRETS, secret, volume(secret={"secretName": "dep"}), id="Secret"),
    pytest.param(CLAIMS, claim, volume(persistentVolumeClaim={"claimName": "dep"}), id="PersistentVolumeClaim"),
    pytest.param(SERVICE_ACCOUNTS, account, {"serviceAccountName": "dep"}, id="ServiceAccount"),
]


@pytest.mark.parametrize(("resource", "make", "pod"), KINDS)
async def test_a_dependency_goes_where_the_deployment_goes_and_moves_with_it(
    rig: Rig, resource: Resource, make: Any, pod: Json
) -> None:
    template = deployment("web", rig.namespace, replicas=1, pod=pod)
    own = policy("p", rig.namespace, [selects(template)], clusters=["member1"], propagateDeps=True)
    await rig.apply(make("dep", rig.namespace), template, own)
    await rig.reaches(["member1"], resource, "dep", rig.namespace)
    where = {"clusterAffinity": {"clusterNames": ["member2"]}}
    await rig.patch(PPS, "p", {"spec": {"placement": where}}, rig.namespace)
    await rig.reaches(["member2"], resource, "dep", rig.namespace)
    await rig.event("GetDependenciesSucceed", "web", rig.namespace, kind="Deployment")
    told = await rig.event("SyncScheduleResultToDependenciesSucceed", "web-deployment", rig.namespace)
    assert told["source"]["component"] == "dependencies-distributor"


async def test_an_edit_of_a_dependency_reaches_members(rig: Rig) -> None:
    template = needing("web", rig.namespace, configMap={"name": "dep"})
    own = policy("p", rig.namespace, [selects(template)], clusters=["member1"], propagateDeps=True)
    await rig.apply(config_map("dep", rig.namespace), template, own)
    await rig.reaches(["member1"], CONFIG_MAPS, "dep", rig.namespace)
    await rig.patch(CONFIG_MAPS, "dep", {"data": {"user": "edited"}}, rig.namespace)

    async def followed() -> None:
        live = await rig.get("member1", CONFIG_MAPS, "dep", rig.namespace)
        assert live is not None and live["data"] == {"user": "edited"}

    await rig.eventually(followed)


async def test_a_dependency_that_comes_later_is_found(rig: Rig) -> None:
    template = needing("web", rig.namespace, configMap={"name": "dep"})
    own = policy("p", rig.namespace, [selects(template)], clusters=["member1"], propagateDeps=True)
    await rig.apply(template, own)
    await rig.reaches(["member1"], DEPLOYMENTS, "web", rig.namespace)
    await rig.apply(config_map("dep", rig.namespace))
    await rig.reaches(["member1"], CONFIG_MAPS, "dep", rig.namespace)


async def test_what_is_needed_no_longer_leaves_the_members(rig: Rig) -> None:
    template = needing("web", rig.namespace, configMap={"name": "dep"})
    own = policy("p", rig.namespace, [selects(template)], clusters=["member1"], propagateDeps=True)
    await rig.apply(config_map("dep", rig.namespace), config_map("other", rig.namespace), template, own)
    await rig.reaches(["member1"], CONFIG_MAPS, "dep", rig.namespace)
    await rig.apply(needing("web", rig.namespace, configMap={"name": "other"}))
    await rig.reaches(["member1"], CONFIG_MAPS, "other", rig.namespace)
    await rig.reaches([], CONFIG_MAPS, "dep", rig.namespace)
    assert await rig.get("hub", CONFIG_MAPS, "dep", rig.namespace) is not None


@pytest.mark.parametrize("how", ["template", "propagateDeps"])
async def test_dependencies_end_with_the_wish_for_them(rig: Rig, how: str) -> None:
    template = needing("web", rig.namespace, configMap={"name": "dep"})
    own = policy("p", rig.namespace, [selects(template)], clusters=["member1"], propagateDeps=True)
    await rig.apply(config_map("dep", rig.namespace), template, own)
    await rig.reaches(["member1"], CONFIG_MAPS, "dep", rig.namespace)
    if how == "template":
        await rig.delete(DEPLOYMENTS, "web", rig.namespace)
    else:
        await rig.patch(PPS, "p", {"spec": {"propagateDeps": False}}, rig.namespace)
    await rig.reaches([], CONFIG_MAPS, "dep", rig.namespace)


async def test_a_dependency_of_two_goes_where_either_goes(rig: Rig) -> None:
    one = needing("one", rig.namespace, configMap={"name": "dep"})
    two = needing("two", rig.namespace, configMap={"name": "dep"})
    await rig.apply(
        config_map("dep", rig.namespace),
        one,
        two,
        policy("one", rig.namespace, [selects(one)], clusters=["member1"], propagateDeps=True),
        policy("two", rig.namespace, [selects(two)], clusters=["member2"], propagateDeps=True),
    )
    await rig.reaches(["member1", "member2"], CONFIG_MAPS, "dep", rig.namespace)
    await rig.delete(DEPLOYMENTS, "one", rig.namespace)
    await rig.reaches(["member2"], CONFIG_MAPS, "dep", rig.namespace)


async def test_a_dependency_with_a_policy_of_its_own_goes_to_both(rig: Rig) -> None:
    dep = config_map("dep", rig.namespace)
    template = needing("web", rig.namespace, configMap={"name": "dep"})
    await rig.apply(
        dep,
        template,
        policy("own", rig.namespace, [selects(dep)], clusters=["member3"]),
        policy("web", rig.namespace, [selects(template)], clusters=["member1"], propagateDeps=True),
    )
    await rig.reaches(["member1", "member3"], CONFIG_MAPS, "dep", rig.namespace)


# -- two dependents that disagree -------------------------------------------------------------------------------------


async def two(rig: Rig, *, wide: bool = False) -> None:
    """Two Deployments that need one ConfigMap, each with its policy; both agree."""
    templates = [needing(name, rig.namespace, configMap={"name": "dep"}) for name in ("one", "two")]
    await rig.apply(config_map("dep", rig.namespace), *templates)
    for template in templates:
        name = template["metadata"]["name"]
        if wide:
            selector = {**selects(template), "namespace": rig.namespace}
            own = policy(rig.name(name), None, [selector], clusters=["member1"], propagateDeps=True)
        else:
            own = policy(name, rig.namespace, [selects(template)], clusters=["member1"], propagateDeps=True)
        await rig.apply(own)
    await rig.reaches(["member1"], CONFIG_MAPS, "dep", rig.namespace)

    async def both() -> None:
        assert len((await attached(rig))["requiredBy"]) == 2

    await rig.eventually(both)


async def attached(rig: Rig) -> Json:
    binding = await rig.get("hub", scheme.RESOURCE_BINDINGS, "dep-configmap", rig.namespace)
    assert binding is not None
    return binding["spec"]


async def becomes(rig: Rig, resolution: str, preserve: bool | None) -> None:
    async def there() -> None:
        spec = await attached(rig)
        assert spec["conflictResolution"] == resolution
        assert bool(spec.get("preserveResourcesOnDeletion")) is bool(preserve)

    await rig.eventually(there)


async def told(rig: Rig, *reasons: str) -> None:
    message = f"Dependency policy conflict detected: {'; '.join(reasons)}."

    async def seen() -> None:
        events = await rig.events("dep-configmap", rig.namespace)
        found = [event["message"] for event in events if event["reason"] == "DependencyPolicyConflict"]
        assert message in found

    await rig.eventually(seen)


async def change(rig: Rig, name: str, *, wide: bool = False, **spec: Any) -> None:
    if wide:
        await rig.patch(CPPS, rig.name(name), {"spec": spec})
    else:
        await rig.patch(PPS, name, {"spec": spec}, rig.namespace)


@pytest.mark.parametrize("wide", [False, True], ids=["namespace", "cluster"])
@pytest.mark.parametrize(
    ("spec", "reasons"),
    [
        ({"conflictResolution": "Overwrite", "preserveResourcesOnDeletion": True}, (OVERWRITE, PRESERVE)),
        ({"conflictResolution": "Overwrite"}, (OVERWRITE,)),
        ({"preserveResourcesOnDeletion": True}, (PRESERVE,)),
    ],
    ids=["both", "resolution", "preserve"],
)
async def test_where_two_disagree_overwriting_and_keeping_win_and_an_event_says_so(
    rig: Rig, wide: bool, spec: Json, reasons: Sequence[str]
) -> None:
    await two(rig, wide=wide)
    await change(rig, "one", wide=wide, **spec)
    await becomes(rig, spec.get("conflictResolution", "Abort"), spec.get("preserveResourcesOnDeletion"))
    await told(rig, *reasons)


async def test_alignment_later_ends_the_conflict(rig: Rig) -> None:
    await two(rig)
    await change(rig, "one", conflictResolution="Overwrite", preserveResourcesOnDeletion=True)
    await becomes(rig, "Overwrite", True)
    await change(rig, "one", conflictResolution="Abort", preserveResourcesOnDeletion=False)
    await becomes(rig, "Abort", False)


async def test_when_one_of_two_goes_the_other_alone_decides(rig: Rig) -> None:
    await two(rig)
    await change(rig, "one", conflictResolution="Overwrite", preserveResourcesOnDeletion=True)
    await becomes(rig, "Overwrite", True)
    await rig.delete(DEPLOYMENTS, "one", rig.namespace)
    await becomes(rig, "Abort", False)
