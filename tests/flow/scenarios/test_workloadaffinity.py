"""Workloads that go where others of their group are, and workloads that keep apart (gate WorkloadAffinity)."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.objects import deployment, metadata, policy, selects
from tests.support.rig import Rig

from hansa.api import scheme
from hansa.api.meta import Json

ONE = [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]


def grouped(
    rig: Rig, name: str, labels: Mapping[str, str], sides: Mapping[str, str], namespace: str | None = None
) -> list[Json]:
    """A Deployment for one cluster; `sides` are the label keys of its groups."""
    place = namespace or rig.namespace
    template = deployment(name, place, replicas=1, labels=labels)
    affinity = {side: {"groupByLabelKey": key} for side, key in sides.items()}
    where = {"spreadConstraints": ONE, "workloadAffinity": affinity}
    return [template, policy(name, place, [selects(template)], placement=where)]


async def used(rig: Rig, name: str, namespace: str | None = None) -> list[str]:
    found = await rig.get("hub", scheme.RESOURCE_BINDINGS, f"{name}-deployment", namespace or rig.namespace)
    assert found is not None
    return [target["name"] for target in found["spec"].get("clusters") or []]


async def test_an_anti_affinity_group_keeps_apart(rig: Rig) -> None:
    for name in ("a", "b"):
        await rig.apply(*grouped(rig, name, {"group": "db"}, {"antiAffinity": "group"}))

    async def apart() -> None:
        first, second = await used(rig, "a"), await used(rig, "b")
        assert first and second and not set(first) & set(second)

    await rig.eventually(apart)


async def test_an_affinity_group_goes_to_the_same_clusters(rig: Rig) -> None:
    for name in ("a", "b"):
        await rig.apply(*grouped(rig, name, {"group": "shop"}, {"affinity": "group"}))

    async def together() -> None:
        first = await used(rig, "a")
        assert first and first == await used(rig, "b")

    await rig.eventually(together)


async def test_groups_of_two_namespaces_do_not_repel_each_other(rig: Rig) -> None:
    other = rig.name("other")
    await rig.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(other)})
    only = rig.members[0]
    for place in (rig.namespace, other):
        template, own = grouped(rig, "a", {"group": "db"}, {"antiAffinity": "group"}, place)
        own["spec"]["placement"]["clusterAffinity"] = {"clusterNames": [only]}
        await rig.apply(template, own)

    async def both() -> None:
        assert await used(rig, "a") == await used(rig, "a", other) == [only]

    await rig.eventually(both)


async def test_a_contradiction_leaves_one_of_two_unscheduled(rig: Rig) -> None:
    sides = {"affinity": "side", "antiAffinity": "group"}
    for name in ("a", "b"):
        await rig.apply(*grouped(rig, name, {"side": "x", "group": "db"}, sides))

    async def one() -> None:
        said = [rig.scheduled(await rig.binding(f"{name}-deployment"))[:2] for name in ("a", "b")]
        assert sorted(said) == [("False", "NoClusterFit"), ("True", "Success")]

    await rig.eventually(one)
    await rig.holds(one)
